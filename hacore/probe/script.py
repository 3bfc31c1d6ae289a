"""The scripts for hosts, and the frames in their output.

A script prints frames: a line `@NONCE NAME`, then its content up to the next such line. The nonce is drawn for
each exec, so other output of a host cannot be mistaken for a frame, and the output of a noisy shell profile is
before the first frame.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..contract import Ask, Fact, Facts, HostFacts, Step, quote
from ..errors import ProbeError
from ..transport import Limits
from .folders import FOLDERS, PLACES
from .host import BASE
from .lock import HELD
from .upload import FOLDER
from .watchdog import EXEC_SECONDS, FACT_SECONDS, WATCHDOG, limits_of, seconds_of

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
    groups = {BASE.name: (BASE, []), **{name: (group[0].fact, group) for name, group in by_fact(asks).items()}}
    parts: list[str] = []
    watched = FACT_SECONDS if not prefix else 0.0
    total = EXEC_SECONDS if not prefix else 0.0  # beside steps the script is as long as they are
    for name, (fact, group) in groups.items():
        seconds = seconds_of(fact, group)
        if seconds != watched:
            total = total and max(total, 2 * seconds)
            parts += ["__unwatch\n"] if watched else []
            parts.append(f"__watch {math.ceil(seconds)} {math.ceil(total)}\n")
            watched = seconds
        parts.append(_question(fact, group, f"{prefix}{name}"))
    return "".join([*parts, "__unwatch\n"])


def _question(fact: Fact[Any], asks: Sequence[Ask], frame: str) -> str:
    """The script of a fact, read as a whole by a shell of its own: an error in it affects no other fact."""
    try:
        text = f"{{ __f {quote(f'probe {frame}')}\n{fact.command(asks)}\n}}"
    except Exception as error:
        text = f"__f {quote(f'broken {frame}')}; printf %s {quote(_one_line(error))}"
    return f"__ask {quote(frame)} {quote(text)}\n"


def _one_line(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".replace("\0", "").split())[:500]


def probe_script(asks: Iterable[Ask], nonce: str) -> str:
    """The whole script of a plan's probe: it reads, and writes nothing."""
    watch = f"{WATCHDOG}__watch {FACT_SECONDS:g} {EXEC_SECONDS:g}\n"  # first of all: even the prelude may hang
    return f"{watch}{PRELUDE}__f() {{ printf '\\n@%s %s\\n' {nonce} \"$1\"; }}\n{probe_body(asks)}__f end\n"


def probe_limits(asks: Iterable[Ask]) -> Limits:
    """The controller's limits for a probe."""
    return limits_of(seconds_of(group[0].fact, group) for group in by_fact(asks).values())


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


def read_probe(found: Mapping[str, bytes], asks: Iterable[Ask], prefix: str = "", stderr: str = "") -> Facts:
    """Facts from the frames of a probe; a fact without a readable answer is in `failed`, with the reason.

    `stderr` is that of the script. Raises ProbeError when not even the base fact can be read.
    """
    answers: dict[tuple[str, str], Any] = {}
    failed: dict[str, str] = {}
    host = HostFacts()
    for name, fact in {BASE.name: BASE, **{n: g[0].fact for n, g in by_fact(asks).items()}}.items():
        values, why = _answer(found, fact, f"{prefix}{name}", stderr)
        if why:
            failed[name] = f"{name}: {why}"
        elif name == BASE.name:
            host = values[""]
        answers.update({(name, arg): value for arg, value in values.items()})
    if BASE.name in failed:
        raise ProbeError(f"cannot read the fact {failed[BASE.name]}")
    return Facts(host, answers, failed)


def _answer(found: Mapping[str, bytes], fact: Fact[Any], frame: str, stderr: str) -> tuple[Mapping[str, Any], str]:
    """The values of one fact, or the reason why there are none."""
    for name in found:
        if name.startswith(f"late {frame} "):
            rc, seconds = (int(word) for word in name.split()[-2:])
            signal = f"signal {rc - 128}"
            why = f"did not end within {seconds}s and was stopped" if rc in (137, 142) else f"ended by {signal}"
            return {}, why
    if (broken := found.get(f"broken {frame}")) is not None:
        return {}, f"its script cannot be created: {broken.decode('utf-8', 'replace')}"
    content = found.get(f"probe {frame}")
    if content is None:
        return {}, "no answer" + (f": {stderr}" if stderr else "")
    try:
        return fact.parse(content), ""
    except Exception as error:
        return {}, f"its output cannot be read: {_one_line(error)}" + (f"; {stderr}" if stderr else "")


FENCED = 75  # EX_TEMPFAIL: the host's lock has another token

_RUNNER = r"""
__work= __lost= __bad=0
trap '[ -z "$__work" ] || rm -rf "$__work"' EXIT
trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
__run_folder || exit 1
__heard() { (trap '' PIPE; __f "$1" >&3) 2>/dev/null || :; } # to the connection, if there is one
__step() { # frame, deadline in seconds, tries, pause in seconds: runs $__work/.script
  __held || { __f "fenced $__why"; exit 75; }
  __heard "out $1"; __f "out $1"
  if [ -n "$__lost" ]; then # run nothing: half a script, or one without its content, may do harm
    __f "err $1"; echo "cannot write the step to $HACORE_RUN: is it full?"
    __f "rc $1 1"
    [ -z "$__work" ] || rm -rf "$__work"
    __work=; return 1
  fi
  __n=1
  while :; do
    read -r __from __rest </proc/uptime
    __rc=0
    ( cd /; export HACORE_WORK="$__work"
    exec timeout -k 10 "$2" sh "$__work/.script" </dev/null 2>"$__work/.err" 3>&- ) || __rc=$?
    [ "$__rc" -eq 75 ] && [ "$__n" -lt "$3" ] || break
    __n=$((__n + 1)); sleep "$4"
  done
  read -r __to __rest </proc/uptime
  if [ "$__rc" -eq 124 ] && [ $((${__to%.*} - ${__from%.*})) -ge "${2%.*}" ]; then
    echo "it was stopped after $2 s" >>"$__work/.err"
  fi
  __f "err $1"
  tail -c 32768 "$__work/.err" 2>/dev/null || :
  __f "rc $1 $__rc"
  rm -rf "$__work"; __work=
  return "$__rc"
}
"""


def steps_script(
    batch: Sequence[tuple[str, Sequence[Step], Sequence[Ask]]], nonce: str, token: str, uploads: str = ""
) -> str:
    """A script for several tasks: (frame name, steps in order, asks to probe afterwards) each.

    `uploads` names the folder of content that was sent before (upload.py); steps refer to it in `sources`.

    A step that fails ends its task; the probe of the task runs all the same. Each step checks the
    host's lock first: with another token in it the whole script exits with 75. It exits with 1
    when a step failed. The beginnings of steps are printed to descriptor 3 too, where that is open.
    """
    parts = [
        PRELUDE,
        WATCHDOG,
        f"__f() {{ printf '\\n@%s %s\\n' {nonce} \"$1\"; }}\n__token={quote(token)}\n",
        f'__uploads="{FOLDER}"/{quote(uploads)}\n' if uploads else "",
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
    """Write a step's blobs and its script to a new private folder; what was uploaded is linked there.

    The script does not begin without it: most scripts take a missing blob for one that was not given. `__lost` is set
    when something of it could not be written.
    """
    lines = ['__lost=; __work=$(mktemp -d "$HACORE_RUN/step.XXXXXXXX") || __lost=1\n']
    whole = '[ -n "$__lost" ] ||'
    for name, blob in step.blobs.items():
        text = base64.encodebytes(blob).decode()
        lines.append(f"{whole} base64 -d >\"$__work\"/{quote(name)} <<'B{nonce}' || __lost=1\n{text}B{nonce}\n")
    needs = ""
    for name, source in step.sources.items():
        lines.append(f'{whole} ln -s -- "$__uploads"/{source.sha256} "$__work"/{quote(name)} || __lost=1\n')
        needs += f'[ -f "$HACORE_WORK"/{quote(name)} ] || {{ echo "its uploaded content is missing" >&2; exit 1; }}\n'
    script = f"set -eu\n{needs}{step.script}\n"
    lines.append(f"{whole} cat >\"$__work/.script\" <<'S{nonce}' || __lost=1\n{script}S{nonce}\n")
    return "".join(lines)
