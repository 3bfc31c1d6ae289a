"""The host's own watch over a probe: a question that does not end is stopped there, and the next one is asked.

It is one process beside all questions of an exec, which sleeps until the first of them can be too old: where
all is well it costs one fork. What it stops is the question's shell with all that descends from it. A process
in an uninterruptible wait (a dead disk, a network file system whose server is gone) cannot be stopped and is
not waited for: it ends with its wait.

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
"""Seconds that a question may take, unless its fact says otherwise (`deadline`)."""

EXEC_SECONDS = 600.0
"""Seconds that all questions of one exec may take."""

GRACE = 20.0
"""Seconds that the controller waits longer than the host: what the host says of it is worth more."""

SHELL_SECONDS = 120.0
"""Seconds that one of the engine's own small scripts may take: locks, markers, confirmations."""

SHELL = Limits(SHELL_SECONDS + GRACE, stdout=16 << 20)
"""What the controller grants them."""

STEPS_STDOUT = 512 << 20
"""Bytes that the steps of one exec may print: a capture prints the before-images."""

STEPS_STDERR = 64 << 20
"""Bytes that they may say besides."""


def seconds_of(fact: Fact[Any], asks: Sequence[Ask]) -> float:
    """How long a fact may take: its `deadline`, a number or a function of the asks, if it has one."""
    own = getattr(fact, "deadline", FACT_SECONDS)
    return float(own(asks) if callable(own) else own)


def watched(script: str, seconds: float) -> str:
    """A script that is stopped on the host, with all that it runs, when it takes longer than that."""
    return f"{WATCHDOG}__watch {math.ceil(seconds)} {math.ceil(seconds)}\ntrap __unwatch EXIT\n{script}"


def limits_of(seconds: Iterable[float]) -> Limits:
    """The limits of an exec with questions that may take so long each."""
    return Limits(max(EXEC_SECONDS, *(2 * given for given in seconds), 0.0) + GRACE)


WATCHDOG = r"""
__watch() { # $1: seconds that a question may take; $2: that all of them may take, 0: no end
  read -r __me __rest </proc/self/stat
  trap : ALRM
  (
    trap 'kill "$!" 2>/dev/null; exit 0' TERM
    __one_may=$1 __all_may=$2 __told= __nap=$1
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
        set -- ${__line##*) } # what comes before it, the name in parentheses, may have blanks in it
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
        case " $__told " in
          *" $__pid "*) kill -9 "$__pid"; kill -ALRM "$__me" ;; # it cannot be stopped: go on without it
          *) __stop "$__pid"; __told="$__told $__pid" ;;
        esac
        __nap=1
      done
      if [ "$__all_may" -gt 0 ] && [ $((__all_may - __age)) -lt "$__nap" ]; then __nap=$((__all_may - __age)); fi
    done
  ) </dev/null >/dev/null 2>&1 3>&- 8>&- &
  __dog=$!
}
__stop() { # $1 and all that descends from it, itself last
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
__unwatch() { kill "$__dog" 2>/dev/null; wait "$__dog" 2>/dev/null || :; }
__ask() { # $1: a frame, $2: what answers it; says when that did not end by itself
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
"""Shell functions around questions; `__f` prints a frame's first line."""

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
