"""Which programs of a host a plan may run: those that only root can change."""

from __future__ import annotations

__all__ = ["ROOTS_OWN"]

ROOTS_OWN = r"""roots_own() { # whether the program at $1 belongs to root, and nobody else can write it
  case $(stat -L -c '%u %A' -- "$1" 2>/dev/null) in
  "0 "?????-??-?) return 0 ;;
  esac
  return 1
}
"""
"""A shell function. `ls -l`'s form of a mode: the sixth character is the group's w, the ninth that of others."""
