"""Files that somebody made or changed by hand: what no package has, or what differs from its package."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask, quote

__all__ = ["HAND_MADE", "HandMade"]

LARGEST = 256 * 1024
"""Bytes of the largest file that is sent."""
MOST = 200
"""Files that are sent at most for each folder."""


@dataclass(frozen=True, slots=True)
class HandMade:
    """A file or link. `why`: it was not sent, for this reason."""

    path: str
    mode: str = ""
    owner: str = ""
    group: str = ""
    content: bytes = b""
    link_to: str = ""
    why: str = ""


class HandMadeFact:
    """The files at the argument: a path, all below a folder, or `scripts:PATH`: those that the configuration PATH runs.

    A file that dpkg or rpm installed and nobody changed has no answer: the package is enough.
    """

    name = "hand_made"

    def command(self, asks: Sequence[Ask]) -> str:
        """Some forks for each file."""
        calls = []
        for ask in asks:
            kind, colon, path = ask.arg.partition(":")
            word = f"__hm_scripts {quote(path)}" if colon and kind == "scripts" else f"__hm_below {quote(ask.arg)}"
            calls.append(f"printf 'asked %s\\n' {quote(ask.arg)}; {word}")
        return f"""
__hm_packaged() {{ # path: whether it is as its package has it
  case ${{HACORE_PKG:-none}} in
    dpkg)
      __hm_of=$(dpkg-query -S -- "$1" 2>/dev/null | sed -n '1s/: .*//p') && [ -n "$__hm_of" ] || return 1
      __hm_sum=$(dpkg-query -W -f '${{Conffiles}}' -- "${{__hm_of%%,*}}" 2>/dev/null |
        while read -r __hm_file __hm_md5 __hm_rest; do
          [ "$__hm_file" != "$1" ] || {{ echo "$__hm_md5"; break; }}
        done)
      [ -z "$__hm_sum" ] || [ "$__hm_sum" = "$(md5sum <"$1" | cut -c1-32)" ] ;;
    rpm) rpm -qf -- "$1" >/dev/null 2>&1 && ! rpm -Vf -- "$1" 2>/dev/null | grep -qF " $1" ;;
    *) return 1 ;;
  esac
}}
__hm_send() {{ # path
  case $1 in *'
'*) return 0 ;; esac
  if [ -L "$1" ]; then
    printf 'link %s %s\\n' "$(readlink -- "$1" | tr -d '\\n' | base64 | tr -d '\\n')" "$1"
    return 0
  fi
  [ -f "$1" ] || return 0
  ! __hm_packaged "$1" || return 0
  [ -r "$1" ] || {{ printf 'refused unreadable %s\\n' "$1"; return 0; }}
  [ "$(stat -c %s -- "$1")" -le {LARGEST} ] || {{ printf 'refused large %s\\n' "$1"; return 0; }}
  printf 'file %s ' "$(stat -c '%a %U %G' -- "$1")"; base64 <"$1" | tr -d '\\n'; printf ' %s\\n' "$1"
}}
__hm_below() {{ # path
  if [ -d "$1" ]; then
    find "$1" \\( -type f -o -type l \\) -print 2>/dev/null | sort | head -n {MOST} |
      while IFS= read -r __hm_one; do __hm_send "$__hm_one"; done
  else
    __hm_send "$1"
  fi
}}
__hm_scripts() {{ # configuration; its folder may have more files that it includes
  [ -d "${{1%/*}}" ] || return 0
  find "${{1%/*}}" -type f -name '*.conf' -exec cat {{}} + 2>/dev/null |
    sed -n 's/^[[:space:]]*\\(script\\|notify[a-z_]*\\)[[:space:]]\\(.*\\)/\\2/p' |
    tr ' \\t"\\r' '\\n\\n\\n\\n' | tr "'" '\\n' | grep '^/' | sort -u |
    while IFS= read -r __hm_one; do
      case $__hm_one in /dev/*|/proc/*|/sys/*|/run/*|/bin/*|/sbin/*|/usr/bin/*|/usr/sbin/*) continue ;; esac
      __hm_send "$__hm_one"
    done
}}
{chr(10).join(calls)}"""

    def parse(self, stdout: bytes) -> Mapping[str, tuple[HandMade, ...]]:
        """Lines `asked ARG`, each followed by the files found there."""
        found: dict[str, list[HandMade]] = {}
        asked: list[HandMade] = []
        for line in stdout.decode("utf-8", "surrogateescape").split("\n"):
            word, _, rest = line.partition(" ")
            if word == "asked":
                asked = found.setdefault(rest, [])
            elif word == "link":
                target, _, path = rest.partition(" ")
                asked.append(HandMade(path, link_to=base64.b64decode(target).decode("utf-8", "surrogateescape")))
            elif word == "refused":
                why, _, path = rest.partition(" ")
                asked.append(HandMade(path, why=_WHY.get(why, why)))
            elif word == "file":
                mode, owner, group, content, path = rest.split(" ", 4)
                asked.append(HandMade(path, mode, owner, group, base64.b64decode(content)))
        return {arg: tuple(files) for arg, files in found.items()}


_WHY = {"unreadable": "the user cannot read it", "large": f"it has more than {LARGEST // 1024} KiB"}

HAND_MADE = HandMadeFact()
