"""Records of earlier versions in today's form: fields that they lack are derived from their texts.

Saved plans, states and journals outlive the version that wrote them. Earlier versions compared sentences where
there is a field now; those sentences are here and nowhere else, unchanged, whatever is shown today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MOVES = "it lives somewhere else now"
_GONE = "is gone"
_GOOD = "ok"
_NOT_ASKED = "not asked"


def moves_of(reason: str) -> bool:
    """Whether a planned change moves, derived from its saved reason."""
    return reason == _MOVES


def gone_of(reason: str) -> bool:
    """Whether a drift is about a deleted resource, derived from its saved reason."""
    return reason == _GONE


def reported_reason(*, gone: bool, again: bool, pending: Sequence[str]) -> str:
    """The reason of a drift as the drift memory has always digested it: a new wording is no new drift."""
    if pending:
        return f"has not taken in {', '.join(pending)} yet"
    return _GONE if gone else ("is there again" if again else "")


def health_of(notes: Mapping[str, Any]) -> dict[str, Any]:
    """The health of what hosts serve together, by address, derived from the notes of a saved plan."""
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
