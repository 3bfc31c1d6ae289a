"""Shell text that checks whether another user can redirect a path, as safe_path() of sshd does.

Root that works by name in another user's folder works where that user wants: between two calls a file can be
replaced by a link. So before a path is written, created or removed, every folder that leads to it is checked: it
belongs to root or to the connection's user, and nobody else may write in it, or it is sticky (unlink(2), EPERM)
and the next entry in it belongs to one of the two. Links on the way are followed one by one, and the folders
that contain them and that they lead through are checked as well.
"""

from __future__ import annotations

__all__ = ["SAFE_PATH"]

SAFE_PATH = r"""
__acting= # uid; no name of the scripts around
__unsafe() { # PATH: whether another user can redirect it; $__why: the reason. $__last: mode of the last folder
  __rest=${1#/} __at= __links=0 __why= __ours= __closed=
  set -- /
  while :; do
    case $__rest in */*) ;; *) break ;; esac
    __one=${__rest%%/*} __rest=${__rest#*/}
    case $__one in
      '' | .) continue ;;
      ..) __at=${__at%/*}; continue ;;
    esac
    if [ -L "$__at/$__one" ]; then
      set -- "$@" "$__at/$__one"
      __links=$((__links + 1))
      if [ "$__links" -gt 40 ]; then __why="its links form a circle at $__at/$__one"; return 0; fi
      __to=$(readlink -n -- "$__at/$__one"; echo x) # the x keeps a newline at the end
      case $__to in /*) __at= ;; esac
      __rest=${__to%x}/$__rest
    elif [ -d "$__at/$__one" ]; then
      __at=$__at/$__one
      set -- "$@" "$__at"
    else break # does not exist yet, or is not a folder
    fi
  done
  __acting=${__acting:-$(id -u)} __open=
  __seen=$(stat -c '%u %g %a %f' -- "$@" 2>&1) || { __why="its folders change: $__seen"; return 0; }
  while read -r __uid __gid __mode __type; do
    __last=$__mode
    case $__type in a*) __what='the link' ;; *) __what='the folder' ;; esac
    if [ "$__uid" != 0 ] && [ "$__uid" != "$__acting" ]; then
      __why="$__what $1 belongs to uid $__uid, who could redirect the write"
      return 0
    fi
    if [ "$__what" = 'the folder' ]; then
      __sticky=; case $__mode in [1357]???) __sticky=1 ;; esac
      [ "$1" != "${__at:-/}" ] || __open=
      case $__mode in *[02468]) __closed=1 ;; esac
      case $__mode in
        *[2367]) [ -n "$__sticky" ] || { __why="everybody can write in the folder $1"; return 0; } ;;
        *[2367]?)
          if [ -z "$__sticky" ] && ! __alone "$__gid" "$1"; then
            __why="group $__gid can write in the folder $1"
            return 0
          fi ;;
        *) __sticky= ;;
      esac
      [ -z "$__sticky" ] || [ "$1" != "${__at:-/}" ] || __open=1
    fi
    shift
  done <<__END
$__seen
__END
  case $__rest in */*) return 1 ;; esac
  __leaf=$__at/$__rest
  if [ -n "$__open" ] && [ -n "$__rest" ] && { [ -e "$__leaf" ] || [ -L "$__leaf" ]; }; then
    __seen=$(stat -c '%u %h %f' -- "$__leaf" 2>&1) || { __why="it changes: $__seen"; return 0; }
    read -r __uid __links __type <<__END
$__seen
__END
    if [ "$__uid" != 0 ] && [ "$__uid" != "$__acting" ]; then
      __why="others can write in the folder ${__at:-/}, and the file belongs to uid $__uid"
      return 0
    fi
    case $__type in
      8*) [ "$__links" = 1 ] || {
        __why="others can write in the folder ${__at:-/}, and the file has a second name (a hard link)"
        return 0
      } ;;
    esac
    __ours=1
  fi
  return 1
}
__known() { # whether the entry at the path last checked is safe to use: no other user can have made it since
  [ -z "$__open" ] || [ -n "$__ours" ]
}
content_mode() { # PATH: after safe_path PATH its mode, octal; 0 if it lies below a folder that not everybody may enter
  if [ -n "$__closed" ]; then echo 0; else stat -c %a -- "$1"; fi
}
__alone() { # GID FOLDER: whether only root and this user are in the group, and no ACL admits others
  case $(ls -ld -- "$2") in ??????????+*) return 1 ;; esac
  [ "$1" != 0 ] || return 0
  __seats=$(getent group "$1") || return 1
  { getent passwd || cat /etc/passwd; } 2>/dev/null |
    awk -F : -v g="$1" -v me="$__acting" '$4 == g && $3 != 0 && $3 != me { other = 1 } END { exit other }' || return 1
  for __member in $(printf '%s\n' "${__seats##*:}" | tr , ' '); do
    case $(id -u -- "$__member" 2>/dev/null) in 0 | "$__acting") ;; *) return 1 ;; esac
  done
}
owners() { # PATH OWNER: whether nobody but OWNER, an account other than root's, can redirect it; $__worker: its uid
  [ "${__acting:=$(id -u)}" = 0 ] || return 1
  __worker=$(id -u -- "$2" 2>/dev/null) && [ "$__worker" != 0 ] || return 1
  __unsafe "$1" || return 1
  __acting=$__worker
  if __unsafe "$1"; then __acting=0; __unsafe "$1"; return 1; fi
  __acting=0
}
others_entry() { # PATH UID NAME: whether the entry exists and belongs to another account than that one; $__why
  [ -L "$1" ] || [ -e "$1" ] || return 1
  __now=$(stat -c %u -- "$1") && [ "$__now" != "$2" ] || return 1
  __why="it belongs to uid $__now in a folder of $3's; give it to $3 first: chown -h $3 $1"
}
safe_path() { # PATH...: fails the step if another user can redirect one of them
  for __path do
    if __unsafe "$__path"; then
      printf 'cannot write %s: %s; hacore writes only where no other user can redirect it\n' "$__path" "$__why" >&2
      exit 1
    fi
  done
}
changeable() { # PATH: fails the step if a file attribute or a mount keeps it from being replaced
  if command -v lsattr >/dev/null 2>&1; then
    __folder_of=${1%/*}
    for __one in "$1" "${__folder_of:-/}"; do
      __flags=$(lsattr -d -- "$__one" 2>/dev/null) || continue
      case ${__flags%% *} in
        *i*) __word=immutable __flag=i ;;
        *a*) __word=append-only __flag=a ;;
        *) continue ;;
      esac
      printf 'cannot write %s: %s is %s; to allow changes run chattr -%s %s\n' \
        "$1" "$__one" "$__word" "$__flag" "$__one" >&2
      exit 1
    done
  fi
  [ ! -d "$1" ] && [ -e "$1" ] && [ -r /proc/self/mountinfo ] || return 0
  while read -r __id __parent __device __root __point __rest; do # mount points with spaces are not found
    [ "$__point" != "$1" ] || {
      printf 'cannot write %s: another file is mounted on it; unmount it first: umount %s\n' "$1" "$1" >&2
      exit 1
    }
  done </proc/self/mountinfo
}
safe_owner() { # PATH OWNER: fails the step if the owner could exchange the entry afterwards; calls safe_path
  safe_path "$1"
  [ -n "$__open" ] || return 0
  case $2 in *[!0-9]*) __uid=$(id -u -- "$2") || exit 1 ;; *) __uid=$2 ;; esac
  if [ "$__uid" != 0 ] && [ "$__uid" != "$__acting" ]; then
    printf 'cannot write %s: others can write in the folder %s, and its new owner %s could exchange the entry' \
      "$1" "${__at:-/}" "$2" >&2
    printf '%s\n' '; hacore writes only where no other user can redirect it' >&2
    exit 1
  fi
}
"""
"""Defines `safe_path PATH...`. Costs an id(1) and a stat(1) for each path, and a readlink(1) for each link.

Folders that do not exist yet are not checked: a step that creates them calls `safe_path` again afterwards. In a
sticky folder in which others may write (/tmp), names made by mktemp(1) are safe, and so are files of root or of the
connection's user that have one name. `__known` is true after `safe_path PATH` unless the folder is such a one and
PATH did not exist: whatever exists there later may be another user's, and must not be read, changed or followed.

`content_mode PATH` is for captures: who may read the content on the host (`Image.modes`).

`changeable PATH` names what rename(2) would fail for without a reason: chattr(1), and a mount. For captures.

`owners PATH OWNER` (name or number) is true if root may not write there and OWNER may: the folders belong to OWNER
and root. The work is then done as OWNER, who can do nothing that OWNER could not do before. `others_entry PATH UID
NAME` is true if an entry there belongs to somebody else than NAME, of that uid: NAME can neither read it for certain
nor restore it.

`safe_owner PATH OWNER` (name or number) also refuses to give away an entry of such a folder: its new owner could
exchange it for a link before its mode is set, and before it is restored.
"""
