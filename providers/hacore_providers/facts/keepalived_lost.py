"""Addresses that keepalived believes to have and the host does not: its state is MASTER, and they are missing.

keepalived (2.2.7 and 2.3.3, measured) sees each removal by somebody else and adds the address again within a second,
and within six after a flush or a link that was down. It does not see what the kernel removes during its own reload:
with the first address of a network go all others there (ip-sysctl, promote_secondaries). Then it stays MASTER without
them; a second reload adds nothing, a restart does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from hacore.contract import Ask, quote

from .keepalived_daemon import LINES, PID


class LostFact:
    """The answer is the addresses of the argument (see `lost_arg`) that a member which is MASTER does not have.

    No answer where nothing is lost: the host has them, is not MASTER, has just started or not yet loaded its file, or
    has no log.
    """

    name = "keepalived.lost"

    def command(self, asks: Sequence[Ask]) -> str:
        """One fork where the host has the addresses; some ten and a second where it lost them."""
        calls = []
        for ask in asks:
            config, unit, name, seconds, addresses = json.loads(ask.arg)
            given = (ask.arg, unit, name, str(int(seconds)), " ".join(addresses), config)
            words = " ".join(map(quote, given))
            calls.append(f"__l {words}")
        return f"""{PID}
__lacks() {{ # of the addresses in $1 those that the host does not have
  here=$(ip -o addr show 2>/dev/null) && [ -n "$here" ] || return 1
  lacks=
  for a in $1; do case $here in *" $a/"* | *" $a peer "*) ;; *) lacks="$lacks $a" ;; esac; done
  [ -n "$lacks" ]
}}
__master() {{ # whether instance $2 of unit $1, which runs since the time $3, is MASTER by the file $4 of now
  log=$(journalctl -q -u "$1" -n {LINES} --since "@$3" -o short-unix --no-pager 2>/dev/null) || return 1
  case $(printf '%s\\n' "$log" | grep -F "($2) " |
    grep -e ' Entering [A-Z]* STATE' -e ' Transition to [A-Z]* STATE' | tail -n 1) in
  *MASTER*) ;;
  *) return 1 ;;
  esac
  loaded=$(printf '%s\\n' "$log" | grep -e 'Reload complete' -e 'Reload finished' | tail -n 1) loaded=${{loaded%%.*}}
  [ "$(stat -L -c %Y -- "$4" 2>/dev/null || echo "$3")" -le "${{loaded:-$(($3 + 1))}}" ]
}}
__l() {{
  arg=$1 unit=$2 name=$3 least=$4 all=$5 config=$6
  __lacks "$all" && command -v journalctl >/dev/null 2>&1 || return 0
  pid=$(__pid "$unit"); [ -n "$pid" ] && stat=$(cat "/proc/$pid/stat" 2>/dev/null) && read -r up _ </proc/uptime ||
    return 0
  set -- ${{stat##*) }}
  age=$((${{up%%.*}} - ${{20}} / 100))
  [ "$age" -gt "$least" ] || return 0
  since=$(($(date +%s) - age - 1))
  __master "$unit" "$name" "$since" "$config" || return 0
  sleep 1 # it may be moving just now
  __lacks "$all" && __master "$unit" "$name" "$since" "$config" || return 0
  printf '%s\\t%s\\n' "${{lacks# }}" "$arg"
}}
{chr(10).join(calls)}"""

    def parse(self, stdout: bytes) -> Mapping[str, tuple[str, ...]]:
        """Lines `ADDRESSES<tab>ARGUMENT`."""
        lines = (line.split("\t", 1) for line in stdout.decode("utf-8", "replace").splitlines() if "\t" in line)
        return {arg: tuple(addresses.split()) for addresses, arg in lines}


def lost_arg(config: str, unit: str, name: str, seconds: float, addresses: Iterable[str]) -> str:
    """The argument: keepalived.conf, the unit, its instance, the age in seconds from which its state counts, and the
    addresses.
    """
    return json.dumps([config, unit, name, int(seconds) + 1, list(addresses)])


LOST = LostFact()
