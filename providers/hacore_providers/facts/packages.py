"""The installed packages, and the versions that would be installed. One query for all names.

The snippet chooses by `$HACORE_PKG`, which is dpkg or rpm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hacore.contract import Ask, quote

__all__ = ["CANDIDATE", "PACKAGE", "CandidateFact", "Package", "PackageFact"]


@dataclass(frozen=True, slots=True)
class Package:
    """A package on a host. `broken`: unpacked or half configured, because its maintainer scripts failed."""

    status: Literal["installed", "absent", "broken"]
    version: str = ""
    held: bool = False
    others: tuple[str, ...] = ()  # further installed versions: kernels

    @property
    def versions(self) -> tuple[str, ...]:
        """All installed versions."""
        return (self.version, *self.others)


ABSENT = Package("absent")

# This file lists dpkg's architectures, the native one first; without it there is only one.
_QUERY = r"""
query() {
  case ${HACORE_PKG:-none} in
    dpkg)
      native=
      [ ! -s /var/lib/dpkg/arch ] || read -r native </var/lib/dpkg/arch
      echo "manager dpkg $native"
      dpkg-query -W -f 'dpkg ${Package} ${Architecture} ${db:Status-Abbrev} ${Version}\n' -- "$@" 2>/dev/null ;;
    rpm)
      echo 'manager rpm'
      rpm -q --qf 'rpm %{NAME} %{ARCH} ii  %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n' -- "$@" | grep '^rpm ' ;;
  esac
}
"""


@dataclass(frozen=True, slots=True)
class PackageFact:
    """Fact: argument a package's name (`libc6`, `libc6:i386`), value a Package. Virtual names are never installed."""

    name: str = "package"

    def command(self, asks: Sequence[Ask]) -> str:
        """One dpkg-query or rpm for all names."""
        names = " ".join(quote(ask.arg) for ask in asks)
        return f"{_QUERY}printf 'asked %s\\n' {names}\nquery {names}"

    def parse(self, stdout: bytes) -> Mapping[str, Package]:
        """Packages by the name of the question; empty if the host has no known package manager."""
        found: dict[str, Package] = {}
        asked: list[str] = []
        manager = native = ""
        for line in stdout.decode("utf-8", "replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "asked":
                asked.append(rest)
            elif word == "manager":
                manager, _, native = rest.partition(" ")
            elif word in ("dpkg", "rpm"):
                name, arch, state = rest.split(" ", 2)
                package = _package(state)
                keys = [f"{name}.{arch}" if word == "rpm" else f"{name}:{arch}"]
                if word == "rpm" or not native or arch in (native, "all"):
                    keys.append(name)
                for key in keys:
                    known = found.get(key, ABSENT)
                    if word == "rpm" and known.version not in ("", package.version):
                        found[key] = replace(package, others=known.versions)
                    elif package.status != "absent" or key not in found:
                        found[key] = package
        return {name: found.get(name, ABSENT) for name in asked} if manager else {}


def _package(state: str) -> Package:
    """From `ii  1.2-3`: desired, status, error flag (dpkg-query(1), db:Status-Abbrev), then the version."""
    desired, status, flag, version = state[0], state[1], state[2], state[3:].strip().removeprefix("0:")
    if status in "nc":  # not installed, or only its configuration files
        return ABSENT
    if status in "itW" and flag != "R":  # triggers may be pending or awaited
        return Package("installed", version, desired == "h")
    return Package("broken", version, desired == "h")


# Without cache files apt builds its cache in memory: a plan writes nothing, not even in /var/cache.
_CANDIDATES = r"""
candidates() {
  case ${HACORE_PKG:-none} in
    dpkg) apt-cache -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= policy -- "$@" 2>/dev/null ;;
    rpm)
      dnf=dnf; command -v dnf >/dev/null 2>&1 || dnf=yum
      fresh= old=
      for name do if rpm -q -- "$name" >/dev/null 2>&1; then old="$old $name"; else fresh="$fresh $name"; fi; done
      [ -z "$old" ] ||
        rpm -q --qf 'rpm %{NAME} %{ARCH} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n' -- $old | sort -V
      ask() { "$dnf" -q -C repoquery --latest-limit=1 --qf 'rpm %{name} %{arch} %{evr}\n' "$@" 2>/dev/null; }
      [ -z "$fresh" ] || ask $fresh
      [ -z "$old" ] || ask --upgrades $old ;;
  esac
}
"""


@dataclass(frozen=True, slots=True)
class CandidateFact:
    """Fact: argument a package's name, value the version that would be installed now; empty if there is none."""

    name: str = "package candidate"

    def command(self, asks: Sequence[Ask]) -> str:
        """One apt-cache for all names; with dnf one for the installed names, and one for the others."""
        return f"{_CANDIDATES}candidates {' '.join(quote(ask.arg) for ask in asks)}"

    def parse(self, stdout: bytes) -> Mapping[str, str]:
        """Versions by name: paragraphs of `apt-cache policy`, or lines `rpm NAME ARCH VERSION`; the last one counts."""
        found: dict[str, str] = {}
        name = ""
        for line in stdout.decode("utf-8", "replace").splitlines():
            if line.startswith("rpm "):
                _, package, arch, version = line.split(" ", 3)
                found[package] = found[f"{package}.{arch}"] = version.removeprefix("0:")
            elif line.endswith(":") and not line.startswith(" "):
                name = line[:-1]
            elif name and line.startswith("  Candidate: "):
                version = line.removeprefix("  Candidate: ")
                found[name] = "" if version == "(none)" else version
        return found


PACKAGE = PackageFact()
CANDIDATE = CandidateFact()
