"""The shell that all steps of a file begin with: its variables, its functions, and how an entry is archived."""

from __future__ import annotations

import hashlib
import posixpath

from hacore.contract import SAFE_PATH, quote

TAR = "tar --no-recursion --no-unquote --numeric-owner --xattrs --xattrs-include='*' --acls --selinux"
# without access times and process numbers, the same entry gives the same archive
PAX = "--format=posix --pax-option='delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f'"

LIBRARY = r"""
tmp=
trap '[ -z "$tmp" ] || rm -rf -- "$tmp"' EXIT
trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
die() { printf '%s\n' "$*" >&2; exit 1; }
is_file() { __known && [ -f "$path" ] && [ ! -L "$path" ]; }
is_dir() { __known && [ -d "$path" ] && [ ! -L "$path" ]; }
inside() { ls -A -- "$path" | head -n 5 | tr '\n' ' '; }
flush() { sync -- "$@" 2>/dev/null || :; }
label() { # with SELinux, a new name gets the label of the policy
  [ "$(id -u)" = 0 ] && [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null || return 0
  restorecon -- "$path"
}
empty() { # removes a directory at the path, if it is empty
  if is_dir; then rmdir -- "$path" 2>/dev/null || die "cannot replace $path: the directory is not empty: $(inside)"; fi
}
swap() { # the only moment of change
  empty
  mv -fT -- "$1" "$path"
  flush "$dir"
}
"""


AS_OWNER = r"""
as_owner() { # UID BLOB SCRIPT: runs the script as that account, with the blob (or nothing) as its input
  command -v setpriv >/dev/null || {
    echo "cannot write $path as uid $1: setpriv is missing; install util-linux" >&2
    exit 1
  }
  __group=$(id -g -- "$1")
  __self="setpriv --reuid=$1 --regid=$__group --clear-groups --inh-caps=-all --no-new-privs"
  if [ -d "$dir" ] && ! $__self test -w "$dir" -a -x "$dir"; then
    echo "cannot write $path: only $(id -un -- "$1") could do it safely, and it has no permission to write in $dir" >&2
    exit 1
  fi
  # of ours it gets the content and nothing else: no descriptor, no environment, no terminal, no way to become more
  { __rc=0
    env -i PATH="$PATH" LC_ALL=C HOME=/ $__self setsid -w sh -c "$3" <"$2" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- || __rc=$?
    echo "$__rc" >"$HACORE_WORK/rc"
  } 2>&1 >"$HACORE_WORK/printed" | tail -c 16384 >&2
  return "$(cat "$HACORE_WORK/rc")"
}
"""
"""Defines `as_owner`. What the script prints is in $HACORE_WORK/printed; its owner can have written anything there."""

_WORK = r"""
HACORE_WORK=
if [ -d "$dir" ]; then
  HACORE_WORK=$(mktemp -d -- "$stem.XXXXXX")
fi
trap 'rm -rf -- ${HACORE_WORK:+"$HACORE_WORK"} ${tmp:+"$tmp"}' EXIT
"""


def names(path: str) -> str:
    """The variables $path, $dir, $base and $stem."""
    folder, base = posixpath.split(path)
    # only the temporary file of an interrupted run can have this name
    stem = f"{folder.rstrip('/')}/.hacore-{hashlib.sha256(path.encode()).hexdigest()[:10]}"
    return f"path={quote(path)} dir={quote(folder)} base={quote(base)} stem={quote(stem)}\n"


def as_account(path: str, body: str, blob: str = "") -> str:
    """The body for `as_owner`: the whole script of an account that is not root; its input is the blob."""
    given = f'cat >"$HACORE_WORK/{blob}"\n' if blob else ""
    return f"set -eu\numask 022\n{names(path)}{SAFE_PATH}{LIBRARY}{_checked('')}{_WORK}{given}{body}"


def _checked(owner: str) -> str:
    return (f'safe_owner "$path" {quote(owner)}\n' if owner else 'safe_path "$path"\n') + 'rm -rf -- "$stem".*\n'


def guarded(path: str, body: str, owner: str = "", blob: str = "", worker: int | None = None) -> str:
    """The body, run by who may: root where nobody else can redirect the path, or the only account that can.

    Parameters
    ----------
    owner: the owner that the entry gets, a name or a number; empty: not managed, and root runs the body.
    blob: the name of the blob that the body reads, empty if none.
    worker: uid of the account that read the before-image. Root restores nothing that another account has read: it
      could have put a program with the suid bit of root's there.
    """
    source = f"$HACORE_WORK/{blob}" if blob else "/dev/null"
    call = f'as_owner "$__worker" "{source}" {quote(as_account(path, body, blob))}\n'
    if worker is not None:
        return f"{names(path)}{AS_OWNER}__worker={worker}\n{call}"
    # root where it may, after its own check
    alone = f'{AS_OWNER}if owners "$path" {quote(owner)}; then\n{call}exit\nfi\n' if owner else ""
    return f"{names(path)}{SAFE_PATH}{alone}{LIBRARY}{_checked(owner)}{body}"
