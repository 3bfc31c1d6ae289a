"""What the firewall of a host does with VRRP, which is IP protocol 112: the usual reason for two masters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hacore.contract import Ask

LINES = 200
"""Lines of rules that the host sends."""

_PROTOCOL = re.compile(
    r"\b(?:ip protocol|ip6 nexthdr|meta l4proto)\s+(?:\{[^}]*\b(?:112|vrrp)\b[^}]*\}|(?:112|vrrp)\b)|-p (?:112|vrrp)\b"
)
_DROP, _ACCEPT = re.compile(r"\b(?:drop|reject|DROP|REJECT)\b"), re.compile(r"\b(?:accept|ACCEPT)\b")
_CLOSED = re.compile(r"hook (input|output)\b.*policy drop|^:(INPUT|OUTPUT) DROP\b")


class FirewallFact:
    """The answer to the argument "" is a tuple of reasons why VRRP may not pass, as predicates of "its firewall".

    Empty: no rule of nftables and iptables is known to stop it. No answer without a permission to read them.
    """

    name = "firewall"

    def command(self, asks: Sequence[Ask]) -> str:
        """Two to four forks, for `status` and `drift` only."""
        return f"""__f=
for __p in nft iptables-save ip6tables-save; do
  command -v "$__p" >/dev/null 2>&1 || continue
  case $__p in nft) set -- list ruleset ;; *) set -- -t filter ;; esac
  __r=$("$__p" "$@" 2>/dev/null) && __f=1 || continue
  printf '%s\\n' "$__r" | grep -e 'hook input' -e 'hook output' -e '^:INPUT' -e '^:OUTPUT' -e vrrp -e 112 |
    head -n {LINES} || :
done
[ -z "$__f" ] || echo read"""

    def parse(self, stdout: bytes) -> Mapping[str, tuple[str, ...]]:
        """Lines of rules and chains, then `read`."""
        lines = [" ".join(line.split()) for line in stdout.decode("utf-8", "replace").splitlines()]
        if "read" not in lines:
            return {}
        named = [line for line in lines if _PROTOCOL.search(line)]
        found = [f'has the rule "{line}"' for line in dict.fromkeys(named) if _DROP.search(line)]
        if not any(_ACCEPT.search(line) for line in named):
            closed = (match[1] or match[2].lower() for line in lines if (match := _CLOSED.search(line)))
            words = "that no rule accepts, and no rule names protocol 112"
            found.extend(f"drops {direction} {words}" for direction in dict.fromkeys(closed))
        return {"": tuple(found)}


FIREWALL = FirewallFact()
"""The shared question: `Ask(FIREWALL, "")`."""
