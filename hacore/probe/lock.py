"""The lock of a host as shell scripts there see it: $HACORE_RUN/lock, with a token in its first line.

The lock is made by link(2), which is atomic. To free it, or to put another one in its place, takes two looks:
a process reads the token, then removes the file. Between the two another process could do the same and lock
the host anew, and its lock would be removed. So a process that frees or replaces it holds flock(1) on
$HACORE_RUN/lock.flock, which is never deleted and, unlike a folder as a mutex, ends with its holder.
"""

from __future__ import annotations

NOT_ALONE = 71  # EX_OSERR
"""The exit code of `__exclusive` when it ran nothing."""

LOCKING = rf"""
__exclusive() {{ # COMMAND...: run while nobody else on this host frees or replaces the lock
  [ -d "$HACORE_RUN" ] || {{ "$@"; return; }} # after a restart of the host: no lock, and nothing to wait for
  ( flock -w 60 6 || {{ echo "another process has kept $HACORE_RUN/lock.flock for 60 s" >&2; exit {NOT_ALONE}; }}
    "$@" 6>&- ) 6>>"$HACORE_RUN/lock.flock"
}}
__free() {{ # TOKEN: remove the lock if it still has this token
  now=; [ -r "$HACORE_RUN/lock" ] && read -r now <"$HACORE_RUN/lock"
  [ "$now" != "$1" ] || rm -f "$HACORE_RUN/lock"
}}
"""

HELD = r"""
__held() { # whether the lock has $__token; otherwise $__why is `gone` or `other`
  [ -z "$__token" ] && return 0
  __now=; __why=gone
  if [ -r "$HACORE_RUN/lock" ]; then __why=other; read -r __now <"$HACORE_RUN/lock"; fi
  [ "$__now" = "$__token" ]
}
"""

__all__ = ["HELD", "LOCKING", "NOT_ALONE"]
