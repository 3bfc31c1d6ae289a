"""Shell text and steps that several kinds use."""

from __future__ import annotations

from collections.abc import Iterable

from hacore.contract import Step, quote

__all__ = ["PUT_FILE", "account_fault", "failing_step", "foreign_paths"]

PUT_FILE = r"""
put_file() { # SOURCE TEMPORARY OWNER MODE PATH: complete in the temporary file of the same folder, then renamed
  rm -f -- "$2"
  (umask 077; set -C; : >"$2") # nobody else can open it before it has its mode; a link is not followed
  cat -- "$1" >"$2"; chown "$3" -- "$2"; chmod "$4" -- "$2"
  sync -- "$2" 2>/dev/null || : # after a power cut PATH is not empty
  mv -fT -- "$2" "$5"
  sync -- "${5%/*}" 2>/dev/null || :
  [ ! -e /sys/fs/selinux/enforce ] || restorecon -F "$5"
}
"""
"""Defines `put_file`. The temporary file is private until it has its owner and mode. A reader of PATH sees the old file
or the new one; call `safe_path` first."""


def account_fault(name: str) -> str:
    """Why `name` cannot be a user or group for chown(1), as the predicate of a sentence; empty if it can.

    passwd(5) and group(5) are lines with fields between colons, and a name that begins with - is an option.
    """
    if not name or name.startswith("-") or ":" in name or not name.isprintable() or name != name.strip():
        return f"is {name!r}: it must be a name or a number, without a colon, and not begin with -"
    return ""


def failing_step(why: str, what: str) -> Step:
    """A step that changes nothing and fails with the sentence `why`; `what` is shown while it runs."""
    return Step(f"printf '%s\\n' {quote(why)} >&2; exit 1", what=what)


def foreign_paths(tokens: Iterable[str]) -> bytes:
    """The paths among the tokens that other resources own, sorted, one per line, for a blob."""
    paths = sorted(token.removeprefix("path:") for token in tokens if token.startswith("path:"))
    return "".join(f"{path}\n" for path in paths).encode("utf-8", "surrogateescape")
