"""Words and numbers in texts: printable, and short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ..printable import printable

clean = printable
"""Text of several lines from a host, a stack or a state, for output."""


def cut(lines: Sequence[str], most: int) -> list[str]:
    """At most `most` lines, and the number of further ones; never hides a single line."""
    if len(lines) <= most + 1:
        return list(lines)
    return [*lines[:most], f"… {count(len(lines) - most, 'more line')}"]


def count(number: int, noun: str) -> str:
    """`1 host`, `2 hosts`, `1,234 hosts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Iterable[str], most: int = 6) -> str:
    """`a, b and c`; the rest as a number."""
    found = list(words)
    if len(found) > most + 1:
        return f"{', '.join(found[:most])} and {len(found) - most:,} more"
    return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else "".join(found)


def when(seconds: float) -> str:
    """Unix time as a date that sorts."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float, *, whole: bool = False) -> str:
    """A duration: `0.4s` (`whole`: full seconds, rounded down), `12s`, `3m05s`, `2h04m`."""
    if seconds < 9.95 and not whole:
        return f"{max(seconds, 0.0):.1f}s"
    full = int(seconds) if whole else round(seconds)
    if full < 60:
        return f"{full}s"
    if full < 3600:
        return f"{full // 60}m{full % 60:02d}s"
    return f"{full // 3600}h{full % 3600 // 60:02d}m"
