"""Fleets: what a plan, a drift check or a rollout found, by stack, as text and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ..fleet.record import FleetRun
from ..fleet.values import SHOWN, Member, Outcome
from ..plan.public_json import FORMAT_VERSION
from .words import clean, count, cut, span, when

if TYPE_CHECKING:
    from .fleet_formats import FleetReportJson, FleetRunJson, FleetRunsJson, FleetStackJson

_MOST = 20  # stacks that are named in a text
Status = Literal["running", "interrupted", "stopped", "done"]


def status_of(run: FleetRun, *, alive: bool) -> Status:
    """The status in words; `alive`: whether its coordinator runs."""
    if run.status == "done":
        return "done"
    if run.status == "stopped":
        return "stopped"
    return "running" if alive else "interrupted"


def summary_of(run: FleetRun, stacks: Sequence[str] | None = None) -> dict[str, int]:
    """How many stacks ended in which way: all of the run, or some of them."""
    found = Counter(map(run.result, run.stacks if stacks is None else stacks))
    return {result: found[result] for result in SHOWN if found[result]}


def words_of(summary: Mapping[str, int]) -> str:
    """A summary in words."""
    return ", ".join(f"{number} {'not done' if result == 'open' else result}" for result, number in summary.items())


def ended_text(stack: str, outcome: Outcome, done: int, of: int) -> str:
    """A line of progress."""
    about = [] if outcome.run is None else [f"run {outcome.run}"]
    about.append(span(outcome.seconds))
    error = f": {outcome.error}" if outcome.error else ""
    return clean(f"[{done}/{of}] {stack}: {outcome.result} ({', '.join(about)}){error}")


def sweep_text(fleet: str, outcomes: Mapping[str, Outcome]) -> str:
    """The result of plan or drift: equal plans are one group."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, outcome in outcomes.items():
        counts = ", ".join(f"{number} {word}" for word, number in outcome.counts.items())
        shape = outcome.digest if outcome.result == "differs" else ""
        groups.setdefault((outcome.result, counts, shape), []).append(name)
    lines = [f"Fleet {fleet}: {count(len(outcomes), 'stack')}"]
    for (result, counts, _), names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        verb = "differ" if result == "differs" and len(names) > 1 else result
        lines.append(f"  {count(len(names), 'stack')} {verb}{f': {counts}' if counts else ''}")
        if result != "unchanged":
            shown = [f"    {name}{_error(outcomes[name])}" for name in names]
            lines += cut(shown, _MOST)
    return clean("\n".join(lines))


def _error(outcome: Outcome) -> str:
    return f": {outcome.error}" if outcome.error else ""


def waves_text(waves: Sequence[Sequence[str]]) -> str:
    """The waves of a rollout, each with its first stacks."""
    lines = []
    for number, wave in enumerate(waves, start=1):
        names = ", ".join(wave[:3]) + (", …" if len(wave) > 3 else "")
        lines.append(f"  wave {number}: {count(len(wave), 'stack')} ({names})")
    return clean("\n".join(lines))


def run_text(run: FleetRun, *, alive: bool) -> str:
    """A fleet run, by wave: done, failed, not begun."""
    status = status_of(run, alive=alive)
    lines = [f"Fleet {run.fleet}, run {run.id} ({run.verb}): {status}, {words_of(summary_of(run))}"]
    if run.why:
        lines.append(f"  {run.why}")
    for number, wave in enumerate(run.waves):
        state = "checked" if number < run.checked else "open" if any(n in run.begun for n in wave) else "not begun"
        lines.append(f"  wave {number + 1} of {len(run.waves)}: {state}, {words_of(summary_of(run, wave))}")
    bad = [name for name in run.stacks if name in run.outcomes and run.outcomes[name].error]
    lines += cut([f"    {name}: {run.outcomes[name].result}: {run.outcomes[name].error}" for name in bad], _MOST)
    return clean("\n".join(lines))


def runs_text(runs: Sequence[FleetRun], alive: frozenset[int]) -> str:
    """A line for each fleet run, the newest first."""
    lines = []
    for run in sorted(runs, key=lambda run: -run.id):
        status = status_of(run, alive=run.id in alive)
        lines.append(f"{run.id:>4}  {when(run.started)}  {run.verb:<8}  {status:<11}  {words_of(summary_of(run))}")
    return clean("\n".join(lines))


def stack_text(run: FleetRun, name: str) -> str:
    """One stack of a fleet run."""
    outcome = run.outcomes.get(name)
    if outcome is None:
        return f"{name}: {'interrupted' if name in run.begun else 'not begun'}"
    counts = ", ".join(f"{number} {word}" for word, number in outcome.counts.items())
    lines = [f"{name}: {outcome.result} ({span(outcome.seconds)})"]
    lines += [f"  {counts}"] if counts else []
    lines += [f"  run {outcome.run} in the state of the stack"] if outcome.run is not None else []
    lines += [f"  {outcome.error}"] if outcome.error else []
    return clean("\n".join(lines))


def sweep_json(
    fleet: str, verb: str, members: Mapping[str, Member], outcomes: Mapping[str, Outcome]
) -> FleetReportJson:
    """The result of plan, drift or validate as JSON."""
    stacks = [_stack(name, member.labels, outcomes.get(name), None) for name, member in members.items()]
    return {"format_version": FORMAT_VERSION, "fleet": fleet, "verb": verb, "stacks": stacks}


def run_json(run: FleetRun, *, alive: bool) -> FleetRunJson:
    """A fleet run as JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "fleet": run.fleet,
        "run": run.id,
        "verb": run.verb,
        "status": status_of(run, alive=alive),
        "why": run.why,
        "who": run.who,
        "started": run.started,
        "ended": run.ended,
        "waves": len(run.waves),
        "waves_done": run.checked,
        "summary": summary_of(run),
        "stacks": [
            _stack(name, run.labels[name], run.outcomes.get(name), number)
            for number, wave in enumerate(run.waves, start=1)
            for name in wave
        ],
    }


def runs_json(fleet: str, runs: Sequence[FleetRun], alive: frozenset[int]) -> FleetRunsJson:
    """All fleet runs as JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "fleet": fleet,
        "runs": [
            {
                "run": run.id,
                "verb": run.verb,
                "status": status_of(run, alive=run.id in alive),
                "started": run.started,
                "who": run.who,
                "summary": summary_of(run),
            }
            for run in runs
        ],
    }


def _stack(name: str, labels: Mapping[str, str], outcome: Outcome | None, wave: int | None) -> FleetStackJson:
    found = outcome or Outcome("unchanged")
    return {
        "name": name,
        "labels": dict(labels),
        "wave": wave,
        "result": "open" if outcome is None else found.result,
        "run": found.run,
        "counts": dict(found.counts),
        "error": found.error,
        "seconds": round(found.seconds, 3),
    }
