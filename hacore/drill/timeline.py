"""The time line of a scenario: what a page draws, and what a run keeps of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .measured import Measured

MOST = 2000
"""Lost requests that are kept of one scenario: more of them make one bar."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Times in seconds since the begin. `rate`: requests a second; `lost`: when one was lost.

    `holders`: from when which hosts held the address, each change once.
    """

    word: str
    holder: str
    rate: float
    acted: float
    restored: float
    end: float
    lost: Sequence[float] = ()
    holders: Sequence[tuple[float, tuple[str, ...]]] = ()


def timeline(one: Measured) -> Timeline:
    """The time line of what was measured."""
    end = max([o.at for o in one.looks] + [r.at for r in one.requests] + [one.restored, 1.0])
    changes: list[tuple[float, tuple[str, ...]]] = []
    for look in one.looks:
        if not changes or changes[-1][1] != look.holders:
            changes.append((look.at, look.holders))
    lost = [request.at for request in one.lost]
    return Timeline(one.scenario, one.holder, one.rate, one.acted, one.restored, end, lost, changes)


def timeline_json(line: Timeline) -> Mapping[str, Any]:
    """As the run keeps it."""
    return {
        "acted": round(line.acted, 2),
        "restored": round(line.restored, 2),
        "end": round(line.end, 2),
        "rate": line.rate,
        "lost": [round(at, 2) for at in line.lost[:MOST]],
        "holders": [[round(at, 2), list(hosts)] for at, hosts in line.holders],
    }


def timeline_from_json(scenario: Mapping[str, Any]) -> Timeline | None:
    """The time line of a recorded scenario; None if it has none, as those of earlier versions."""
    data = scenario.get("timeline")
    if not isinstance(data, Mapping):
        return None
    return Timeline(
        str(scenario["scenario"]),
        str(scenario["holder"]),
        float(data["rate"]),
        float(data["acted"]),
        float(data["restored"]),
        float(data["end"]),
        [float(at) for at in data["lost"]],
        [(float(at), tuple(str(host) for host in hosts)) for at, hosts in data["holders"]],
    )


__all__ = ["Timeline", "timeline", "timeline_from_json", "timeline_json"]
