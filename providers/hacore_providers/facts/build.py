"""Facts about builds from source: the record of a build, its binary, and the compiler."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hacore.contract import Ask, quote

from .programs import ROOTS_OWN

HOME = "${HACORE_HOME:-/var/lib/hacore}"
"""hacore's folder on a host, as shell text within double quotes."""


def build_arg(name: str, binary: str) -> str:
    """The argument of a question about a build: its name (without a space), then the binary's path, if any."""
    return f"{name} {binary}"


@dataclass(frozen=True, slots=True)
class Built:
    """A build on a host. `record` was written when it was installed (empty: there is none).

    `binary` is the sha256 (hex) of the file at the binary's path now; empty: there is none.
    """

    record: Mapping[str, Any] = field(default_factory=dict)
    binary: str = ""


class BuildFact:
    """Records and binaries of builds; arguments are made by `build_arg`."""

    name = "build"

    def command(self, asks: Sequence[Ask]) -> str:
        """No process for the records, one `sha256sum` for all binaries."""
        lines = [
            'show() { printf "= %s\\n" "$1"; [ ! -r "$2" ] || ! IFS= read -r line <"$2" || printf "%s\\n" "$line"; }',
            "set --",
        ]
        for ask in asks:
            name, _, binary = ask.arg.partition(" ")
            lines.append(f'show {quote(ask.arg)} "{HOME}"/builds/{quote(name)}.json')
            if binary:
                lines.append(f'[ ! -f {quote(binary)} ] || set -- "$@" {quote(binary)}')
        lines += ['echo "= "', '[ $# -eq 0 ] || sha256sum -- "$@" 2>/dev/null']
        return "\n".join(lines)

    def parse(self, stdout: bytes) -> Mapping[str, Built]:
        """Each argument's record, and its binary's hash from the list at the end."""
        records: dict[str, dict[str, Any]] = {}
        sums: dict[str, str] = {}
        current: str | None = None
        for line in stdout.decode("utf-8", "replace").splitlines():
            if line.startswith("= "):
                current = line[2:]
                records[current] = {}
            elif current == "":
                digest, _, path = line.partition("  ")
                escaped = digest.startswith("\\")
                sums[path.replace("\\\\", "\\") if escaped else path] = digest.lstrip("\\")
            elif current is not None:
                records[current] = _record(line)
        records.pop("", None)
        return {arg: Built(record, sums.get(arg.partition(" ")[2], "")) for arg, record in records.items()}


def _record(line: str) -> dict[str, Any]:
    """A record; a damaged one counts as none."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


TOOLCHAIN_SCRIPT = r"""toolchain() { # compiler: its version and what it compiles for, in a line; fails if it is missing
  command -v "$1" >/dev/null 2>&1 || return 1
  printf '%s, %s\n' "$("$1" --version 2>/dev/null | head -c 4096 | sed 1q)" \
    "$("$1" -dumpmachine 2>/dev/null | head -c 4096)" | tr -d '"\\\t'
}
"""
"""A shell function that prints a compiler's version: used by a build for its record, and by the fact."""


class ToolchainFact:
    """The version of a compiler; the argument is its command, such as `cc`. No answer: it does not exist.

    A stack names it, and a plan asks for it: what somebody else than root could have put there is not run.
    """

    name = "toolchain"

    def command(self, asks: Sequence[Ask]) -> str:
        """Two short processes for each compiler."""
        lines = [
            f'roots_own "$(command -v {quote(a.arg)})" && tool=$(toolchain {quote(a.arg)}) && '
            f"printf '%s\\t%s\\n' {quote(a.arg)} \"$tool\""
            for a in asks
        ]
        return ROOTS_OWN + TOOLCHAIN_SCRIPT + "\n".join(lines)

    def parse(self, stdout: bytes) -> Mapping[str, str]:
        """Lines `COMMAND<tab>VERSION`."""
        lines = (line.partition("\t") for line in stdout.decode("utf-8", "replace").splitlines())
        return {command: version for command, tab, version in lines if tab}


BUILD = BuildFact()
TOOLCHAIN = ToolchainFact()
