"""Whether another user of the host can redirect a path: what a step would refuse, known when it is planned."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import SAFE_PATH, Ask, Facts, Mistake, quote

from .stat import UNSAFE, given_away, unsafe_folder

__all__ = ["PATHS", "PathsFact", "unsafe_path"]

_CHECK = r"""
owned() { # PATH OWNER: OWNER itself may be the one to write there
  __unsafe "$1" || return 0
  if ! owners "$1" "$2"; then report "$1" "$__why"
  elif others_entry "$1" "$__worker" "$2"; then report "$1" "$__why"
  fi
}
check() { # FOLDER PATH...: most paths of a folder have one answer
  folder=$1; shift
  if __unsafe "$folder/."; then
    for path do report "$path" "$__why"; done
  elif [ -n "$__open" ]; then # others can write there: the entries count as well
    for path do ! __unsafe "$path" || report "$path" "$__why"; done
  fi
}
report() { printf '%s %s\n' "$(printf %s "$1" | base64 -w0)" "$(printf %s "$2" | base64 -w0)"; }
"""


@dataclass(frozen=True, slots=True)
class PathsFact:
    """Fact: argument an absolute path, value the reason why another user can redirect it; empty: nobody can.

    `Ask.wanted` is the desired owner: where only that account can redirect the path, the step works as that account.

    Links on the way are followed, the members of groups are known, and so are ACLs: it is the check of the steps,
    `safe_path` of contract.SAFE_PATH, without the write.
    """

    name: str = "paths"

    def command(self, asks: Sequence[Ask]) -> str:
        """An id(1) and a stat(1) for each folder; for a folder in which others can write, for each path."""
        folders: dict[str, list[str]] = {}
        for ask in (ask for ask in asks if not ask.wanted):
            folders.setdefault(posixpath.dirname(ask.arg), []).append(ask.arg)
        asked = " ".join(base64.b64encode(ask.arg.encode("utf-8", "surrogateescape")).decode() for ask in asks)
        calls = [f"check {' '.join(quote(word) for word in (folder, *paths))}" for folder, paths in folders.items()]
        calls += [f"owned {quote(ask.arg)} {quote(ask.wanted)}" for ask in asks if ask.wanted]
        return "\n".join([SAFE_PATH, _CHECK, f"echo asked {asked}", *calls])

    def parse(self, stdout: bytes) -> Mapping[str, str]:
        """A line with all paths, then a line for each that can be redirected: path and reason in base64."""
        found: dict[str, str] = {}
        for line in stdout.split(b"\n"):
            word, *rest = line.split(b" ")
            if word == b"asked":
                found.update((_text(path), "") for path in rest)
            elif rest:
                found[_text(word)] = _text(rest[0])
        return found


PATHS = PathsFact()


def unsafe_path(facts: Facts, path: str, owner: str | None = None) -> Mistake | None:
    """The mistake of a change that would write a path which another user can redirect.

    `owner`: the desired owner of the entry, a name or a number; None: not managed.
    """
    asked = facts.get(PATHS, path)
    why = (unsafe_folder(facts, path) if asked is None else asked) or given_away(facts, path, owner)
    return Mistake("", f"cannot write {path}: {why}; {UNSAFE}") if why else None


def _text(encoded: bytes) -> str:
    return base64.b64decode(encoded).decode("utf-8", "surrogateescape")
