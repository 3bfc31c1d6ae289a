"""Writing and taking away the markers of a host, under its lock. What one writes, the other takes away."""

from __future__ import annotations

from collections.abc import Iterable

from ..contract import quote
from ..errors import FencedError, TransportError
from ..probe import HostLink, Marker
from ..probe.folders import FOLDERS
from ..probe.script import FENCED, PRELUDE


def marking(marker: Marker) -> str:
    """Shell text that writes a marker: whole or not at all, readable by its owner only."""
    return f"""{FOLDERS}
__folder "$HACORE_HOME" 0755 && __folder "$HACORE_HOME/stacks" 0700 || exit 1
mark=$(mktemp "$HACORE_HOME/stacks/.new.XXXXXXXX") || exit 1
printf '%s\\n' {quote(marker.text())} >"$mark" || {{ rm -f "$mark"; exit 1; }}
mv -f "$mark" "$HACORE_HOME/stacks/"{quote(marker.file)} || exit 1
"""


def unmarking(markers: Iterable[Marker]) -> str:
    """Shell text that takes markers away, and hacore's folders with the last of them."""
    lines = [f'rm -f "$HACORE_HOME/stacks/"{quote(marker.file)} || exit 1\n' for marker in markers]
    return "".join([*lines, 'rmdir "$HACORE_HOME/stacks" "$HACORE_HOME" 2>/dev/null || :\n'])


async def write(link: HostLink, token: str, text: str) -> None:
    """Run such text under the host's lock `token`. Raises FencedError, TransportError."""
    output = await link.shell(
        f"""{PRELUDE}
now=; [ -r "$HACORE_RUN/lock" ] && read -r now <"$HACORE_RUN/lock"
[ "$now" = {quote(token)} ] || exit {FENCED}
{text}"""
    )
    at = f"{link.host.name}@{link.host.address}"
    if output.rc == FENCED:
        raise FencedError(f"cannot mark {at}: the host's lock is held by another run; nothing was done there")
    if output.rc != 0:
        detail = output.stderr.decode("utf-8", "replace").strip()
        raise TransportError(f"cannot mark {at}: {detail or f'exit code {output.rc}'}")
