"""Records of earlier versions in today's form: what they lack is read from what they say instead.

Saved plans, states and journals outlive the version that wrote them. What such a record decided by a sentence is a
field now; the sentences are written down here and nowhere else, as they were, whatever is shown today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOVES = "it lives somewhere else now"
_GONE = "is gone"
_GOOD = "ok"
_NOT_ASKED = "not asked"


def moves_of(reason: str) -> bool:
    """Whether a planned change moves, from the reason that it was saved with."""
    return reason == _MOVES


def gone_of(reason: str) -> bool:
    """Whether a drift is about something that is gone, from the reason that it was saved with."""
    return reason == _GONE


def gone_reason(gone: bool, *, again: bool) -> str:
    """The reason of a drift as digests of earlier versions contain it. `again`: recorded as absent, and exists."""
    return _GONE if gone else "is there again" if again else ""


def health_of(notes: Mapping[str, Any]) -> dict[str, Any]:
    """The health of what hosts serve together, by address, from the notes that a plan was saved with."""
    return {
        address: {
            "address": str(info.get("address") or ""),
            "holders": [str(host) for host in info["held_by"]],
            "verdicts": [
                [question, None if words == _NOT_ASKED else words == _GOOD, words]
                for question, words in info.get("checks", {}).items()
            ],
        }
        for address, info in notes.items()
        if isinstance(info, Mapping) and "held_by" in info
    }
