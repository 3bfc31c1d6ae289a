"""The kind `source_build`: a program that is built on the host from a tarball that the controller brings.

It is built in scratch space and put in place by renames. What it put there is known by a manifest,
why it looks as it does by a stamp of everything that went in. Whether the program is still the one
that was built is told by its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hacore.contract import (
    NO_RULES,
    Action,
    Address,
    Ask,
    Change,
    Claim,
    Desired,
    Effect,
    Found,
    Host,
    Image,
    Lifecycle,
    Mistake,
    Observed,
    Output,
    Provider,
    StackFiles,
    Step,
    Unknown,
    View,
    Work,
    account_claims,
)
from hacore_providers.facts.build import BUILD, TOOLCHAIN, Built, build_arg
from hacore_providers.source_build import compile as making
from hacore_providers.source_build import install as installing
from hacore_providers.source_build import spec as specs
from hacore_providers.source_build.spec import SourceBuildSpec

_TOOLS = ("gcc", "g++", "cc", "make", "patch", "tar", "build-essential")


class SourceBuildProvider(Provider[SourceBuildSpec]):
    """Builds programs from source, and takes them away again."""

    api = 2
    kind = "source_build"
    spec = SourceBuildSpec

    # -- at load
    def resolve(self, spec: SourceBuildSpec, files: StackFiles) -> SourceBuildSpec:
        """Takes in patches and the place of the tarball, not the tarball itself."""
        return specs.resolve(spec, files)

    def validate(
        self, members: Mapping[str, SourceBuildSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Hashes, paths, names."""
        for host, spec in members.items():
            for mistake in specs.mistakes(spec):
                yield host, mistake

    def claims(self, spec: SourceBuildSpec) -> Sequence[Claim]:
        """Its binary, and a share in its folders; after the tools that it is built with."""
        folders = [directory.path.rstrip("/") for directory in spec.directories]
        own = specs.prefix(spec)
        folders += [own] if own and own not in folders else []
        return [
            *([Claim(f"path:{spec.binary}")] if spec.binary else []),
            *(Claim(f"path:{folder}", "share") for folder in folders),
            *(Claim(f"pkg:{tool}", "use") for tool in _TOOLS),
            *(claim for d in spec.directories for claim in account_claims(d.owner, d.group)),
        ]

    def recorded(self, spec: SourceBuildSpec) -> SourceBuildSpec:
        """Without the patches' content."""
        return specs.recorded(spec)

    # -- at plan
    def facts(self, spec: SourceBuildSpec) -> Sequence[Ask]:
        """The record and the binary; the compiler where it counts."""
        asks: list[Ask] = [Ask(BUILD, build_arg(spec.name, spec.binary or ""))]
        if spec.rebuild_on == "toolchain":
            asks.append(Ask(TOOLCHAIN, spec.compiler))
        return asks

    def observe(self, view: View[SourceBuildSpec]) -> Observed | None:
        """What was built; also a binary that somebody else put there."""
        spec = view.spec
        built = view.facts.get(BUILD, build_arg(spec.name, spec.binary or "")) or Built()
        record = built.record
        if not record and not built.binary:
            return None
        attrs: dict[str, Any] = {"stamp": record.get("stamp")}
        if spec.binary:
            attrs["binary"] = _binary(built)
        if spec.rebuild_on == "toolchain":
            attrs["toolchain"] = record.get("toolchain")
        info = {key: record[key] for key in ("source", "toolchain", "libraries") if record.get(key)}
        texts = {"stamp": str(record["inputs"])} if record.get("inputs") and not spec.sensitive else {}
        return Observed(attrs, info=info, texts=texts)

    def desire(self, view: View[SourceBuildSpec]) -> Desired:
        """The stamp of the spec, an intact binary, and perhaps the host's present compiler."""
        spec = view.spec
        attrs: dict[str, Any] = {"stamp": specs.stamp(spec)}
        if spec.binary:
            attrs["binary"] = "intact"
        if spec.rebuild_on == "toolchain":
            there = view.facts.get(TOOLCHAIN, spec.compiler)
            attrs["toolchain"] = there or Unknown(f"{spec.compiler} is not there yet")
        return Desired(
            attrs,
            texts={} if spec.sensitive else {"stamp": specs.listing(spec)},
            sensitive=frozenset({"stamp"} if spec.sensitive else ()),
            effect="build, install",
        )

    def delete_effect(self, view: View[SourceBuildSpec], found: Found) -> Effect:
        """The files of its manifest go; what they replaced comes back."""
        what = view.spec.binary or view.spec.title
        if view.removed(found):
            return Effect(f"remove the files that the build of {what} installed")
        return Effect(f"restore the files that the build of {what} replaced")

    def invalidates(self, change: Change[SourceBuildSpec]) -> Sequence[str]:
        """The binary, and with it the units that run it."""
        return [f"path:{change.spec.binary}"] if change.spec.binary else []

    # -- at apply
    def prepare(self, work: Work[SourceBuildSpec]) -> Sequence[Step]:
        """Builds in scratch space, unless what is there is right already."""
        return [step for change in work.changes if _builds(change) for step in making.steps(change.spec)]

    def capture(self, work: Work[SourceBuildSpec]) -> Step | None:
        """What lies where the new build and the old one have their files."""
        if not work.changes:
            return None
        change = work.changes[0]
        spec, address = change.spec, change.address

        def parse(output: Output) -> Mapping[Address, Image]:
            return {address: installing.read_image(output, sensitive=spec.sensitive)}

        blobs = {"foreign": installing.foreign_paths(work.foreign), "directories": installing.directory_list(spec)}
        return Step(
            installing.capture(spec),
            blobs=blobs,
            what=f"reading what {spec.title} replaces",
            deadline=300.0,
            parse=parse,
        )

    def apply(self, work: Work[SourceBuildSpec]) -> Sequence[Step]:
        """From the stage to the host."""
        return [step for change in work.changes for step in self._do(change, work)]

    def _do(self, change: Change[SourceBuildSpec], work: Work[SourceBuildSpec]) -> Iterable[Step]:
        if change.action is Action.DELETE:
            yield from self._undo(change, work)
            return
        script, blobs = installing.install(change.spec, work.foreign)
        yield Step(script, blobs=blobs, what=f"installing {change.spec.title}", deadline=600.0)

    def undo(self, work: Work[SourceBuildSpec]) -> Sequence[Step]:
        """From the image back to the host: the mirror of apply."""
        return [step for change in work.changes for step in self._undo(change, work)]

    def _undo(self, change: Change[SourceBuildSpec], work: Work[SourceBuildSpec]) -> Iterable[Step]:
        image = work.images.get(change.address)
        if image is None:
            return
        script, blobs = installing.undo(change.spec, image, work.foreign)
        yield Step(script, blobs=blobs, what=f"taking {change.spec.title} back", deadline=600.0)


def _builds(change: Change[SourceBuildSpec]) -> bool:
    if change.action is Action.DELETE:
        return False
    wanted, there = change.desired or {}, change.observed or {}
    return not wanted or any(there.get(key) != value for key, value in wanted.items())


def _binary(built: Built) -> str:
    if not built.binary:
        return "missing"
    return "intact" if built.binary == built.record.get("binary") else "modified"


PROVIDER = SourceBuildProvider()
