"""A partition, played on one member: adverts neither arrive nor leave, as if the network between the members were cut.

Adverts are IP protocol 112, in IPv4 and IPv6 (RFC 5798, 5.1.1.4); with authentication by AH they are protocol 51
(RFC 2338). The rules are in a table of their own, so nothing else of the host's firewall is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hacore.contract import Budget, Partition, Step, View

from .members import master_down
from .spec import VrrpInstanceSpec

MARGIN = 0.5
"""Seconds for the system, as in `fail_over`."""

_TOOL = """
PATH=$PATH:/usr/sbin:/sbin
if command -v nft >/dev/null 2>&1; then tool=nft
elif command -v iptables >/dev/null 2>&1; then tool=iptables
else echo "neither nft nor iptables is installed: a partition is played by rules of the firewall" >&2; exit 1; fi
each() { # OPERATION: of iptables and ip6tables, for adverts in both directions
  for name in iptables ip6tables; do
    command -v "$name" >/dev/null 2>&1 || continue
    for number in $protocols; do for chain in INPUT OUTPUT; do
      "$name" -w "$1" "$chain" -p "$number" -m comment --comment hacore-drill -j DROP || [ "$1" = -D ] || return 1
    done; done
  done
}
"""
_REJOIN = """
if [ "$tool" = nft ]; then nft delete table inet hacore_drill 2>/dev/null || :
else while each -D 2>/dev/null && iptables -w -S | grep -q hacore-drill; do :; done; fi
"""
_ISOLATE = """
if [ "$tool" = nft ]; then
  drop="meta l4proto { $(echo $protocols | tr ' ' ,) } drop"
  nft -f - <<END
table inet hacore_drill {
  chain in { type filter hook input priority -300; policy accept; $drop; }
  chain out { type filter hook output priority -300; policy accept; $drop; }
}
END
else each -I; fi
"""
_RUNS = re.compile(r"^\s*(vrrp_notify_fifo\w*|notify_fifo\w*|notify\w*|lvs_sync_daemon)\b")


def partition(view: View[VrrpInstanceSpec]) -> Partition:
    """How a partition of this member from its peers is played."""
    spec = view.spec
    protocols = "112 51" if spec.authentication is not None and spec.authentication.type == "AH" else "112"
    head = f"protocols='{protocols}'\n{_TOOL}"
    taker = max((other for host, (other, _) in view.members.items() if host != view.address.host), key=_priority)
    slowest = max(master_down(member) for member, _ in view.members.values())
    return Partition(
        Step(head, what="looking for nft or iptables"),
        Step(head + _REJOIN + _ISOLATE, what="dropping adverts"),
        Step(head + _REJOIN, what="passing adverts again"),
        Budget(master_down(taker) + MARGIN, f"master_down {master_down(taker):.3f} + {MARGIN:g}"),
        Budget(2 * slowest + MARGIN, f"2 x master_down {slowest:.3f} + {MARGIN:g}"),
        tuple(dict.fromkeys(hazard for member, _ in view.members.values() for hazard in _hazards(member))),
    )


def _priority(spec: VrrpInstanceSpec) -> int:
    return spec.priority


def _hazards(spec: VrrpInstanceSpec) -> Iterable[str]:
    """Scripts and daemons that a change of state starts, those of raw text as well."""
    yield from spec.notify.scripts().values()
    yield from (name for name in spec.globals if _RUNS.match(str(name)))
    for line in (*spec.extra_lines, *spec.lines_before, *spec.lines_after):
        if match := _RUNS.match(line):
            yield match[1]


__all__ = ["partition"]
