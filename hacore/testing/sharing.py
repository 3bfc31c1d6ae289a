"""Kinds that several resources of a host share: packages, sections of a file."""

# ruff: noqa: ARG002 - a kind is handed more than it needs

from __future__ import annotations

import json
from collections.abc import Sequence, Set

from ..address import Address
from ..contract import Ask, Claim, Desired, Image, Observed, Output, Provider, Spec, StackFiles, Step, View, Work
from .questions import VALUE, images, script


class PackSpec(Spec):
    """Packages."""

    names: tuple[str, ...] = ()


class Pack(Provider[PackSpec]):
    """Packages: one task for all resources of a level, as for apt."""

    api = 2
    kind = "pack"
    spec = PackSpec

    def claims(self, spec: PackSpec) -> Sequence[Claim]:
        """Each name, shared."""
        return [Claim(f"pkg:{name}", "share") for name in spec.names]

    def aggregate(self, spec: PackSpec) -> str | None:
        """One for all."""
        return "packs"

    def exclusive(self, spec: PackSpec) -> str | None:
        """One at a time."""
        return "packs"

    def facts(self, spec: PackSpec) -> Sequence[Ask]:
        """Each name."""
        return [Ask(VALUE, f"pkg:{name}") for name in spec.names]

    def observe(self, view: View[PackSpec]) -> Observed | None:
        """The installed names; None if there are none."""
        have = [n for n in view.spec.names if view.facts.get(VALUE, f"pkg:{n}") is not None]
        return Observed(dict.fromkeys(have, "installed")) if have else None

    def desire(self, view: View[PackSpec]) -> Desired:
        """All of them."""
        return Desired(dict.fromkeys(view.spec.names, "installed"))

    def capture(self, work: Work[PackSpec]) -> Step | None:
        """The names that are installed before."""
        names = {c.address: c.spec.names for c in work.changes}
        every = sorted({f"pkg:{n}" for c in work.changes for n in c.spec.names})

        def parse(output: Output) -> dict[Address, Image]:
            found = json.loads(output.stdout or b"{}")
            return {a: Image([n for n in mine if f"pkg:{n}" in found], modes=()) for a, mine in names.items()}

        return script(["print", *every], parse=parse)

    def apply(self, work: Work[PackSpec]) -> Sequence[Step]:
        """All at once."""
        return [script(["install", *sorted({n for c in work.changes for n in c.spec.names})])]

    def undo(self, work: Work[PackSpec]) -> Sequence[Step]:
        """Remove the names that were not installed, restore those that were."""
        return _restore(work, frozenset())

    def delete(self, work: Work[PackSpec]) -> Sequence[Step]:
        """The same by the origins; keep the names of other resources."""
        return _restore(work, {token.removeprefix("pkg:") for token in work.foreign})


def _restore(work: Work[PackSpec], held: Set[str]) -> list[Step]:
    """The newest image first: the last word on a name that several have is that of the oldest."""
    steps = []
    for change in sorted(work.changes, key=lambda c: -work.images[c.address].run if c.address in work.images else 0):
        image = work.images.get(change.address)
        if image is not None:
            mine, before = set(change.spec.names), set(image.data or ())
            steps += [("remove", sorted(mine - before - held)), ("install", sorted(mine & before))]
    return [script(*[[op, *names] for op, names in steps if names])]


class ConfSpec(Spec):
    """A section of a file."""

    path: str
    name: str = ""
    text: str = ""


class Conf(Provider[ConfSpec]):
    """Sections of a file: the file is written whole, by one task."""

    api = 2
    kind = "conf"
    spec = ConfSpec
    whole = True

    def claims(self, spec: ConfSpec) -> Sequence[Claim]:
        """Shares the file with the other sections; owns its section."""
        return [Claim(f"path:{spec.path}", "share"), Claim(f"section:{spec.path}/{spec.name}")]

    def resolve(self, spec: ConfSpec, files: StackFiles) -> ConfSpec:
        """The section has the resource's name."""
        return spec.model_copy(update={"name": spec.name or files.name})

    def aggregate(self, spec: ConfSpec) -> str | None:
        """The file."""
        return f"path:{spec.path}"

    def facts(self, spec: ConfSpec) -> Sequence[Ask]:
        """The file."""
        return [Ask(VALUE, spec.path)]

    def observe(self, view: View[ConfSpec]) -> Observed | None:
        """The section's text; None if it is not in the file."""
        value = view.facts.get(VALUE, view.spec.path) or {}
        sections = value.get("sections", {})
        name = view.spec.name
        return Observed({"text": sections[name]}) if name in sections else None

    def desire(self, view: View[ConfSpec]) -> Desired:
        """The section's text."""
        return Desired({"text": view.spec.text})

    def capture(self, work: Work[ConfSpec]) -> Step | None:
        """The whole file, for each section."""
        keys = {c.address: c.spec.path for c in work.changes}
        return script(["print", *sorted(set(keys.values()))], parse=images(keys))

    def apply(self, work: Work[ConfSpec]) -> Sequence[Step]:
        """Write the file with all desired sections."""
        path = work.changes[0].spec.path
        return [script(["write", path, {"sections": {s.name: s.text for _, s in work.wanted}, "ours": True}, {}])]

    def undo(self, work: Work[ConfSpec]) -> Sequence[Step]:
        """Restore the file."""
        path = work.changes[0].spec.path
        return [script(["restore", path, next(iter(work.images.values())).data])]

    def delete(self, work: Work[ConfSpec]) -> Sequence[Step]:
        """Write the file without the deleted sections; the last one restores the original file."""
        if work.wanted:
            return self.apply(work)
        first = min(work.images.values(), key=lambda image: image.run)
        original = first.data if first.data is not None and "ours" not in first.data else None
        return [script(["restore", work.changes[0].spec.path, original])]
