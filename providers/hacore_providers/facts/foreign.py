"""Routers and machines of others in the network of an instance, heard before keepalived serves it on this host.

Once the keepalived.conf of the host has the virtual router id and the addresses, nothing is asked: what is heard then
are mostly the host's own members, and `status` names a split brain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask, quote

from .listen import LISTEN

SHORTEST, LONGEST = 3, 5
"""Seconds to listen: two adverts of most routers, and what an operator waits for without a word."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a host heard. `routers`: sources of adverts with the number of the instance, of its family.

    `taken`: addresses for which a machine answers, each with its MAC. `heard`: whether the host could listen at all.
    """

    routers: tuple[str, ...] = ()
    taken: tuple[tuple[str, str], ...] = ()
    heard: bool = True


class ForeignFact:
    """The answer for an argument of `foreign_arg`; none where the host serves the instance already."""

    name = "foreign"

    def command(self, asks: Sequence[Ask]) -> str:
        """One fork for each instance; once for each interface with something new a program of some seconds."""
        interfaces: dict[str, list[tuple[str, int, float, str, str]]] = {}
        for ask in asks:
            config, interface, number, interval, addresses = json.loads(ask.arg)
            interfaces.setdefault(interface, []).append((config, number, interval, " ".join(addresses), ask.arg))
        blocks = []
        for interface, known in interfaces.items():
            calls = "\n".join(
                f"__new {quote(config)} {number} {quote(addresses)} {quote(arg)}"
                for config, number, _, addresses, arg in known
            )
            seconds = min(LONGEST, max(SHORTEST, max(int(2 * interval) + 1 for _, _, interval, _, _ in known)))
            blocks.append(f"""(
on={quote(interface)} all= any=
[ -d "/sys/class/net/$on" ] || exit 0
{calls}
[ -z "$any" ] || __listen "$on" {seconds} $all 2>/dev/null |
  while read -r line; do printf '%s\\t%s\\n' "$on" "$line"; done
) &""")
        return f"""{LISTEN}
__new() {{ # of the instance with the number $2 and the addresses $3: what the file $1 does not have yet
  has=" $({{ tr -s '[:space:]' ' ' <"$1"; }} 2>/dev/null) " number=$2 more=
  case $has in *" virtual_router_id $2 "*) number=0 ;; esac
  for a in $3; do case $has in *" $a "* | *" $a/"*) ;; *) more="$more $a" ;; esac; done
  [ "$number" != 0 ] || [ -n "$more" ] || return 0
  all="$all$more" any=1
  printf '%s\\task\\t%s\\t%s\\t%s\\n' "$on" "$number" "${{more# }}" "$4"
}}
{chr(10).join(blocks)}
wait"""

    def parse(self, stdout: bytes) -> Mapping[str, Foreign]:
        """Lines `INTERFACE<tab>ask<tab>NUMBER<tab>ADDRESSES<tab>ARGUMENT`, and those of listen.py."""
        asked: list[tuple[str, int, list[str], str]] = []
        heard: dict[str, list[list[str]]] = {}
        for line in stdout.decode("utf-8", "replace").splitlines():
            interface, _, rest = line.partition("\t")
            if rest.startswith("ask\t"):
                _, number, addresses, arg = rest.split("\t", 3)
                asked.append((interface, int(number), addresses.split(), arg))
            elif rest:
                heard.setdefault(interface, []).append(rest.split())
        return {arg: _of(heard.get(on, []), number, addresses, arg) for on, number, addresses, arg in asked}


def _of(lines: Iterable[Sequence[str]], number: int, addresses: Sequence[str], arg: str) -> Foreign:
    six = any(":" in address for address in json.loads(arg)[4])
    known = list(lines)
    routers = {
        words[2]
        for words in known
        if len(words) == 3 and words[:2] == ["advert", str(number)] and (":" in words[2]) == six
    }
    taken = {
        (words[1], words[2]) for words in known if len(words) == 3 and words[0] == "taken" and words[1] in addresses
    }
    return Foreign(tuple(sorted(routers)), tuple(sorted(taken)), ["heard"] in known)


def foreign_arg(config: str, interface: str, number: int, interval: float, addresses: Iterable[str]) -> str:
    """The argument: keepalived.conf, the interface, the virtual router id (0: not asked), the advert interval in
    seconds, and the addresses that must be free.
    """
    return json.dumps([config, interface, number, interval, list(addresses)])


FOREIGN = ForeignFact()
