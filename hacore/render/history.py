"""The state over time: its history, the difference between two serials, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..model import JSON, Row
from ..plan.public_json import FORMAT_VERSION
from ..store import Episode, RowChange, RunRecord, StateView, row_to_json
from .state import run_json_of
from .style import PLAIN, Name, Style
from .values import show
from .words import clean, when

if TYPE_CHECKING:
    from .state_formats import (
        EpisodeJson,
        HistoryJson,
        SidesJson,
        StateAction,
        StateDiffJson,
        StateJson,
        StoredResourceJson,
    )

_SIGNS: Mapping[str, tuple[str, Name]] = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}
_WORDS = {"create": "added", "update": "changed", "delete": "deleted"}
_PARTS = ("spec", "hosts", "needs", "claims", "lifecycle", "loaded", "origin", "found", "tainted", "schema_version")
_SHOWN = 12  # addresses of an episode
_NONE = "(none)"


def history_text(found: Sequence[Episode], style: Style = PLAIN) -> str:
    """A paragraph for each session that changed the state, the newest first."""
    return (
        "\n\n".join(_episode(episode, style) for episode in found) or "No history yet: it starts with the next change."
    )


def _episode(episode: Episode, style: Style) -> str:
    first, last = episode.revisions[0], episode.revisions[-1]
    serials = f"serial {last.serial}" if first is last else f"serials {first.serial} to {last.serial}"
    run = f"#{last.run} " if last.run is not None else ""
    head = f"{serials}  {run}{clean(last.what)} {when(last.at)} by {clean(last.who)}"
    lines = [style("bold", head)]
    for change in episode.changes[:_SHOWN]:
        sign, colour = _SIGNS[change.action]
        lines.append(f"  {style(colour, sign)} {change.address}{_briefly(change)}")
    if len(episode.changes) > _SHOWN:
        lines.append(f"  … and {len(episode.changes) - _SHOWN:,} more")
    return "\n".join(lines if episode.changes else [*lines, style("dim", "  no change in the end")])


def _briefly(change: RowChange) -> str:
    """The names of changed fields of a row."""
    if change.action != "update":
        return ""
    names = sorted({name.partition(".")[0] for name in fields_of(change)}) or ["recorded again"]
    return f"  ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})"


def history_json(found: Sequence[Episode]) -> HistoryJson:
    """The history as JSON."""
    history: list[EpisodeJson] = [
        {
            "serials": [revision.serial for revision in episode.revisions],
            "run": episode.revisions[-1].run,
            "what": episode.revisions[-1].what,
            "who": episode.revisions[-1].who,
            "began": episode.revisions[0].since,
            "ended": episode.revisions[-1].at,
            "changes": [{"address": c.address, "action": cast("StateAction", c.action)} for c in episode.changes],
        }
        for episode in found
    ]
    return {"format_version": FORMAT_VERSION, "history": history}


def fields_of(change: RowChange) -> dict[str, tuple[Any, Any]]:
    """The changed fields with both values; attributes by their own names."""
    before, after = _flat(change.before), _flat(change.after)
    names = [*before, *(name for name in after if name not in before)]
    pairs = {name: (before.get(name, _NONE), after.get(name, _NONE)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat(row: JSON | None) -> dict[str, Any]:
    if row is None:
        return {}
    flat = dict(row["attrs"] or {})
    for part in _PARTS:
        value = row[part]
        flat |= {f"{part}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {part: value}
    return flat


def diff_text(changes: Sequence[RowChange], before: int, after: int, style: Style = PLAIN) -> str:
    """The differences between serial `before` and serial `after`."""
    if not changes:
        return f"Serials {before} and {after}: no difference."
    counts = ", ".join(
        f"{number} {_WORDS[action]}" for action in _SIGNS if (number := sum(c.action == action for c in changes))
    )
    blocks = [f"From serial {before} to {after}: {counts}"]
    for change in changes:
        sign, colour = _SIGNS[change.action]
        lines = [style(colour, f"{sign} {change.address}")]
        lines += [f"    {name}: {values}" for name, values in _pairs(change)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _pairs(change: RowChange) -> list[tuple[str, str]]:
    """The fields to show; for a row that exists at one serial only, its attributes."""
    before, after = change.before, change.after
    if before is None or after is None:
        row = before or after or {}
        return [(name, _value(value)) for name, value in (row["attrs"] or {}).items()]
    found = [(name, _both(old, new)) for name, (old, new) in fields_of(change).items()]
    return found or [("run", f"{before['run']} -> {after['run']}")]


def _both(before: Any, after: Any) -> str:
    if _secret(before) and _secret(after):
        return "(sensitive, changed)"
    return f"{_value(before)} -> {_value(after)}"


def _value(value: Any) -> str:
    return "(sensitive)" if _secret(value) else _NONE if value == _NONE else show(value)


def _secret(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("hmac:")


def diff_json(changes: Sequence[RowChange], before: int, after: int) -> StateDiffJson:
    """The differences as JSON; sensitive values as their HMAC."""
    return {
        "format_version": FORMAT_VERSION,
        "from": before,
        "to": after,
        "changes": [
            {
                "address": change.address,
                "action": cast("StateAction", change.action),
                "fields": {name: _sides(pair) for name, pair in fields_of(change).items()},
            }
            for change in changes
        ],
    }


def _sides(pair: tuple[Any, Any]) -> SidesJson:
    """A side without the field is omitted: null is a value."""
    before, after = pair
    sides: SidesJson = {}
    if before != _NONE:
        sides["before"] = before
    if after != _NONE:
        sides["after"] = after
    return sides


def _stored(row: Row) -> StoredResourceJson:
    return cast("StoredResourceJson", row_to_json(row))


def state_json(state: StateView) -> StateJson:
    """The whole state but the bytes of before-images; sensitive values as their HMAC."""
    runs: list[RunRecord] = state.runs()
    return {
        "format_version": FORMAT_VERSION,
        "lineage": state.lineage,
        "serial": state.serial,
        "resources": [_stored(row) for _, row in sorted(state.rows().items())],
        "hosts": [
            {"name": host.name, "host": host.host, "machine_id": host.machine_id, "facts": host.facts}
            for _, host in sorted(state.hosts().items())
        ],
        "runs": [{**run_json_of(run, state.tasks(run.id)), "stack_digest": run.stack_digest} for run in runs],
        "history": [
            {"serial": r.serial, "at": r.at, "run": r.run, "who": r.who, "what": r.what} for r in state.revisions()
        ],
    }
