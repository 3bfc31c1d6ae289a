"""The kind `source_build`: a program that is built on the host from a tarball that the controller uploads.

It is built in scratch space and installed by renames. A manifest lists the installed files, a stamp identifies all
inputs of the build, and the hash of the binary shows whether it was modified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

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
from hacore_providers.facts.paths import PATHS, unsafe_path
from hacore_providers.shell import foreign_paths
from hacore_providers.source_build import compile as making
from hacore_providers.source_build import install as installing
from hacore_providers.source_build import spec as specs
from hacore_providers.source_build.spec import SourceBuildSpec

_TOOLS = ("gcc", "g++", "cc", "make", "patch", "tar", "build-essential")


class SourceBuildProvider(Provider[SourceBuildSpec]):
    """Builds, installs and removes programs from source."""

    api = 2
    kind = "source_build"
    spec = SourceBuildSpec
    arguments: ClassVar[Mapping[str, str]] = {
        "configure": "give it by environment",
        "make": "give it by environment, and name the variable here",
        "install": "give it by environment, and name the variable here",
    }

    # -- at load
    def resolve(self, spec: SourceBuildSpec, files: StackFiles) -> SourceBuildSpec:
        """Add the patches and the location of the tarball, not the tarball itself."""
        return specs.resolve(spec, files)

    def validate(
        self, members: Mapping[str, SourceBuildSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Hashes, paths, names."""
        for host, spec in members.items():
            for mistake in specs.mistakes(spec):
                yield host, mistake

    def claims(self, spec: SourceBuildSpec) -> Sequence[Claim]:
        """Owns its binary, shares its folders, uses its build tools and accounts."""
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
        """The record and the binary; with `rebuild_on: toolchain` the compiler."""
        asks: list[Ask] = [Ask(BUILD, build_arg(spec.name, spec.binary or ""))]
        asks += [Ask(PATHS, path) for path in _paths(spec)]
        if spec.rebuild_on == "toolchain":
            asks.append(Ask(TOOLCHAIN, spec.compiler))
        return asks

    def observe(self, view: View[SourceBuildSpec]) -> Observed | None:
        """The installed build; also a binary of other origin."""
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
        """The stamp of the spec, an intact binary, and with `rebuild_on: toolchain` the present compiler."""
        spec = view.spec
        attrs: dict[str, Any] = {"stamp": specs.stamp(spec)}
        if spec.binary:
            attrs["binary"] = "intact"
        if spec.rebuild_on == "toolchain":
            compiler = view.facts.get(TOOLCHAIN, spec.compiler)
            attrs["toolchain"] = compiler or Unknown(f"{spec.compiler} is not installed yet")
        return Desired(
            attrs,
            texts={} if spec.sensitive else {"stamp": specs.listing(spec)},
            sensitive=frozenset({"stamp"} if spec.sensitive else ()),
            effect="build, install",
        )

    def examine(self, view: View[SourceBuildSpec]) -> Iterable[Mistake]:
        """Paths that another user can redirect, of a build that is to be installed."""
        observed, wanted = self.observe(view), self.desire(view).attrs
        if (None if observed is None else observed.attrs) != wanted:
            for path in _paths(view.spec):
                if mistake := unsafe_path(view.facts, path):
                    yield mistake

    def delete_effect(self, view: View[SourceBuildSpec], found: Found) -> Effect:
        """Remove the files of its manifest, and restore the files that they replaced."""
        what = view.spec.binary or view.spec.title
        if view.removed(found):
            return Effect(f"remove the files that the build of {what} installed")
        return Effect(f"restore the files that the build of {what} replaced")

    def invalidates(self, change: Change[SourceBuildSpec]) -> Sequence[str]:
        """The binary, and so the units that run it."""
        return [f"path:{change.spec.binary}"] if change.spec.binary else []

    # -- at apply
    def prepare(self, work: Work[SourceBuildSpec]) -> Sequence[Step]:
        """Build in scratch space, unless the installed build matches."""
        return [
            step for change in work.changes if _builds(change) for step in making.steps(change.spec, _stamp(change))
        ]

    def capture(self, work: Work[SourceBuildSpec]) -> Step | None:
        """Back up the files at the paths of the new build and of the old one."""
        if not work.changes:
            return None
        change = work.changes[0]
        spec, address = change.spec, change.address

        def parse(output: Output) -> Mapping[Address, Image]:
            return {address: installing.read_image(output, sensitive=spec.sensitive)}

        blobs = {"foreign": foreign_paths(work.foreign), "directories": installing.directory_list(spec)}
        return Step(
            installing.capture(spec),
            blobs=blobs,
            what=f"backing up files that {spec.title} replaces",
            deadline=300.0,
            parse=parse,
        )

    def apply(self, work: Work[SourceBuildSpec]) -> Sequence[Step]:
        """Install the stage on the host."""
        return [step for change in work.changes for step in self._do(change, work)]

    def _do(self, change: Change[SourceBuildSpec], work: Work[SourceBuildSpec]) -> Iterable[Step]:
        if change.action is Action.DELETE:
            yield from self._undo(change, work)
            return
        script, blobs = installing.install(change.spec, work.foreign, _stamp(change))
        yield Step(script, blobs=blobs, what=f"installing {change.spec.title}", deadline=600.0)

    def undo(self, work: Work[SourceBuildSpec]) -> Sequence[Step]:
        """Restore the image: the mirror of apply."""
        return [step for change in work.changes for step in self._undo(change, work)]

    def _undo(self, change: Change[SourceBuildSpec], work: Work[SourceBuildSpec]) -> Iterable[Step]:
        image = work.images.get(change.address)
        if image is None:
            return
        script, blobs = installing.undo(change.spec, image, work.foreign)
        yield Step(script, blobs=blobs, what=f"undoing the installation of {change.spec.title}", deadline=600.0)


def _paths(spec: SourceBuildSpec) -> tuple[str, ...]:
    """What a build is known to write before it is built: its program, and the folders that are created first."""
    folders = (directory.path.rstrip("/") for directory in spec.directories)
    return tuple(dict.fromkeys([*([spec.binary] if spec.binary else []), *folders]))


def _stamp(change: Change[SourceBuildSpec]) -> str:
    """The stamp as it is kept on the host: of a build with a secret an HMAC, from which nothing can be guessed."""
    return str(change.sealed.get("stamp") or specs.stamp(change.spec))


def _builds(change: Change[SourceBuildSpec]) -> bool:
    if change.action is Action.DELETE:
        return False
    wanted, current = change.desired or {}, change.observed or {}
    return not wanted or any(current.get(key) != value for key, value in wanted.items())


def _binary(built: Built) -> str:
    if not built.binary:
        return "missing"
    return "intact" if built.binary == built.record.get("binary") else "modified"


PROVIDER = SourceBuildProvider()
