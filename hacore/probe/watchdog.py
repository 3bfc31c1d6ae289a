"""The host's own watchdog over a probe: it stops a fact's script that does not end, and the next one runs.

It is one process beside all scripts of an exec, which sleeps until the first of them can be too old: usually it
costs one fork. It stops the shell of a script with all its descendants. A process in an uninterruptible wait
(a dead disk, a network file system with a dead server) cannot be stopped and is not waited for: it ends with
its wait.

Ages are read in /proc/PID/stat, proc(5): field 4 is the parent, field 22 the start in hundredths of a second
since boot. That file, unlike /proc/PID/cmdline, can be read whatever state a process is in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..contract import Ask, Fact
from ..transport import Limits

FACT_SECONDS = 60.0
"""Seconds that a fact's script may take, unless the fact has a `deadline`."""

EXEC_SECONDS = 600.0
"""Seconds that all scripts of one exec may take."""

GRACE = 20.0
"""Seconds that the controller waits longer than the host, which has the better message."""

SHELL_SECONDS = 120.0
"""Seconds that one of the engine's own small scripts may take: locks, markers, confirmations."""

SHELL = Limits(SHELL_SECONDS + GRACE, stdout=16 << 20)
"""The controller's limits for them."""

STEPS_STDOUT = 512 << 20
"""Bytes that the steps of one exec may print: a capture prints the before-images."""

STEPS_STDERR = 64 << 20
"""Bytes of their stderr."""


def seconds_of(fact: Fact[Any], asks: Sequence[Ask]) -> float:
    """The seconds that a fact may take: its `deadline`, a number or a function of the asks, or the default."""
    own = getattr(fact, "deadline", FACT_SECONDS)
    return float(own(asks) if callable(own) else own)


def watched(script: str, seconds: float) -> str:
    """A script that is stopped on the host, with all its descendants, after `seconds`."""
    return f"{WATCHDOG}__watch {math.ceil(seconds)} {math.ceil(seconds)}\ntrap __unwatch EXIT\n{script}"


def limits_of(seconds: Iterable[float]) -> Limits:
    """The limits of an exec with facts that may take so many seconds each."""
    return Limits(max(EXEC_SECONDS, *(2 * given for given in seconds), 0.0) + GRACE)


WATCHDOG = r"""
__watch() { # $1: seconds that a script may take; $2: seconds for all of them, 0: no limit
  read -r __me __rest </proc/self/stat
  trap : ALRM
  (
    __was=${!-}
    trap '[ "${!-}" = "$__was" ] || kill -9 "$!" 2>/dev/null; exit 0' TERM USR1
    __one_may=$1 __all_may=$2 __stopped= __nap=$1
    [ "$2" -eq 0 ] || [ "$2" -ge "$1" ] || __nap=$2
    while :; do
      sleep "$__nap" &
      wait "$!"
      read -r __own __rest </proc/self/stat
      read -r __up __rest </proc/uptime; __now=${__up%.*}
      __all= __old= __age=-1 __nap=$__one_may
      for __stat in /proc/[0-9]*/stat; do
        { read -r __line <"$__stat"; } 2>/dev/null || continue
        __pid=${__line%% *}
        set -- ${__line##*) } # the name in parentheses before it may have blanks in it
        __state=$1 __ppid=$2; shift 19; __since=$((__now - $1 / 100))
        [ "$__pid" != "$__me" ] || __age=$__since
        [ "$__state" != Z ] || continue
        __all="$__all $__pid:$__ppid"
        [ "$__ppid" = "$__me" ] && [ "$__pid" != "$__own" ] || continue
        if [ "$__since" -ge "$__one_may" ]; then __old="$__old $__pid"
        elif [ $((__one_may - __since)) -lt "$__nap" ]; then __nap=$((__one_may - __since)); fi
      done
      [ "$__age" -ge 0 ] || exit 0
      if [ "$__all_may" -gt 0 ] && [ "$__age" -ge "$__all_may" ]; then __stop "$__me"; exit 0; fi
      for __pid in $__old; do
        case " $__stopped " in
          *" $__pid "*) kill -9 "$__pid"; kill -ALRM "$__me" ;; # it cannot be stopped: continue without it
          *) __stop "$__pid"; __stopped="$__stopped $__pid" ;;
        esac
        __nap=1
      done
      if [ "$__all_may" -gt 0 ] && [ $((__all_may - __age)) -lt "$__nap" ]; then __nap=$((__all_may - __age)); fi
    done
  ) </dev/null >/dev/null 2>&1 3>&- 8>&- &
  __dog=$!
}
__stop() { # $1 and all its descendants, itself last
  __found=" $1 " __more=1
  while [ "$__more" = 1 ]; do
    __more=0
    for __pair in $__all; do
      [ "${__pair%:*}" != "$__own" ] || continue
      case $__found in *" ${__pair%:*} "*) continue ;; esac
      case $__found in *" ${__pair#*:} "*) __found="$__found${__pair%:*} " __more=1 ;; esac
    done
  done
  kill -9 $__found
}
__unwatch() { # SIGUSR1 for the moment after the fork: there a shell loses a signal that its parent has a trap for
  kill -USR1 "$__dog" 2>/dev/null; kill "$__dog" 2>/dev/null; wait "$__dog" 2>/dev/null || :
}
__ask() { # $1: a frame, $2: its script; reports when that did not end by itself
  read -r __from __rest </proc/uptime
  ( __text=$2; set --; eval "$__text" ) </dev/null &
  __child=$!
  while :; do
    __rc=0; wait "$__child" || __rc=$?
    [ "$__rc" = 142 ] || break # 128 + SIGALRM
    { read -r __line <"/proc/$__child/stat"; } 2>/dev/null || break
    case ${__line##*) } in D*) break ;; esac
  done
  [ "$__rc" -gt 128 ] || return 0
  read -r __to __rest </proc/uptime
  __f "late $1 $__rc $((${__to%.*} - ${__from%.*}))"
}
"""
"""Shell functions around scripts; `__f` prints a frame's first line."""

__all__ = [
    "EXEC_SECONDS",
    "FACT_SECONDS",
    "SHELL",
    "STEPS_STDERR",
    "STEPS_STDOUT",
    "WATCHDOG",
    "limits_of",
    "seconds_of",
    "watched",
]
