"""The scripts that travel to a host and the frames that come back.

A script prints frames: a line `@NONCE NAME`, then whatever belongs to it up to the next such line.
The nonce is drawn for each exec, so nothing that a host prints can be taken for a frame, and what
a noisy shell profile prints first is before the first frame.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..contract import Ask, Fact, Facts, HostFacts, Step, quote
from ..errors import ProbeError
from .folders import FOLDERS, PLACES
from .host import BASE
from .jobs import HELD

PRELUDE = (
    r"""export LC_ALL=C LANGUAGE=C
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022; unset CDPATH ENV; cd /
if [ -d /run/systemd/system ]; then HACORE_INIT=systemd
elif [ -x /etc/init.d/rc ] || [ -d /etc/rc.d/init.d ] || [ -d /etc/init.d ]; then HACORE_INIT=sysv
else HACORE_INIT=none; fi
HACORE_PKG=none
if command -v rpm >/dev/null 2>&1; then HACORE_PKG=rpm; fi
if command -v dpkg-query >/dev/null 2>&1; then # either can be had on the other's systems: there the name decides
  case $HACORE_PKG$(. /etc/os-release 2>/dev/null; echo " ${ID-} ${ID_LIKE-} ") in
    rpm*" rhel "* | rpm*" fedora "* | rpm*" centos "*) ;;
    *) HACORE_PKG=dpkg ;;
  esac
fi
"""
    + PLACES
    + "export HACORE_INIT HACORE_PKG HACORE_HOME HACORE_RUN\n"
)


def by_fact(asks: Iterable[Ask]) -> dict[str, list[Ask]]:
    """Asks grouped by fact; one asked twice is merged: `secret` if any is, the first `wanted`."""
    merged: dict[tuple[str, str], Ask] = {}
    for ask in asks:
        known = merged.get(ask.id)
        if known is None:
            merged[ask.id] = ask
        elif (ask.secret and not known.secret) or (ask.wanted and not known.wanted):
            merged[ask.id] = Ask(ask.fact, ask.arg, known.wanted or ask.wanted, known.secret or ask.secret)
    groups: dict[str, list[Ask]] = {}
    for ask in merged.values():
        groups.setdefault(ask.fact.name, []).append(ask)
    return groups


def probe_body(asks: Iterable[Ask], prefix: str = "") -> str:
    """The frames of a probe: the base fact, then each fact asked. `prefix` keeps frame names apart."""
    parts = [_question(BASE, [], f"{prefix}{BASE.name}")]
    parts += [_question(group[0].fact, group, f"{prefix}{name}") for name, group in by_fact(asks).items()]
    return "".join(parts)


def _question(fact: Fact[Any], asks: Sequence[Ask], frame: str) -> str:
    return f"__f {quote('probe ' + frame)}\n(\n{fact.command(asks)}\n) </dev/null || :\n"


def probe_script(asks: Iterable[Ask], nonce: str) -> str:
    """The whole script of a plan's probe: it reads and writes nothing."""
    return f"{PRELUDE}__f() {{ printf '\\n@%s %s\\n' {nonce} \"$1\"; }}\n{probe_body(asks)}__f end\n"


def frames(stdout: bytes, nonce: str) -> list[tuple[str, bytes]]:
    """The frames in order: (name, content)."""
    mark = f"\n@{nonce} ".encode()
    # the very first frame may stand at the start of the output
    parts = (b"\n" + stdout).split(mark)[1:]
    found: list[tuple[str, bytes]] = []
    for part in parts:
        name, _, content = part.partition(b"\n")
        found.append((name.decode(), content))
    return found


def read_probe(found: Mapping[str, bytes], asks: Iterable[Ask], prefix: str = "") -> Facts:
    """Facts from the frames of a probe; raises ProbeError naming the fact that cannot be read."""
    answers: dict[tuple[str, str], Any] = {}
    host = HostFacts()
    groups = by_fact(asks)
    for name, fact in {BASE.name: BASE, **{n: g[0].fact for n, g in groups.items()}}.items():
        content = found.get(f"probe {prefix}{name}")
        if content is None:
            raise ProbeError(f"cannot read the probe: no answer about {name}")
        try:
            values = fact.parse(content)
        except Exception as error:
            raise ProbeError(f"cannot read the probe's answer about {name}: {error}") from error
        if name == BASE.name:
            host = values[""]
        answers.update({(name, arg): value for arg, value in values.items()})
    return Facts(host, answers)


FENCED = 75  # EX_TEMPFAIL: the host's lock carries another token

_RUNNER = r"""
__work= __bad=0
trap '[ -z "$__work" ] || rm -rf "$__work"' EXIT
trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
__run_folder || exit 1
__heard() { (trap '' PIPE; __f "$1" >&3) 2>/dev/null || :; } # to whoever is connected, if somebody is
__step() { # frame, deadline in seconds, tries, pause in seconds: runs $__work/.script
  __held || { __f "fenced $__why"; exit 75; }
  __heard "out $1"; __f "out $1"
  __n=1
  while :; do
    __rc=0
    ( cd /; export HACORE_WORK="$__work"
    exec timeout -k 10 "$2" sh "$__work/.script" </dev/null 2>"$__work/.err" 3>&- ) || __rc=$?
    [ "$__rc" -eq 75 ] && [ "$__n" -lt "$3" ] || break
    __n=$((__n + 1)); sleep "$4"
  done
  __f "err $1"
  tail -c 32768 "$__work/.err" 2>/dev/null || :
  __f "rc $1 $__rc"
  rm -rf "$__work"; __work=
  return "$__rc"
}
"""


def steps_script(batch: Sequence[tuple[str, Sequence[Step], Sequence[Ask]]], nonce: str, token: str) -> str:
    """A script for several tasks: (frame name, steps in order, asks to probe afterwards) each.

    A step that fails ends its task; the probe of the task runs all the same. Each step checks the
    host's lock first: with another token in it the whole script ends with exit code 75. It ends
    with 1 when a step failed. What begins is told on descriptor 3 too, where that is open.
    """
    parts = [
        PRELUDE,
        f"__f() {{ printf '\\n@%s %s\\n' {nonce} \"$1\"; }}\n__token={quote(token)}\n",
        HELD,
        FOLDERS,
        _RUNNER,
    ]
    for name, steps, asks in batch:
        parts.append("__ok=1\n")
        for index, step in enumerate(steps):
            parts.append('if [ "$__ok" = 1 ]; then\n')
            parts.append(_load(step, nonce))
            call = f"__step {quote(f'{name} {index}')} {step.deadline:g} {max(1, step.tries)} {step.pause:g}"
            parts.append(f"{call} || __ok=0 __bad=1\nfi\n")
        if asks:
            parts.append(probe_body(asks, f"{name} "))
        parts.append(f"__f {quote('end ' + name)}\n")
    parts.append('__f end\nexit "$__bad"\n')
    return "".join(parts)


def _load(step: Step, nonce: str) -> str:
    """Lay a step's blobs and its script into a fresh private folder."""
    lines = ['__work=$(mktemp -d "$HACORE_RUN/step.XXXXXXXX")\n']
    for name, blob in step.blobs.items():
        text = base64.encodebytes(blob).decode()
        lines.append(f"base64 -d >\"$__work\"/{quote(name)} <<'B{nonce}'\n{text}B{nonce}\n")
    lines.append(f"cat >\"$__work/.script\" <<'S{nonce}'\nset -eu\n{step.script}\nS{nonce}\n")
    return "".join(lines)
