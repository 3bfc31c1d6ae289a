"""A keepalived.conf with all files that it includes and the scripts that it names, read in one go."""

from __future__ import annotations

import base64
import fnmatch
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hacore.contract import Ask, Facts, quote

__all__ = ["KEEPALIVED_FILES", "PLACES", "KeepalivedFiles", "configuration"]

PLACES = (
    "/etc/keepalived/keepalived.conf",
    "/usr/local/etc/keepalived/keepalived.conf",
    "/usr/local/keepalived/etc/keepalived/keepalived.conf",
)
"""Where keepalived reads its configuration without -f: of a package, and of builds with the usual prefixes."""
LARGEST = 256 * 1024
"""Bytes of the largest file that is sent."""
MOST = 100
"""Files that are sent at most."""


@dataclass(frozen=True, slots=True)
class KeepalivedFiles:
    """The files of a configuration by path, and the scripts that they name and that are text, by path.

    `refused`: files that are there and were not sent, with the reason.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def included(self, pattern: str, folder: str) -> list[tuple[str, bytes]]:
        """What an include of a file in `folder` reads, as `hacore_providers.keepalived.Files`."""
        whole = posixpath.normpath(posixpath.join(folder, pattern))
        depth = whole.count("/")
        return [
            (path, data)
            for path, data in sorted(self.files.items())
            if path.count("/") == depth and fnmatch.fnmatchcase(path, whole)
        ]


class KeepalivedFilesFact:
    """The files of the keepalived.conf at the argument's path; no answer if it does not exist or cannot be read."""

    name = "keepalived.files"

    def command(self, asks: Sequence[Ask]) -> str:
        """Some forks for each file. Includes are followed as keepalived does, relative to the including file's folder.

        A variable that is not quoted is expanded by the shell as a pattern of file names and as nothing else: IFS is
        empty, so that spaces stay.
        """
        calls = "\n".join(f"__kf {quote(ask.arg)}" for ask in asks)
        return f"""
__kf_send() {{ # kind, path
  [ "$__kf_count" -lt {MOST} ] || {{ printf 'refused many %s\\n' "$2"; return 0; }}
  __kf_count=$((__kf_count + 1))
  [ -r "$2" ] || {{ printf 'refused unreadable %s\\n' "$2"; return 0; }}
  [ "$(stat -L -c %s -- "$2")" -le {LARGEST} ] || {{ printf 'refused large %s\\n' "$2"; return 0; }}
  printf '%s ' "$1"; base64 <"$2" | tr -d '\\n'; printf ' %s\\n' "$2"
}}
__kf_read() {{ # path, depth
  case "$__kf_seen" in *"
$1
"*) return 0 ;; esac
  __kf_seen="$__kf_seen$1
"
  __kf_send file "$1"
  [ "$2" -lt 10 ] && [ -r "$1" ] || return 0
  sed -n 's/^[[:space:]]*include[rmwba]\\{{0,1\\}}[[:space:]][[:space:]]*\\([^#!]*[^#![:space:]]\\).*/\\1/p' <"$1" |
  while IFS= read -r pattern; do
    case $pattern in /*) ;; *) pattern=${{1%/*}}/$pattern ;; esac
    IFS=
    for found in $pattern; do
      unset IFS
      [ -f "$found" ] || continue
      at=$(CDPATH= cd -L -- "${{found%/*}}/" && pwd -L) && printf '%s/%s\\n' "${{at%/}}" "${{found##*/}}"
    done
    unset IFS
  done
}}
__kf() {{ # path
  [ -f "$1" ] || return 0
  printf 'config %s\\n' "$1"
  __kf_count=0 __kf_seen='
' __kf_todo=$1 __kf_depth=0
  while [ -n "$__kf_todo" ] && [ "$__kf_depth" -lt 10 ]; do
    __kf_next=
    while IFS= read -r one; do
      [ -n "$one" ] || continue
      __kf_out=$(__kf_read "$one" "$__kf_depth"; echo x)
      __kf_out=${{__kf_out%x}}
      printf '%s' "$__kf_out" | grep -E '^(file|refused) ' || :
      __kf_seen="$__kf_seen$one
"
      __kf_next="$__kf_next
$(printf '%s' "$__kf_out" | grep -Ev '^(file|refused) ')"
    done <<__kf_end
$__kf_todo
__kf_end
    __kf_todo=$__kf_next __kf_depth=$((__kf_depth + 1))
  done
  printf '%s' "$__kf_seen" | while IFS= read -r one; do
    [ -r "$one" ] || continue
    sed -n 's/^[[:space:]]*\\(script\\|notify[a-z_]*\\)[[:space:]]\\(.*\\)/\\2/p' <"$one" |
      tr ' \\t"' '\\n\\n\\n' | tr "'" '\\n' | grep '^/'
  done | sort -u | while IFS= read -r one; do
    [ -f "$one" ] && __kf_send script "$one"
  done
}}
{calls}"""

    def parse(self, stdout: bytes) -> Mapping[str, KeepalivedFiles]:
        """Lines `config PATH`, each followed by lines `file|script BASE64 PATH` and `refused REASON PATH`."""
        found: dict[str, KeepalivedFiles] = {}
        path = ""
        for line in stdout.decode("utf-8", "surrogateescape").split("\n"):
            word, _, rest = line.partition(" ")
            first, _, name = rest.partition(" ")
            if word == "config":
                path = rest
                found[path] = KeepalivedFiles({}, {}, {})
            elif path and word == "file":
                found[path] = _with(found[path], files={name: base64.b64decode(first)})
            elif path and word == "script":
                try:
                    text = base64.b64decode(first).decode()
                except UnicodeDecodeError:
                    continue  # a program
                found[path] = _with(found[path], scripts={name: text})
            elif path and word == "refused":
                found[path] = _with(found[path], refused={name: first})
        return {path: files for path, files in found.items() if path in files.files}


def _with(
    known: KeepalivedFiles,
    files: Mapping[str, bytes] | None = None,
    scripts: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
) -> KeepalivedFiles:
    return KeepalivedFiles(
        {**known.files, **(files or {})}, {**known.scripts, **(scripts or {})}, {**known.refused, **(refused or {})}
    )


KEEPALIVED_FILES = KeepalivedFilesFact()


def configuration(facts: Facts) -> tuple[str, KeepalivedFiles] | None:
    """The configuration of a host and its path: the first of `PLACES` that exists."""
    return next(((path, found) for path in PLACES if (found := facts.get(KEEPALIVED_FILES, path)) is not None), None)
