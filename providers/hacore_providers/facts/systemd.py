"""Facts about services: their state, and the unit files that hacore writes.

All units of a host are one `systemctl show`, all definitions one `sha256sum`. A host with init scripts answers in
the same form (see sysv.py).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask, quote

from . import sysv

LIMIT = 256 * 1024
"""Bytes of the largest unit file that the probe returns as text."""

PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "MainPID",
    "FragmentPath",
    "ExecMainStartTimestampMonotonic",
    "TriggeredBy",
)


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as systemd knows it, in the words of org.freedesktop.systemd1(5).

    `sysv`: for a unit generated from an init script, whether a runlevel starts it. `pid` and
    `started` (microseconds of the monotonic clock) are those of the main process. `ports`: of the sockets that start it
    and listen in the network, each with what it listens on: `ssh.socket` and `[::]:22`.
    """

    id: str
    names: tuple[str, ...] = ()
    load: str = "loaded"
    active: str = "inactive"
    sub: str = "dead"
    file_state: str = ""
    need_reload: bool = False
    pid: int = 0
    fragment: str = ""
    started: int = 0
    sysv: bool = False
    ports: tuple[tuple[str, str], ...] = ()

    @property
    def found(self) -> bool:
        """Whether the unit exists: its file, or at least its processes."""
        return self.load != "not-found" or self.active not in ("inactive", "failed")


class UnitFact:
    """The state of a unit; the argument is its full name, suffix included. An alias has the state of its unit."""

    name = "systemd.unit"

    def command(self, asks: Sequence[Ask]) -> str:
        """One `systemctl show`; one more for units that a socket starts.

        Only for generated units the links of the runlevels are checked as well.
        """
        units = " ".join(quote(ask.arg) for ask in asks)
        return f"""case $HACORE_INIT in
systemd) ;;
sysv)
{sysv.units(ask.arg for ask in asks)}
exit 0 ;;
*) exit 0 ;;
esac
shown=$(systemctl show -p {",".join(PROPERTIES)} -- {units} 2>/dev/null)
printf '%s\\n' "$shown"
sockets=$(printf '%s\\n' "$shown" | sed -n 's/^TriggeredBy=//p' | tr ' ' '\\n' | grep '\\.socket$' | sort -u)
[ -z "$sockets" ] || {{ echo; systemctl show -p Id,Listen -- $sockets 2>/dev/null | sed 's/^Id=/Socket=/'; echo; }}
case $shown in *UnitFileState=generated*)
  for unit in {units}; do
    for link in /etc/rc[2345].d/S[0-9][0-9]"${{unit%.service}}"; do
      [ ! -e "$link" ] || {{ printf '\\nSysV=%s\\n' "$unit"; break; }}
    done
  done
esac"""

    def parse(self, stdout: bytes) -> Mapping[str, UnitState]:
        """Blocks of `Key=value` lines, by every name of their unit."""
        found: dict[str, UnitState] = {}
        blocks = [dict(_pairs(block)) for block in stdout.decode("utf-8", "replace").split("\n\n")]
        runlevels = {block["SysV"] for block in blocks if "SysV" in block}
        ports = dict(_sockets(stdout.decode("utf-8", "replace").split("\n\n")))
        for block in blocks:
            if block.get("Id"):
                state = _state(block, runlevels, ports)
                found.update(dict.fromkeys((state.id, *state.names), state))
        return found


def _pairs(block: str) -> list[tuple[str, str]]:
    lines = (line.partition("=") for line in block.splitlines())
    return [(key, value) for key, equals, value in lines if equals]


def _sockets(blocks: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Sockets with what they listen on in the network: of `[::]:22 (Stream)`, not of `/run/x.sock (Stream)`."""
    for block in blocks:
        pairs = _pairs(block)
        ends = [value.partition(" ")[0] for key, value in pairs if key == "Listen"]
        found = [end for end in ends if not end.startswith(("/", "@", "vsock:")) and ":" in end]
        yield from ((value, ", ".join(found)) for key, value in pairs if key == "Socket")


def _state(block: Mapping[str, str], runlevels: set[str], ports: Mapping[str, str]) -> UnitState:
    names = tuple(block.get("Names", "").split())
    return UnitState(
        id=block["Id"],
        names=names,
        load=block.get("LoadState", ""),
        active=block.get("ActiveState", ""),
        sub=block.get("SubState", ""),
        file_state=block.get("UnitFileState", ""),
        need_reload=block.get("NeedDaemonReload") == "yes",
        pid=_number(block.get("MainPID", "")),
        fragment=block.get("FragmentPath", ""),
        started=_number(block.get("ExecMainStartTimestampMonotonic", "")),
        sysv=not runlevels.isdisjoint((block["Id"], *names)),
        ports=tuple((name, ports[name]) for name in block.get("TriggeredBy", "").split() if ports.get(name)),
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Definition:
    """A unit file: `digest` is "sha256:<hex>", or "link:<target>" (a mask is a link to /dev/null).

    `text` is set only if the hash differs from the desired one and the text may be shown.
    """

    digest: str
    text: str | None = None


class DefinitionFact:
    """The content of a unit file; the argument is its path, `wanted` the desired sha256 in hex."""

    name = "systemd.definition"

    def command(self, asks: Sequence[Ask]) -> str:
        """One `sha256sum` over all of them; a line `HASH<tab>CONTENT<tab>PATH` each, content in base64 or `-`."""
        look = "\n".join(
            f"if [ -L {path} ]; then printf 'link:%s\\t-\\t%s\\n' \"$(readlink -- {path})\" {path}\n"
            f'elif [ -f {path} ]; then set -- "$@" {path}; fi'
            for path in (quote(ask.arg) for ask in asks)
        )
        # sha256sum marks a name with a backslash by one more in front of the hash, and doubles those in it
        known = "\n".join(
            f"    {quote(ask.arg.replace(chr(92), chr(92) * 2))}) path={quote(ask.arg)} want={quote(_want(ask))};;"
            for ask in asks
        )
        return f"""set --
{look}
[ $# -gt 0 ] || exit 0
sha256sum -- "$@" 2>/dev/null | while read -r sum path; do
  sum=${{sum#\\\\}}
  case $path in
{known}
  esac
  content=-
  if [ "$want" != "$sum" ] && [ "$want" != secret ] && [ "$(wc -c <"$path")" -le {LIMIT} ]; then
    content=$(base64 <"$path" | tr -d '\\n')
  fi
  printf 'sha256:%s\\t%s\\t%s\\n' "$sum" "$content" "$path"
done"""

    def parse(self, stdout: bytes) -> Mapping[str, Definition]:
        """The existing files, by path."""
        found: dict[str, Definition] = {}
        for line in stdout.decode("utf-8", "replace").splitlines():
            digest, content, path = line.split("\t", 2)
            text = None if content == "-" else base64.b64decode(content).decode("utf-8", "replace")
            found[path] = Definition(digest, text)
        return found


def _want(ask: Ask) -> str:
    return "secret" if ask.secret else ask.wanted or "-"


UNIT = UnitFact()
DEFINITION = DefinitionFact()
