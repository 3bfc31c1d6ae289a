"""A host that puts itself back: what was changed there goes back unless somebody confirms it in time.

Before a task touches a host, the way back from it is laid there: the undo with the before-image in it,
a script that needs nobody connected. A process of the host's own counts the seconds since it was last
heard of; a controller that is busy elsewhere prolongs them.

    $HACORE_RUN/confirm/   0700
        lock         flock(1): arming, confirming and putting back exclude each other
        watch        held by the process that waits
        lineage      of the state whose run it is
        what         for people
        until        the second of /proc/uptime at which the time is over; gone once it is decided
        NAME.undo    puts a task back; the newest first
        NAME.settle  lets a daemon take in what came back; after all of those
        NAME.serve   lets the host serve again that was out of service; last
        out          what they printed
        over         how it ended: `put back`, or `put back, but ...`

Seconds are counted by /proc/uptime, which no change of the clock moves. When the time is over the host
takes its own lock, so that a controller that is still connected is fenced like any other late comer.
A restart of the host empties /run: what was changed stays, and the run stays unfinished in the state.
"""

from __future__ import annotations

from ..contract import Step, quote
from .jobs import WAIT
from .lock import LOCKING
from .script import PRELUDE, steps_script

DIR = "$HACORE_RUN/confirm"
ARMED, PUT_BACK = 0, 4
"""What `look_script` ends with; anything else: nothing is armed there."""

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
__alone __lock || __lock
while __busy >/dev/null; do sleep 1; done # what had begun ends first
end='put back'
for one in $(ls -r "$dir" | grep '\.undo$') $(ls "$dir" | grep '\.settle$') $(ls "$dir" | grep '\.serve$'); do
  echo "== $one"; sh "$dir/$one" </dev/null 7>&- 9>&- || end="put back, but for $one"
done >>"$dir/out" 2>&1
echo "$end" >"$dir/over"
rm -f "$dir"/*.undo "$dir"/*.settle "$dir"/*.serve "$dir/until"
__alone __free "$token" || __free "$token"
"""

_ARM = rf"""
dir={DIR}
mkdir -p -m 0700 "$dir"
exec 9>"$dir/lock"; flock 9
[ ! -e "$dir/over" ] || {{ echo "cannot go on: the time was over, and this host has put itself back" >&2; exit 1; }}
cp "$HACORE_WORK/lineage" "$dir/lineage"; cp "$HACORE_WORK/what" "$dir/what"
cp "$HACORE_WORK/back" "$dir/.new"; mv "$dir/.new" "$dir/$NAME"
{_NOW}
__now; echo $((__up + SECONDS_GIVEN)) >"$dir/.until"; mv "$dir/.until" "$dir/until"
flock -n "$dir/watch" true || exit 0 # somebody waits already
watch=$(cat "$HACORE_WORK/watch") # here, not in the background: this folder is gone with the step
setsid sh -c "$watch" sh "$dir" </dev/null >/dev/null 2>&1 3>&- 8>&- 9>&- &
n=0
while flock -n "$dir/watch" true; do
  [ "$n" -lt 100 ] || {{ echo "cannot wait for a confirmation: no process was left to do so" >&2; exit 1; }}
  n=$((n + 1)); sleep 0.1
done
"""


def arm(steps: tuple[Step, ...], name: str, *, lineage: str, what: str, within: int) -> Step:
    """A step that lays a way back and gives the host `within` seconds from now; `name` ends in what it is."""
    back = steps_script([("0", steps, ())], "back", "")
    script = f"NAME={quote(name)} SECONDS_GIVEN={within:d}\n{_ARM}"
    blobs = {"back": back.encode("utf-8", "surrogateescape"), "watch": _WATCH.encode()}
    return Step(script, {**blobs, "lineage": f"{lineage}\n".encode(), "what": f"{what}\n".encode()}, deadline=60)


def prolong_script(within: int) -> str:
    """The host hears of us: its time begins anew, `within` seconds from now."""
    return f"""{PRELUDE}{_NOW}
dir={DIR}
[ -d "$dir" ] || exit 3
exec 9>"$dir/lock"; flock 9
[ -e "$dir/until" ] || exit 3
__now; echo $((__up + {within:d})) >"$dir/.until" && mv "$dir/.until" "$dir/until"
"""


def look_script() -> str:
    """Whether the host still waits: ARMED, PUT_BACK (and says how), or 3."""
    return f"""{PRELUDE}
dir={DIR}
[ ! -e "$dir/over" ] || {{ cat "$dir/over"; exit {PUT_BACK}; }}
[ -e "$dir/until" ] || exit 3
"""


def confirm_script() -> str:
    """What was changed stays. Ends as `look_script`: too late is PUT_BACK."""
    return f"""{PRELUDE}
dir={DIR}
[ -d "$dir" ] || exit 3
exec 9>"$dir/lock"; flock 9
[ ! -e "$dir/over" ] || {{ cat "$dir/over"; exit {PUT_BACK}; }}
rm -rf "$dir"
"""


def disarm(lineage: str) -> str:
    """Shell text for whoever has just locked the host for a state: nothing goes back by itself any more.

    Sets `$__waits` when the host waits for the run of another state to be confirmed.
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
