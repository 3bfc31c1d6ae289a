"""The states of a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..plan.public_json import FORMAT_VERSION
from ..store.catalog import StateEntry
from .words import clean, count

if TYPE_CHECKING:
    from .state_formats import StatesJson


def states_text(states: Sequence[StateEntry]) -> str:
    """A line per state."""
    width = max((len(_name(state)) for state in states), default=0)
    lines = []
    for state in states:
        about = [f"serial {state.serial}", count(state.resources, "resource"), count(state.runs, "run")]
        if state.unfinished is not None and state.lock is None:
            about.append(f"run {state.unfinished} was interrupted")
        if state.lock is not None:
            about.append(f"locked by {state.lock}")
        if state.moved_to:
            about.append(f"moved to {state.moved_to}")
        lines.append(f"{_name(state):<{width}}  {', '.join(about)}")
    return clean("\n".join(lines))


def _name(state: StateEntry) -> str:
    return state.name or "(no name)"


def states_json(states: Sequence[StateEntry]) -> StatesJson:
    """The states as JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "states": [
            {
                "name": state.name,
                "lineage": state.lineage,
                "serial": state.serial,
                "resources": state.resources,
                "runs": state.runs,
                "interrupted_run": state.unfinished,
                "locked_by": "" if state.lock is None else str(state.lock),
                "moved_to": state.moved_to,
            }
            for state in states
        ],
    }
