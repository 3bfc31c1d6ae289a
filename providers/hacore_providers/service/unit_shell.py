"""Shell functions for a unit on a systemd host: its state, how long it may take, whether it stays up, its links."""

from __future__ import annotations

from collections.abc import Iterable

from hacore.contract import SAFE_PATH, quote
from hacore_providers.service.unit_file import path_of
from hacore_providers.shell import PUT_FILE

__all__ = ["LINKS", "LONGEST", "SHORTEST", "STEADY", "head"]

SHORTEST = 150
"""Seconds that a start, stop, reload or restart may take at least, whatever the unit's own limit is."""

LONGEST = 3600
"""Seconds that it may take at most: a unit may have no limit of its own (`infinity`)."""

# systemd ends what exceeds TimeoutStartSec= or TimeoutStopSec=, systemd.service(5): ending it earlier would take a
# unit that is slow for one that fails. The wait is somewhat longer, so that systemd's result is the one reported.
_WAIT = r"""
seconds() { # a time span as systemctl prints it, "1min 30s", in seconds; nothing for infinity or days
  total=0
  for word in $1; do
    number=${word%%[!0-9]*}
    case $word in
      [0-9]*us | [0-9]*ms) number=1 ;;
      [0-9]*min) number=$((number * 60)) ;;
      [0-9]*.*s) number=$((number + 1)) ;;
      [0-9]*s) ;;
      [0-9]*h) number=$((number * 3600)) ;;
      *) return 0 ;;
    esac
    total=$((total + number))
  done
  echo "$total"
}
await() { # start, stop, reload or try-restart, sentence, its command: for as long as the unit allows, and some seconds
  starts=$(show TimeoutStartUSec); stops=$(show TimeoutStopUSec)
  to_start=$(seconds "${starts:=1min 30s}"); to_stop=$(seconds "${stops:=1min 30s}")
  : "${to_start:=$longest}" "${to_stop:=$longest}"
  case $1 in
    stop) own=$stops within=$((2 * to_stop)) ;; # once after SIGTERM, once after SIGKILL
    try-restart) own="$stops to stop and $starts to start" within=$((2 * to_stop + to_start)) ;;
    *) own=$starts within=$to_start ;;
  esac
  within=$((within + 30))
  [ "$within" -ge "$shortest" ] || within=$shortest
  if [ "$within" -gt "$longest" ]; then within=$longest own="$own, hacore waits $longest s at most"; fi
  why=$2 rc=0; shift 2; timeout "$within" "$@" || rc=$?
  [ "$rc" -ne 124 ] || fail "$why: it has been $(show ActiveState) for $within s, its own limit is $own"
  [ "$rc" -eq 0 ] || fail "$why"
}
"""

COMMON = (
    SAFE_PATH
    + PUT_FILE
    + r"""
[ -d /run/systemd/system ] || { echo "cannot manage $unit: this host does not run systemd" >&2; exit 1; }
show() { systemctl show -p "$1" -- "$unit" 2>/dev/null | cut -d= -f2-; }
ran() { case $(show ActiveState) in active|reloading|refreshing) return 0;; esac; return 1; }
new=${definition%/*}/.hacore.$unit.new
begin=$(date +%s) # later lines of the journal belong to this step
runs() { case $(show ActiveState) in inactive|failed) return 1;; esac; return 0; }
fail() {
  journalctl --no-pager -q -n 20 -o cat --since "@$begin" -u "$unit" >&2 2>/dev/null || :
  systemctl status --no-pager -n 0 -- "$unit" >&2 2>/dev/null || :
  echo "$1: the unit is $(show ActiveState) ($(show SubState)), result $(show Result)" >&2
  exit 1
}
"""
    + f"shortest={SHORTEST} longest={LONGEST}"
    + _WAIT
)
"""Shell functions for $unit. `fail` ends with the sentence for the user."""

# A unit that is restarted again and again is active at most moments: only its count of restarts shows it.
STEADY = r"""
restarts() { # sentence: fails with it if systemd has started the unit anew since $count was read, or is about to
  [ "$(show NRestarts)" = "$count" ] && [ "$(show SubState)" != auto-restart ] ||
    fail "$1, it ends and systemd restarts it"
}
steady() { # sentence: the unit stays up for a second, or the step fails
  count=$(show NRestarts); n=0
  while [ "$n" -lt 5 ]; do
    sleep 0.2; n=$((n + 1))
    case $(show ActiveState) in
      active|refreshing) ;;
      reloading) [ "${slow:=0}" -ge 150 ] || { slow=$((slow + 1)); n=$((n - 1)); } ;;
      *) sleep 0.2; restarts "$1"; fail "$1" ;; # one moment later systemd has begun to restart it, or will not
    esac
    restarts "$1"
  done
}
"""

# Every link that enables or aliases the unit or a unit of its Also=; for an init script the links of the runlevels.
LINKS = r"""
plain() { printf '%s\n' "$1" | sed 's/\\/\\\\/g'; } # a name as a pattern that matches only itself
links() {
  set --
  for one in $names; do
    glob=$(plain "$one")
    set -- "$@" -o -name "$glob" -o -lname "*/$glob" -o -lname "*/init.d/${glob%.service}"
  done
  set -- -type l ! -path "$(plain "$definition")" \( -false "$@" \)
  find /etc/systemd/system /etc/rc[0-6S].d "$@" -printf '%p\t%l\n' 2>/dev/null | LC_ALL=C sort || :
}
"""


def head(unit: str, names: Iterable[str] = ()) -> str:
    """The variables that every script uses: $unit, $definition (its path) and $names (all its names)."""
    every = " ".join(dict.fromkeys((unit, *names)))
    return f"unit={quote(unit)}\ndefinition={quote(path_of(unit))}\nnames={quote(every)}\n{COMMON}"
