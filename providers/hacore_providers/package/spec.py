"""The fields of packages, and the rules for their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from hacore.contract import Address, Mistake, Spec

__all__ = ["NO_HOLD", "PackageSpec", "Wish", "alike", "holds", "mistakes", "wishes"]

Ensure = Literal["present", "absent", "latest"]

# deb-control(5) and RPM together; the last character excludes apt's "name-" for "remove name", a colon names
# an architecture. No match can be an option, a pattern or a version.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*[A-Za-z0-9+](:[a-z0-9-]+)?\Z|[A-Za-z0-9]\Z")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~^_-]*\Z")


NO_HOLD = "is for apt: with dnf, set a version, and lock it by a command (dnf versionlock)"


class PackageSpec(Spec):
    """Packages of the host's own package manager. Without a version only their presence is managed."""

    names: tuple[str, ...] | dict[str, tuple[str, ...]] = Field(
        default=(),
        description="names, or names by OS family (debian, redhat); default: the resource's name. A name that leaves "
        "the list is restored to its original state",
    )
    name: str | None = Field(default=None, description="one name, together with a version")
    version: str | None = Field(
        default=None,
        description="the exact version, as the package manager shows it; for dnf also a part: `1.2`, `1.2-3`, `4:1.2`",
    )
    ensure: Ensure = Field(default="present", description="latest: upgraded whenever a newer version is available")
    hold: bool | None = Field(
        default=None,
        description="true: no upgrade of the host moves them (apt-mark hold); hacore still changes what the stack "
        "changes. apt only",
    )
    manager: Literal["auto", "apt", "dnf", "yum"] = Field(default="auto", description="auto: that of the host")

    def of(self, family: str) -> tuple[str, ...] | None:
        """The names for an OS family; None if the spec has none for it."""
        if self.name is not None:
            return (self.name,)
        return self.names.get(family) if isinstance(self.names, dict) else self.names

    @property
    def every(self) -> tuple[str, ...]:
        """The names for all families, in order, each once: claimed and asked for while the family is not known."""
        if self.name is not None:
            return (self.name,)
        groups = self.names.values() if isinstance(self.names, dict) else [self.names]
        return tuple(dict.fromkeys(name for group in groups for name in group))


@dataclass(frozen=True, slots=True)
class Wish:
    """The desired state of one name on one host: a version, `latest`, `installed` or `absent`."""

    name: str
    want: str

    @property
    def governed(self) -> bool:
        """Whether its version is managed, not only its presence."""
        return self.want not in ("installed", "absent")

    @property
    def pinned(self) -> bool:
        """Whether it has one version that is right."""
        return self.want not in ("installed", "latest", "absent")


def wishes(specs: Iterable[tuple[Address, PackageSpec]], family: str) -> Mapping[str, Wish]:
    """The desired states of all specs together, by name; a version wins over `latest`, and that over presence."""
    rank = {"absent": 0, "installed": 1, "latest": 2}
    found: dict[str, Wish] = {}
    for _, spec in specs:
        want = spec.version or {"present": "installed"}.get(spec.ensure, spec.ensure)
        for name in spec.of(family) or ():
            known = found.get(name)
            if known is None or rank.get(known.want, 3) < rank.get(want, 3):
                found[name] = Wish(name, want)
    return found


def holds(specs: Iterable[tuple[Address, PackageSpec]], family: str) -> dict[str, bool]:
    """Whether names are to be held, of those for which a spec decides it; a hold wins."""
    found: dict[str, bool] = {}
    for _, spec in specs:
        if spec.hold is not None:
            for name in spec.of(family) or ():
                found[name] = found.get(name, False) or spec.hold
    return found


def alike(wanted: str, version: str) -> bool:
    """Whether an RPM's version (`epoch:version-release`, without an epoch of 0) is the desired one.

    dnf accepts partial versions: an epoch or a release that is not given is not compared.
    """
    epoch, bare, release = _parts(wanted)
    other_epoch, other, other_release = _parts(version)
    if bare != other or (release and release != other_release):
        return False
    return not epoch or (epoch.lstrip("0") or "0") == (other_epoch.lstrip("0") or "0")


def _parts(text: str) -> tuple[str, str, str]:
    epoch, colon, rest = text.partition(":")
    bare, _, release = (rest if colon else text).partition("-")
    return (epoch if colon else "", bare, release)


def mistakes(spec: PackageSpec) -> Iterator[Mistake]:
    """The mistakes in the values of one spec."""
    if spec.name is not None and spec.names:
        yield Mistake("names", "name and names exclude each other: give only one")
    elif not spec.every:
        yield Mistake("names", "has no name: list at least one package")
    field = "names" if spec.name is None else "name"
    for name in spec.every:
        if not _NAME.match(name):
            yield Mistake(field, f"{name!r} is not a package name: write it without version or sign")
    if spec.hold and spec.ensure != "present":
        yield Mistake("hold", f"ensure: {spec.ensure} and a hold exclude each other: give only one")
    if spec.hold and spec.manager in ("dnf", "yum"):
        yield Mistake("hold", NO_HOLD)
    if spec.version is not None:
        if spec.name is None:
            yield Mistake("version", "a version is for one package: write name: instead of names:")
        if not _VERSION.match(spec.version):
            yield Mistake("version", f"{spec.version!r} is not a version: write it as the package manager shows it")
        if spec.ensure != "present":
            yield Mistake("ensure", f"ensure: {spec.ensure} and a version exclude each other: give only one")
