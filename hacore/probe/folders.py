"""hacore's own folders on a host: where they are, and that no other user can write to them.

    $HACORE_HOME   kept: /var/lib/hacore; for other users $XDG_STATE_HOME/hacore (~/.local/state/hacore)
    $HACORE_RUN    emptied by a restart of the host: /run/hacore; for other users $XDG_RUNTIME_DIR/hacore-UID

Without a runtime directory (no logind: init scripts, containers, cron, su) a user's $HACORE_RUN is
`$HACORE_HOME/run/BOOT`. BOOT is the boot id: a restart leaves the folder unused, and hosts that share a home have
one each. A folder with a known name in /tmp could be created by anybody first.
"""

from __future__ import annotations

from ..contract import SAFE_PATH

PLACES = r"""__uid=$(id -u)
if [ "$__uid" = 0 ]; then HACORE_HOME=/var/lib/hacore HACORE_RUN=/run/hacore
else
  case ${XDG_STATE_HOME-} in /*) HACORE_HOME=$XDG_STATE_HOME/hacore ;; *) HACORE_HOME=$HOME/.local/state/hacore ;; esac
  __base=${XDG_RUNTIME_DIR-} __old=/tmp/hacore-$__uid
  if [ -n "$__base" ] && [ -d "$__base" ] && [ ! -L "$__base" ] && [ -O "$__base" ]; then
    HACORE_RUN=$__base/hacore-$__uid
  else
    read -r __boot </proc/sys/kernel/random/boot_id || __boot=unknown
    HACORE_RUN=$HACORE_HOME/run/$__boot
    # until 0.2: jobs that an older hacore left there are still waited for, confirmed and resumed
    if [ -d "$__old" ] && [ ! -L "$__old" ] && [ -O "$__old" ] && [ "$(stat -c %a -- "$__old")" = 700 ]; then
      for __one in "$__old/lock" "$__old/confirm" "$__old"/jobs/*; do
        [ ! -e "$__one" ] || HACORE_RUN=$__old
      done
    fi
  fi
fi
"""
"""Sets HACORE_HOME and HACORE_RUN."""

FOLDERS = (
    SAFE_PATH
    + r"""
__folder() { # FOLDER MODE: creates it, or checks that this user alone can write to it; reports why not
  [ -e "$1" ] || [ -L "$1" ] || mkdir -p -m "$2" -- "$1" || return 1
  if [ -L "$1" ]; then __why='it is a symbolic link'
  elif [ ! -d "$1" ]; then __why='it is not a folder'
  elif [ ! -O "$1" ]; then __why='it belongs to another user'
  elif ! __unsafe "$1/." && [ -z "$__open" ]; then
    [ "$2" != 0700 ] || [ "$__last" = 700 ] || chmod 0700 -- "$1" || return 1
    return 0
  fi
  echo "cannot use the folder $1: ${__why:-other users can write to it}; it must be writable for this user only" >&2
  return 1
}
__run_folder() { __folder "$HACORE_RUN" 0700; }
__strange_folder() { # warns of another user's folder where older versions had theirs
  case $HACORE_RUN in "$HACORE_HOME"/run/*) ;; *) return 0 ;; esac
  __old=/tmp/hacore-$(id -u)
  [ -e "$__old" ] || [ -L "$__old" ] || return 0
  if [ ! -L "$__old" ] && [ -d "$__old" ] && [ -O "$__old" ] && [ "$(stat -c %a -- "$__old")" = 700 ]; then return 0; fi
  echo "warning: $__old is ignored: other users can write to it; locks of older versions of hacore in it are not seen"
}
"""
)
"""Defines `__run_folder` and `__folder`, for scripts that are about to write there."""

__all__ = ["FOLDERS", "PLACES"]
