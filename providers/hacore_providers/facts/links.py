"""The network interfaces of a host, from /sys/class/net: no fork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask


@dataclass(frozen=True, slots=True)
class Link:
    """`state`: operstate (RFC 2863) - up, down, lowerlayerdown, unknown and so on; `mtu` in bytes."""

    state: str
    mtu: int

    @property
    def down(self) -> bool:
        """Whether the link is down. Drivers that do not report it have `unknown`."""
        return self.state in ("down", "lowerlayerdown", "notpresent")


Links = Mapping[str, Link]


class LinksFact:
    """All interfaces by name. It has one argument, ""."""

    name = "links"

    def command(self, asks: Sequence[Ask]) -> str:
        """A line for each interface: its name, state and MTU."""
        return """for d in /sys/class/net/*/; do
  s=unknown m=0; d=${d%/}
  { read -r s <"$d/operstate"; read -r m <"$d/mtu"; } 2>/dev/null || :
  printf '%s %s %s\\n' "${d##*/}" "$s" "$m"
done"""

    def parse(self, stdout: bytes) -> Mapping[str, Links]:
        """The one answer; none if /sys shows no interface, not even lo."""
        words = (line.split() for line in stdout.decode("utf-8", "replace").splitlines())
        found = {w[0]: Link(w[1], int(w[2])) for w in words if len(w) == 3 and w[2].isdigit() and w[0] != "*"}
        return {"": found} if found else {}


LINKS = LinksFact()
"""The shared question: `Ask(LINKS, "")`."""
