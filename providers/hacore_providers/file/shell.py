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
  if [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null; then restorecon -- "$path"; fi
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


def head(path: str, owner: object = "") -> str:
    """The variables $path, $dir, $base and $stem, and a check that nobody else can redirect the path."""
    folder, base = posixpath.split(path)
    # only the temporary file of an interrupted run can have this name
    stem = f"{folder.rstrip('/')}/.hacore-{hashlib.sha256(path.encode()).hexdigest()[:10]}"
    return (
        f"path={quote(path)} dir={quote(folder)} base={quote(base)} stem={quote(stem)}\n{SAFE_PATH}{LIBRARY}"
        + (f'safe_owner "$path" {quote(owner)}\n' if owner != "" else 'safe_path "$path"\n')
        + 'rm -rf -- "$stem".*\n'
    )
