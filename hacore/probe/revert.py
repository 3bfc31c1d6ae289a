"""Automatic revert: a host undoes the changes of a run unless they are confirmed in time.

Before a task changes a host, its undo is written there: a script with the before-image in it, which needs no
connection. A process on the host counts down to the deadline; a controller that is busy elsewhere
prolongs it.

    $HACORE_RUN/confirm/   0700
        lock         flock(1): arming, confirming and reverting exclude each other
        watch        locked by the process that waits
        lineage      of the run's state
        what         a description of the run for people
        until        the deadline, in seconds of /proc/uptime; deleted once it is decided
        NAME.undo    undoes a task; the newest first
        NAME.settle  reloads or restarts a daemon after that
        NAME.serve   undrains a host that was drained; last
        out          their output
        over         the result: `put back`, or `put back, but ...`

The deadline is in seconds of /proc/uptime, which a change of the clock does not affect. At the deadline the host
locks itself, so that a controller that is still connected is fenced. A restart of the host empties /run: the
changes stay, and the run stays interrupted in the state.
"""

from __future__ import annotations

from ..contract import Step, quote
from .jobs import WAIT
from .lock import LOCKING
from .script import PRELUDE, steps_script

DIR = "$HACORE_RUN/confirm"
ARMED, PUT_BACK = 0, 4
"""Exit codes of `look_script`; any other code: nothing is armed there."""

_NOW = r"""
__now() { read -r __up __idle </proc/uptime; __up=${__up%%.*}; }
"""

_WATCH = rf"""
set -u; dir=$1
{_NOW}
{WAIT}
{LOCKING}
exec 7>"$dir/watch"; flock -w 5 7 || exit 0
while :; do
  read -r until <"$dir/until" || exit 0 # confirmed
  __now; left=$((until - __up))
  if [ "$left" -gt 0 ]; then [ "$left" -le 2 ] || left=2; sleep "$left"; continue; fi
  exec 9>"$dir/lock"; flock 9
  read -r until <"$dir/until" || exit 0
  __now; [ "$until" -gt "$__up" ] || break
  flock -u 9 # it was prolonged while we waited
done
token="$$-$__up-puts-itself-back"
about='{{"who": "the host itself", "what": "automatic revert", "stack": "-", "pid": "-"}}'
__lock() {{
  printf '%s\n%s\n' "$token" "$about" >"$HACORE_RUN/lock.new" && mv "$HACORE_RUN/lock.new" "$HACORE_RUN/lock"
}}
__exclusive __lock || __lock
while __busy >/dev/null; do sleep 1; done # jobs that have begun end first
end='put back'
for one in $(ls -r "$dir" | grep '\.undo$') $(ls "$dir" | grep '\.settle$') $(ls "$dir" | grep '\.serve$'); do
  echo "== $one"; sh "$dir/$one" </dev/null 7>&- 9>&- || end="put back, but for $one"
done >>"$dir/out" 2>&1
echo "$end" >"$dir/over"
rm -f "$dir"/*.undo "$dir"/*.settle "$dir"/*.serve "$dir/until"
__exclusive __free "$token" || __free "$token"
"""

_ARM = rf"""
dir={DIR}
mkdir -p -m 0700 "$dir"
exec 9>"$dir/lock"; flock 9
if [ -e "$dir/over" ]; then
  echo "cannot continue: the changes were not confirmed in time, this host has reverted them" >&2; exit 1
fi
cp "$HACORE_WORK/lineage" "$dir/lineage"; cp "$HACORE_WORK/what" "$dir/what"
cp "$HACORE_WORK/back" "$dir/.new"; mv "$dir/.new" "$dir/$NAME"
{_NOW}
__now; echo $((__up + SECONDS_GIVEN)) >"$dir/.until"; mv "$dir/.until" "$dir/until"
flock -n "$dir/watch" true || exit 0 # a process waits already
watch=$(cat "$HACORE_WORK/watch") # here, not in the background: this folder is deleted with the step
setsid sh -c "$watch" sh "$dir" </dev/null >/dev/null 2>&1 3>&- 8>&- 9>&- &
n=0
while flock -n "$dir/watch" true; do
  [ "$n" -lt 100 ] || {{ echo "cannot wait for a confirmation: the process for it did not start" >&2; exit 1; }}
  n=$((n + 1)); sleep 0.1
done
"""


def arm(steps: tuple[Step, ...], name: str, *, lineage: str, what: str, within: int) -> Step:
    """A step that writes a script of the revert and sets the deadline `within` seconds from now.

    `name` ends in `.undo`, `.settle` or `.serve`.
    """
    if any(step.sources for step in steps):
        raise ValueError("cannot write an undo with sources to a host: it must not need the controller")
    back = steps_script([("0", steps, ())], "back", "")
    script = f"NAME={quote(name)} SECONDS_GIVEN={within:d}\n{_ARM}"
    blobs = {"back": back.encode("utf-8", "surrogateescape"), "watch": _WATCH.encode()}
    return Step(script, {**blobs, "lineage": f"{lineage}\n".encode(), "what": f"{what}\n".encode()}, deadline=60)


def prolong_script(within: int) -> str:
    """Sets the host's deadline to `within` seconds from now."""
    return f"""{PRELUDE}{_NOW}
dir={DIR}
[ -d "$dir" ] || exit 3
exec 9>"$dir/lock"; flock 9
[ -e "$dir/until" ] || exit 3
__now; echo $((__up + {within:d})) >"$dir/.until" && mv "$dir/.until" "$dir/until"
"""


def look_script() -> str:
    """Whether the host still waits: exits with ARMED, with PUT_BACK and the result, or with 3."""
    return f"""{PRELUDE}
dir={DIR}
[ ! -e "$dir/over" ] || {{ cat "$dir/over"; exit {PUT_BACK}; }}
[ -e "$dir/until" ] || exit 3
"""


def confirm_script() -> str:
    """Confirms the changes. Exit codes of `look_script`: after the deadline PUT_BACK."""
    return f"""{PRELUDE}
dir={DIR}
[ -d "$dir" ] || exit 3
exec 9>"$dir/lock"; flock 9
[ ! -e "$dir/over" ] || {{ cat "$dir/over"; exit {PUT_BACK}; }}
rm -rf "$dir"
"""


def disarm(lineage: str) -> str:
    """Shell text for a run that has just locked the host for a state: cancels that state's automatic revert.

    Sets `$__waits` when the host waits for the confirmation of another state's run.
    """
    return f"""
__waits=
if [ -e "{DIR}/lineage" ]; then
  if [ "$(cat "{DIR}/lineage")" = {quote(lineage)} ] || [ -e "{DIR}/over" ]; then
    (exec 9>"{DIR}/lock"; flock 9; rm -rf "{DIR}")
  else __waits=$(cat "{DIR}/what"); fi
fi
"""


__all__ = ["ARMED", "PUT_BACK", "arm", "confirm_script", "disarm", "look_script", "prolong_script"]
