"""The packages that an installation would bring along: apt-get(8) simulates it, from the lists that the host has.

With dnf it is not asked: a simulation there takes seconds, and its output is a table for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask, quote


@dataclass(frozen=True, slots=True)
class AddedFact:
    """The answer for an argument of `added_arg` is the names that would be new beside its own.

    No answer where all of its own are installed, or where it is not known: no lists yet, or no solution.
    """

    name: str = "packages added"

    def command(self, asks: Sequence[Ask]) -> str:
        """Without missing packages one dpkg-query for each ask; else one apt-get more, which writes nothing."""
        calls = []
        for ask in asks:
            pinned, names = json.loads(ask.arg)
            calls.append(f"added {quote(ask.arg)} {quote(pinned)} {' '.join(map(quote, names))}")
        return f"""added() {{ # argument, version, names
  arg=$1 version=$2; shift 2
  for name do
    shift
    case $(dpkg-query -W -f '${{db:Status-Abbrev}}' -- "$name" 2>/dev/null) in
      ?i* | ?t* | ?W*) ;;
      *) set -- "$@" "$name${{version:+=$version}}" ;;
    esac
  done
  [ $# -gt 0 ] || return 0
  found=$(apt-get -s -q -y --no-install-recommends --no-remove -o Debug::NoLocking=1 -o Dir::Cache::pkgcache= \\
    -o Dir::Cache::srcpkgcache= install "$@" 2>/dev/null) || return 0
  for name do shift; set -- "$@" "${{name%%=*}}"; done
  printf '%s\\t%s\\n' "$arg" "$(printf '%s\\n' "$found" | awk -v own=" $* " '
    $1 == "Inst" && substr($3, 1, 1) == "(" && !index(own, " " $2 " ") {{ print $2 }}' | sort -u | tr '\\n' ' ')"
}}
[ "${{HACORE_PKG:-none}}" = dpkg ] || exit 0
{chr(10).join(calls)}"""

    def parse(self, stdout: bytes) -> Mapping[str, tuple[str, ...]]:
        """Lines `ARGUMENT<tab>NAMES`."""
        lines = (line.split("\t", 1) for line in stdout.decode("utf-8", "replace").splitlines() if "\t" in line)
        return {arg: tuple(names.split()) for arg, names in lines}


def added_arg(version: str | None, names: Iterable[str]) -> str:
    """The argument: the version of all of them, if it is pinned, and the names."""
    return json.dumps([version or "", list(names)])


ADDED = AddedFact()
