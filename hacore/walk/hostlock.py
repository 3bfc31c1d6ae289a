"""The lock of a host: a file in /run/hacore. Its first line is the token that every step checks.

It is made by a hard link, so it appears whole or not at all; only its owner takes it away. A run
that lost it (a laptop that slept, a lock that was broken) is stopped by the host itself: its steps
find another token and exit 75.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..contract import quote
from ..errors import LockedError, TransportError
from ..probe import HostLink
from ..probe.folders import FOLDERS
from ..probe.jobs import WAIT
from ..probe.lock import LOCKING, NOT_ALONE
from ..probe.revert import disarm
from ..probe.script import PRELUDE
from ..probe.upload import SWEEP


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a host: a token, and a description for people and for the check whether it still lives."""

    token: str
    info: dict[str, Any]


def _acquire(holder: Holder) -> str:
    text = f"{holder.token}\n{json.dumps(holder.info, sort_keys=True)}"
    return f"""{PRELUDE}
{WAIT}
{SWEEP}
{LOCKING}
{FOLDERS}
command -v flock >/dev/null || {{ echo "flock (util-linux) is not installed" >&2; exit 1; }}
__folder "$HACORE_HOME" 0755 && __run_folder || exit 1
__strange_folder >&2
new=$(mktemp "$HACORE_RUN/lock.XXXXXXXX") || exit 1
printf '%s\\n' {quote(text)} >"$new"
[ $? -eq 0 ] || {{ rm -f "$new"; echo "cannot write to $HACORE_RUN: is it full?" >&2; exit 1; }}
ln "$new" "$HACORE_RUN/lock" 2>/dev/null; rc=$?
rm -f "$new"
if [ $rc -ne 0 ]; then
  read -r now <"$HACORE_RUN/lock"
  [ "$now" = {quote(holder.token)} ] || {{ cat "$HACORE_RUN/lock" || exit 1; exit 3; }}
fi
{disarm(str(holder.info.get("lineage", "")))}
[ -z "$__waits" ] || {{ __exclusive __free {quote(holder.token)}; printf '%s\\n' "$__waits"; exit 5; }}
n=0; while [ $n -lt 5 ] && __busy >/dev/null; do n=$((n + 1)); sleep 0.2; done
if __busy; then exit 4; fi
__tidy {quote(holder.token)}
__sweep
cat /proc/sys/kernel/random/boot_id
"""


async def acquire(
    link: HostLink, holder: Holder, *, alive: Any = None, say: Callable[[str], None] | None = None
) -> str:
    """Take the lock, and wait for what an earlier holder left running; the host's boot id.

    Each step has its deadline, so the wait ends; it is reported once for each job. `alive(info)` False: the
    holder is dead: replace it. Raises LockedError naming the holder.
    """
    tries, waits = 2, ""
    while tries:
        output = await link.shell(_acquire(holder))
        if output.rc == 0:
            for line in output.stderr.decode("utf-8", "replace").splitlines():
                if say is not None and line.startswith("warning: "):
                    say(f"{link.host.name}@{link.host.address}: {line.removeprefix('warning: ')}")
            return output.text.strip()
        at = f"{link.host.name}@{link.host.address}"
        if output.rc == 5:
            raise LockedError(
                f"cannot lock {at}: it waits for the confirmation of {output.text.strip()}, or reverts automatically"
            )
        if output.rc == 4:
            if say is not None and output.text != waits:
                waits = output.text
                say(f"waiting for a job of an earlier run on {at}: {waits.strip()}")
            continue
        tries -= 1
        if output.rc != 3:
            detail = output.stderr.decode("utf-8", "replace").strip()
            raise TransportError(f"cannot lock {at}: {detail or f'exit code {output.rc}'}")
        token, _, rest = output.text.partition("\n")
        info = _info(rest)
        if alive is None or alive(info):
            raise LockedError(f"cannot lock {at}: it is held by {describe(info)}")
        await link.shell(_release(token))
    raise LockedError(f"cannot lock {link.host.name}: other runs keep taking the lock")


def _release(token: str, parting: str = "") -> str:
    """Free the lock if it is still held under `token`; `parting` runs just before, `$parted` is its exit code."""
    return f"""{PRELUDE}{LOCKING}
__part() {{
now=; [ -r "$HACORE_RUN/lock" ] && read -r now <"$HACORE_RUN/lock"
[ "$now" = {quote(token)} ] || return 0
(
:
{parting})
parted=$?
rm -f "$HACORE_RUN/lock"
return "$parted"
}}
__exclusive __part
parted=$?
"""


async def release(link: HostLink, token: str, parting: str = "") -> None:
    """Give the lock back if it is still ours, and forget what was run under it.

    `parting` is shell text to be run just before. Raises TransportError when that failed; the lock is
    given back all the same.
    """
    tidy = f'[ ! -d "$HACORE_RUN/jobs" ] || __tidy {quote(token)}\n__sweep {quote(token)}\n'
    forget = f"{WAIT}{SWEEP}\n{tidy}exit $parted\n"
    output = await link.shell(_release(token, parting) + forget)
    if output.rc != 0:
        detail = output.stderr.decode("utf-8", "replace").strip()
        what = "unlock" if output.rc == NOT_ALONE else "mark"
        at = f"{link.host.name}@{link.host.address}"
        raise TransportError(f"cannot {what} {at}: {detail or f'exit code {output.rc}'}")


def _info(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def describe(info: dict[str, Any]) -> str:
    """A holder in words."""
    who = info.get("who", "another run")
    return f"{who} ({info.get('what', 'run')}, pid {info.get('pid', '?')}, stack {info.get('stack', '?')})"
