"""The package kind: what the host's own package manager has installed.

All packages of a host and level are one task (aggregate `packages`): one call, one image, one undo.
What is done on a host lies in package_tasks, in the words of a module per package manager.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hacore.contract import (
    NO_RULES,
    Ask,
    Change,
    Claim,
    Desired,
    Effect,
    Facts,
    Found,
    Host,
    Lifecycle,
    Mistake,
    Observed,
    Provider,
    Spec,
    StackFiles,
    Step,
    Unknown,
    View,
    Work,
    quote,
)
from hacore_providers.package import apt
from hacore_providers.package import dnf as dnf

from ..facts.packages import CANDIDATE, PACKAGE, Package
from .manager import Manager
from .spec import PackageSpec, alike, mistakes

__all__ = ["PROVIDER", "PackageProvider"]


APT = Manager("apt", "debian", apt.APT, apt.PREPARE)
DNF = Manager("dnf", "redhat", dnf.DNF, dnf.PREPARE)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A host without the package manager that is asked for: says so, before anything is touched."""

    wanted: str

    def prepare(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """The refusal."""
        packager = work.facts.host.packager or "none"
        text = f"cannot manage packages: no {self.wanted} here (package manager: {packager})"
        return [Step(f"printf '%s\\n' {quote(text)} >&2; exit 1", what="looking for the package manager")]

    def capture(self, work: Work[PackageSpec]) -> Step:
        """The refusal."""
        return self.prepare(work)[0]

    def apply(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """The refusal."""
        return self.prepare(work)

    def undo(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Nothing was done."""
        return []

    def delete(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """The refusal."""
        return self.prepare(work)


class PackageProvider(Provider[PackageSpec]):
    """Presence, version or absence of packages; see PackageSpec for what a user writes."""

    api = 2
    kind: ClassVar[str] = "package"
    spec: ClassVar[type[Spec]] = PackageSpec

    # -- at load
    def resolve(self, spec: PackageSpec, files: StackFiles) -> PackageSpec:
        """Without a name in the body, the resource's own is meant."""
        if spec.name is not None or spec.names != ():
            return spec
        return spec.model_copy(update={"names": (files.name.partition("[")[0],)})

    def validate(
        self, members: Mapping[str, PackageSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Mistakes in the values, for each host."""
        return [(host, mistake) for host, spec in members.items() for mistake in mistakes(spec)]

    def claims(self, spec: PackageSpec) -> Sequence[Claim]:
        """The names, shared: two resources may both want gcc."""
        return [Claim(f"pkg:{name}", "share") for name in spec.every]

    def aggregate(self, spec: PackageSpec) -> str | None:
        """One task for all packages of a host and level."""
        return "packages"

    def exclusive(self, spec: PackageSpec) -> str | None:
        """A host has one package manager, and it has one lock."""
        return "packages"

    # -- at plan
    def facts(self, spec: PackageSpec) -> Sequence[Ask]:
        """The names of all families (which one it is, is itself a fact), and candidates for `latest`."""
        asks = [Ask(PACKAGE, name) for name in spec.every]
        if spec.ensure == "latest":
            asks += [Ask(CANDIDATE, name) for name in spec.every]
        return asks

    def observe(self, view: View[PackageSpec]) -> Observed | None:
        """What is installed of the names; None if nothing is, and something should be."""
        spec, attrs, info = view.spec, {}, {}
        governed = spec.version is not None or spec.ensure == "latest"
        for name in spec.of(view.facts.host.family) or ():
            package = view.facts.get(PACKAGE, name)
            if package is None:
                continue
            whole = package.status == "installed"
            attrs[name] = (
                _version(package, spec.version, view.facts.host.packager) if whole and governed else package.status
            )
            if package.version:
                info[f"{name} version"] = package.version + (" (held)" if package.held else "")
        if spec.ensure != "absent" and not any(value != "absent" for value in attrs.values()):
            return None
        return Observed(attrs, info)

    def desire(self, view: View[PackageSpec]) -> Desired:
        """A value for each name: `installed`, `absent`, or the version."""
        spec, family = view.spec, view.facts.host.family
        names = spec.of(family)
        if names is None:
            known = ", ".join(sorted(spec.names)) if isinstance(spec.names, dict) else ""
            return Desired({"names": Unknown(f"names are given for {known}, and this host is {family or 'neither'}")})
        if spec.ensure == "latest":
            return Desired({name: _newest(view.facts, name) for name in names})
        want = spec.version or ("absent" if spec.ensure == "absent" else "installed")
        return Desired(dict.fromkeys(names, want))

    def delete_effect(self, view: View[PackageSpec], found: Found) -> Effect:
        """Which packages go, or come back. Whose were there before hacore, and what others hold, stays."""
        names = view.spec.of(view.facts.host.family) or view.spec.every
        listed = f"{'package' if len(names) == 1 else 'packages'} {', '.join(names)}"
        if view.removed(found) and view.spec.ensure != "absent":
            return Effect(f"remove {listed}")
        return Effect(f"restore {listed} as found before hacore")

    def invalidates(self, change: Change[PackageSpec]) -> Sequence[str]:
        """Whoever uses the packages."""
        return [f"pkg:{name}" for name in change.spec.every]

    # -- at apply
    def prepare(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Fetch everything, so that the time in which packages change is short, and refuse what cannot be done."""
        return _manager(work).prepare(work)

    def capture(self, work: Work[PackageSpec]) -> Step | None:
        """All that is installed: one image for all changes."""
        return _manager(work).capture(work)

    def apply(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Install and remove, in one call each."""
        return _manager(work).apply(work)

    def undo(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Take away what came, bring back what went."""
        return _manager(work).undo(work)

    def delete(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Take away what hacore brought; what was there before it stays."""
        return _manager(work).delete(work)


def _version(package: Package, wanted: str | None, packager: str) -> str:
    """The installed version; as it is written in the spec, where that names the same one in part."""
    if wanted is None or packager != "rpm":
        return package.version
    return next((wanted for version in package.versions if alike(wanted, version)), package.version)


def _newest(facts: Facts, name: str) -> Any:
    candidate = facts.get(CANDIDATE, name)
    return candidate or Unknown(f"the package lists of the host have no {name} yet")


def _manager(work: Work[PackageSpec]) -> Manager | Unsupported:
    """What an image was taken with; else the host's, if that is what the specs ask for."""
    images = {(image.data or {}).get("manager") for image in work.images.values()}
    wanted = {change.spec.manager for change in work.changes} - {"auto"}
    packager = work.facts.host.packager
    if "apt" in images or (packager == "dpkg" and wanted <= {"apt"}):
        return APT
    if "dnf" in images or (packager == "rpm" and wanted <= {"dnf", "yum"}):
        return DNF
    return Unsupported(" or ".join(sorted(wanted)) or "apt, dnf or yum")


PROVIDER = PackageProvider()
