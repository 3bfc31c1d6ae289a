"""The package kind: packages of the host's own package manager.

All packages of a host and level are one task (aggregate `packages`): one call, one image, one undo.
manager.py has the steps; apt.py and dnf.py have the shell functions of each package manager.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
)
from hacore_providers.package import apt, dnf

from ..facts.added_packages import ADDED, added_arg
from ..facts.packages import CANDIDATE, PACKAGE, Package
from ..shell import failing_step
from .discover import DISCOVER
from .manager import Manager
from .spec import NO_HOLD, PackageSpec, alike, mistakes

__all__ = ["PROVIDER", "PackageProvider"]


APT = Manager("apt", "debian", apt.APT, apt.PREPARE)
DNF = Manager("dnf", "redhat", dnf.DNF, dnf.PREPARE)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A host without the requested package manager: every step fails before any change."""

    wanted: str

    def prepare(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """A step that fails with the reason."""
        packager = work.facts.host.packager or "none"
        text = f"cannot manage packages: {self.wanted} not found on this host (package manager: {packager})"
        return [failing_step(text, "checking the package manager")]

    def capture(self, work: Work[PackageSpec]) -> Step:
        """A step that fails with the reason."""
        return self.prepare(work)[0]

    def apply(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """A step that fails with the reason."""
        return self.prepare(work)

    def undo(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """No step: there was no change."""
        return []

    def delete(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """A step that fails with the reason."""
        return self.prepare(work)


_HOLD = "hold"  # no distribution has a package of this name


class PackageProvider(Provider[PackageSpec]):
    """Presence, version or absence of packages; PackageSpec has the fields."""

    api = 2
    kind: ClassVar[str] = "package"
    spec: ClassVar[type[Spec]] = PackageSpec
    discover = DISCOVER

    # -- at load
    def resolve(self, spec: PackageSpec, files: StackFiles) -> PackageSpec:
        """The resource's name, if the body has none."""
        if spec.name is not None or spec.names != ():
            return spec
        return spec.model_copy(update={"names": (files.name.partition("[")[0],)})

    def validate(
        self, members: Mapping[str, PackageSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Mistakes in the values, for each host."""
        return [(host, mistake) for host, spec in members.items() for mistake in mistakes(spec)]

    def claims(self, spec: PackageSpec) -> Sequence[Claim]:
        """The names, shared: two resources may both have gcc."""
        return [Claim(f"pkg:{name}", "share") for name in spec.every]

    def aggregate(self, spec: PackageSpec) -> str | None:
        """One task for all packages of a host and level."""
        return "packages"

    def exclusive(self, spec: PackageSpec) -> str | None:
        """A host has one package manager, and it has one lock."""
        return "packages"

    # -- at plan
    def facts(self, spec: PackageSpec) -> Sequence[Ask]:
        """The names of all families (the host's family is a fact itself), and the candidates for `latest`."""
        asks = [Ask(PACKAGE, name) for name in spec.every]
        if spec.ensure == "latest":
            asks += [Ask(CANDIDATE, name) for name in spec.every]
        debian = spec.of("debian")
        if spec.ensure != "absent" and debian:
            asks.append(Ask(ADDED, added_arg(spec.version, debian)))
        return asks

    def observe(self, view: View[PackageSpec]) -> Observed | None:
        """The state of each name; None if none is installed and the spec is not `absent`."""
        spec, info = view.spec, {}
        attrs: dict[str, Any] = {}
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
        if spec.hold is not None:
            attrs[_HOLD] = _is_held(view)
        return Observed(attrs, info)

    def desire(self, view: View[PackageSpec]) -> Desired:
        """A value for each name: `installed`, `absent`, or the version."""
        spec, family = view.spec, view.facts.host.family
        names = spec.of(family)
        if names is None:
            known = ", ".join(sorted(spec.names)) if isinstance(spec.names, dict) else ""
            return Desired({"names": Unknown(f"names has {known}, but this host is {family or 'neither'}")})
        if spec.ensure == "latest":
            want = {name: _newest(view.facts, name) for name in names}
        else:
            want = dict.fromkeys(names, spec.version or ("absent" if spec.ensure == "absent" else "installed"))
        return _with_hold(_with_effect(want, view), view)

    def delete_effect(self, view: View[PackageSpec], found: Found) -> Effect:
        """Remove or restore the packages. Those found before hacore, and those of other resources, are kept."""
        names = view.spec.of(view.facts.host.family) or view.spec.every
        listed = f"{'package' if len(names) == 1 else 'packages'} {', '.join(names)}"
        if view.removed(found) and view.spec.ensure != "absent":
            return Effect(f"remove {listed}", "restart")
        return Effect(f"restore the original state of {listed}", "restart")

    def examine(self, view: View[PackageSpec]) -> Iterable[Mistake]:
        """A hold is the administrator's word, unless the stack decides it: what it forbids is a mistake."""
        if view.spec.hold and view.facts.host.packager == "rpm":
            return (Mistake.where("hold", NO_HOLD),)
        return tuple(_held(view)) if view.spec.hold is None else ()

    def invalidates(self, change: Change[PackageSpec]) -> Sequence[str]:
        """The users of the packages."""
        return [f"pkg:{name}" for name in change.spec.every]

    # -- at apply
    def prepare(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Download all packages, so that the change itself is short; fail if the change is not possible."""
        return _manager(work).prepare(work)

    def capture(self, work: Work[PackageSpec]) -> Step | None:
        """All installed packages: one image for all changes."""
        return _manager(work).capture(work)

    def apply(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Install and remove, in one call each."""
        return _manager(work).apply(work)

    def undo(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Remove the added packages, restore the removed ones."""
        return _manager(work).undo(work)

    def delete(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Remove the packages that hacore installed; keep those found before."""
        return _manager(work).delete(work)


def _with_effect(want: Mapping[str, Any], view: View[PackageSpec]) -> Desired:
    """What is installed and changes takes its daemons with it: its scripts restart them, a removal stops them.

    Which package has the program is not asked: that of `nginx` is in a dependency on some hosts. So a host of a pair is
    drained for each package that it changes, and for none that it only adds.
    """
    spec, found = view.spec, view.facts
    installed = {name: package for name in want if (package := found.get(PACKAGE, name)) and package.version}
    changed = [
        name
        for name, package in installed.items()
        if want[name] not in ("installed", package.version, _version(package, spec.version, found.host.packager))
    ]
    words = _installed(want, view)
    if not changed:
        return Desired(want, effect=words)
    verb = "stop" if spec.ensure == "absent" else "restart"
    effect = f"may {verb} the daemons of {', '.join(changed)}"
    return Desired(want, effect=", ".join(filter(None, (words, effect))), disrupts="restart")


def _is_held(view: View[PackageSpec]) -> bool:
    """Whether all that are installed are held; for `hold: false` whether one is."""
    found = [view.facts.get(PACKAGE, name) for name in view.spec.of(view.facts.host.family) or ()]
    held = [package.held for package in found if package is not None and package.status != "absent"]
    return all(held) if view.spec.hold else any(held)


def _with_hold(desired: Desired, view: View[PackageSpec]) -> Desired:
    hold = view.spec.hold
    if hold is None:
        return desired
    found = [view.facts.get(PACKAGE, name) for name in view.spec.of(view.facts.host.family) or ()]
    new = any(package is not None and package.status == "absent" for package in found)
    changes = _is_held(view) != hold or (hold and new)
    words = [desired.effect] if desired.effect else []
    words += ["hold them" if hold else "release their hold"] if changes else []
    return replace(desired, attrs={**(desired.attrs or {}), _HOLD: hold}, effect=", ".join(words))


def _installed(want: Mapping[str, Any], view: View[PackageSpec]) -> str:
    """`install 6 packages (+ 4 dependencies: ...)`; empty if all are installed, or none should be."""
    missing = [name for name in want if (found := view.facts.get(PACKAGE, name)) and found.status == "absent"]
    if view.spec.ensure == "absent" or not missing:
        return ""
    along = view.facts.get(ADDED, added_arg(view.spec.version, view.spec.of("debian") or ())) or ()
    more = f" (+ {_count(len(along), 'dependency', 'dependencies')}: {', '.join(along)})" if along else ""
    return f"install {_count(len(missing), 'package', 'packages')}{more}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _held(view: View[PackageSpec]) -> Iterable[Mistake]:
    spec, host = view.spec, view.host.name if view.host is not None else "the host"
    for name in spec.of(view.facts.host.family) or ():
        package = view.facts.get(PACKAGE, name)
        if package is None or not package.held or package.status == "absent":
            continue
        release = f"release it there (apt-mark unhold {name}), or"
        if spec.ensure == "absent":
            yield Mistake.where(
                "ensure", f"is absent, but {name} is held on {host}: {release} remove it from the stack"
            )
        elif spec.ensure == "latest" and _newest(view.facts, name) not in ("", package.version):
            yield Mistake.where(
                "ensure", f"is latest, but {name} is held on {host} at {package.version}: {release} set its version"
            )
        elif spec.version is not None and spec.version != package.version:
            yield Mistake.where(
                "version",
                f"is {spec.version}, and {name} is held on {host} at {package.version}: it changes, and the hold stays",
                warning=True,
            )


def _version(package: Package, wanted: str | None, packager: str) -> str:
    """The installed version, in the form of the spec if that names the same one in part."""
    if wanted is None or packager != "rpm":
        return package.version
    return next((wanted for version in package.versions if alike(wanted, version)), package.version)


def _newest(facts: Facts, name: str) -> Any:
    candidate = facts.get(CANDIDATE, name)
    return candidate or Unknown(f"the package lists of the host do not have {name} yet")


def _manager(work: Work[PackageSpec]) -> Manager | Unsupported:
    """The package manager of the images; else that of the host, if the specs allow it."""
    images = {(image.data or {}).get("manager") for image in work.images.values()}
    wanted = {change.spec.manager for change in work.changes} - {"auto"}
    packager = work.facts.host.packager
    if "apt" in images or (packager == "dpkg" and wanted <= {"apt"}):
        return APT
    if "dnf" in images or (packager == "rpm" and wanted <= {"dnf", "yum"}):
        return DNF
    return Unsupported(" or ".join(sorted(wanted)) or "apt, dnf or yum")


PROVIDER = PackageProvider()
