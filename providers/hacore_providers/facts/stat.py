"""The entry at a path: type, owner, mode, hash, and its content if it differs from the desired one.

One snippet answers for all paths: one `stat`, one `sha256sum`, one `readlink` if there are links.
Symlinks are not followed. A path is sent to the host as an argument and returned in base64 or as
`sha256sum` escapes it, so every possible file name works.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hacore.contract import Ask, Facts, quote

__all__ = ["LIMIT", "STAT", "UNSAFE", "Stat", "StatFact", "sha256", "unsafe_folder"]

LIMIT = 256 * 1024
"""Bytes of the largest file that a probe returns."""

CHUNK = 400
"""Paths per snippet: an argument list has its limits (execve(2))."""

FIELDS = 10
"""Number of fields in a record of `stat`; each ends in NUL, because names of groups can have spaces."""

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


@dataclass(frozen=True, slots=True)
class Stat:
    """The entry at a path. `kind` is `absent`, `file`, `directory`, `link`, `fifo`, `socket` or `device`."""

    kind: str
    mode: int = 0  # permission bits, suid, sgid and sticky included
    uid: int = 0
    gid: int = 0
    owner: str = ""  # the name, or the number if there is no name
    group: str = ""
    size: int = 0  # bytes
    mtime: int = 0  # Unix time, seconds
    names: int = 1  # hard links
    label: str = ""  # SELinux context
    sha256: str = ""  # hex; of a readable regular file
    target: str = ""  # of a link
    content: bytes | None = None  # only if it was asked for


def sha256(content: bytes) -> str:
    """The hex digest that `sha256sum` prints."""
    return hashlib.sha256(content).hexdigest()


# Labels exist only with SELinux; without it stat's %C is an error.
_ASK = r"""
form='%f\0%u\0%g\0%U\0%G\0%s\0%Y\0%h\0?\0%n\0'
[ ! -e /sys/fs/selinux/enforce ] || form='%f\0%u\0%g\0%U\0%G\0%s\0%Y\0%h\0%C\0%n\0'
nl='
'
exec 3>&1
look() {
  printf 'stat '
  errors=$({ stat --printf "$form" -- "$@" | base64 -w0 >&3; } 2>&1)
  echo
  if absences "$errors"; then return 0; fi
  for p do
    absences "$(stat -- "$p" 2>&1 >/dev/null)" || { printf 'unsure '; printf %s "$p" | base64 -w0; echo; }
  done
}
absences() { # whether these errors only report missing paths
  printf '%s\n' "$1" | while IFS= read -r line; do
    case $line in
      '' | *': No such file or directory' | *': Not a directory') ;;
      *) exit 1 ;;
    esac
  done
}
links() {
  for p do
    shift
    if [ -L "$p" ]; then set -- "$@" "$p"; fi
  done
  [ $# -gt 0 ] || return 0
  printf 'links '
  printf '%s\0' "$@" | base64 -w0
  printf ' '
  readlink -z -- "$@" | base64 -w0
  echo
}
sums() {
  for p do
    shift
    if [ -f "$p" ] && [ ! -L "$p" ] && [ -r "$p" ]; then set -- "$@" "$p"; fi
  done
  hashes=
  [ $# -gt 0 ] || return 0
  hashes=$(sha256sum -- "$@" 2>/dev/null) || :
  printf '%s\n' "$hashes" | while IFS= read -r line; do printf 'hash %s\n' "$line"; done
}
want() {
  case "$nl$hashes$nl" in *"$nl$3$nl"*) return 0 ;; esac
  if [ -L "$1" ] || [ ! -f "$1" ] || [ ! -r "$1" ]; then return 0; fi
  if [ "$(wc -c <"$1")" -le LIMIT ]; then
    printf 'content %s ' "$2"
    base64 -w0 <"$1"
    echo
  fi
}
""".replace("LIMIT", str(LIMIT))


@dataclass(frozen=True, slots=True)
class StatFact:
    """Fact: argument an absolute path, value a Stat. `wanted` is a sha256 in hex; see contract.Ask.

    The answers include the existing folders above the paths: see `unsafe_folder`.
    """

    name: str = "stat"

    def command(self, asks: Sequence[Ask]) -> str:
        """One snippet for all paths; a long list is split."""
        return _ASK + "\n".join(self._part(asks[at : at + CHUNK]) for at in range(0, len(asks), CHUNK))

    def _part(self, asks: Sequence[Ask]) -> str:
        above = " ".join(quote(folder) for folder in _above(ask.arg for ask in asks))
        paths = " ".join(quote(ask.arg) for ask in asks)
        names = " ".join(_b64(ask.arg) for ask in asks)
        wants = [
            f"want {quote(ask.arg)} {_b64(ask.arg)} {quote(_sum_line(ask.wanted, ask.arg))}"
            for ask in asks
            if not ask.secret
        ]
        return "\n".join(
            [f"echo asked {names}", f"set -- {paths}", f'look "$@" {above}; links "$@"; sums "$@"', *wants]
        )

    def parse(self, stdout: bytes) -> Mapping[str, Stat]:
        """Stats by path. A path that could not be read (no permission) is left out."""
        asked: dict[str, Stat] = {}
        unsure: set[str] = set()
        for line in stdout.split(b"\n"):
            word, _, rest = line.partition(b" ")
            if word == b"asked":
                asked.update((_unb64(name), Stat("absent")) for name in rest.split())
            elif word == b"stat":
                asked.update(_stats(rest))
            elif word == b"unsure":
                unsure.add(_unb64(rest))
            elif word == b"links":
                for path, target in _pairs(rest):
                    asked[path] = replace(asked[path], target=target)
            elif word == b"hash":
                path, digest = _read_sum_line(rest)
                asked[path] = replace(asked[path], sha256=digest)
            elif word == b"content":
                name, _, content = rest.partition(b" ")
                path = _unb64(name)
                asked[path] = replace(asked[path], content=base64.b64decode(content))
        return {path: value for path, value in asked.items() if path not in unsure}


STAT = StatFact()


def _above(paths: Iterable[str]) -> list[str]:
    """All folders above paths, each once."""
    found: dict[str, None] = {}
    for path in paths:
        folder = posixpath.dirname(path)
        while folder not in found:
            found[folder] = None
            folder = posixpath.dirname(folder)
    return list(found)


UNSAFE = "hacore writes only where no other user can redirect it"
"""The end of a refusal, as in contract.SAFE_PATH."""


def unsafe_folder(facts: Facts, path: str) -> str:
    """Why another user can redirect a path, as far as a probe shows it; empty: no reason found.

    `safe_path` (contract.SAFE_PATH) finds more and decides: here links are not followed, and the members of groups
    are not known.
    """
    ours = (0, facts.host.uid)
    for folder in reversed(_above([path])):
        found = facts.get(STAT, folder)
        if found is None or found.kind != "directory":
            return ""
        if found.uid not in ours:
            return f"the folder {folder} belongs to uid {found.uid}, who could redirect the write"
        if found.mode & stat.S_IWOTH and not found.mode & stat.S_ISVTX:
            return f"everybody can write in the folder {folder}"
    return ""


def given_away(facts: Facts, path: str, owner: str | None) -> str:
    """Why an entry cannot be given to its desired owner (name or number; None: not managed); empty if it can.

    `safe_owner` (contract.SAFE_PATH) decides.
    """
    folder = posixpath.dirname(path)
    found = facts.get(STAT, folder)
    given = owner not in (None, "root", "0") and facts.host.uid == 0
    if found is not None and given and found.mode & stat.S_ISVTX and found.mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others can write in the folder {folder}, and its new owner {owner} could exchange the entry"
    return ""


def _stats(encoded: bytes) -> Iterator[tuple[str, Stat]]:
    fields = base64.b64decode(encoded).split(b"\0")
    for at in range(0, len(fields) - FIELDS, FIELDS):
        raw, uid, gid, owner, group, size, mtime, names, label, path = fields[at : at + FIELDS]
        mode = int(raw, 16)
        yield (
            _text(path),
            Stat(
                kind=_KINDS.get(stat.S_IFMT(mode), "device"),
                mode=stat.S_IMODE(mode),
                uid=int(uid),
                gid=int(gid),
                owner=_text(uid if owner == b"UNKNOWN" else owner),
                group=_text(gid if group == b"UNKNOWN" else group),
                size=int(size),
                mtime=int(mtime),
                names=int(names),
                label=_text(label).removeprefix("?"),
            ),
        )


def _pairs(encoded: bytes) -> Iterator[tuple[str, str]]:
    paths, targets = (base64.b64decode(part).split(b"\0")[:-1] for part in encoded.split(b" "))
    # after a link vanished between the two questions, targets cannot be matched to paths
    if len(paths) == len(targets):
        yield from ((_text(path), _text(target)) for path, target in zip(paths, targets, strict=True))


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


def _sum_line(digest: str, path: str) -> str:
    """The line that sha256sum prints; a name with a backslash or a newline is escaped and marked."""
    escaped = "".join(_ESCAPES.get(char, char) for char in path)
    return f"{'' if escaped == path else chr(92)}{digest}  {escaped}"


def _read_sum_line(line: bytes) -> tuple[str, str]:
    marked = line.startswith(b"\\")
    digest, _, name = line.removeprefix(b"\\").partition(b"  ")
    path = _text(name)
    if marked:
        parts = path.split("\\\\")
        path = "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)
    return path, digest.decode()


def _b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _unb64(text: bytes) -> str:
    return _text(base64.b64decode(text))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
