"""The record of a rollout: one file for each fleet run, one JSON object a line, on disk before the next step.

A line before a unit begins, and one with its outcome. A unit that began and has no outcome was interrupted: the
next attempt finds in the state of its stack what was done. No value of a variable is recorded, only a digest of the
member, so `--resume` refuses a fleet that changed since.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..disk import append_lines, create_file
from ..errors import LockedError, StoreError
from .codec import member_to_json, outcome_from_json, policy_from_json, policy_to_json
from .rollout import Policy, Progress
from .values import Member, Outcome, Verb

FORMAT = 1


@dataclass(frozen=True, slots=True)
class FleetRun:
    """A rollout as recorded. `digests`: of each member; `runs`: of each stack, for a rollback; `ended`: Unix time.

    `begun`: the stacks of which the unit began, and when it did first, as Unix time.

    `status`: running (or interrupted), done, stopped. `why`: why it stopped.
    """

    id: int
    fleet: str
    verb: Verb
    who: str
    started: float
    waves: tuple[tuple[str, ...], ...]
    labels: Mapping[str, Mapping[str, str]]
    policy: Policy
    digests: Mapping[str, str]
    soak: int = 0
    runs: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    begun: Mapping[str, float] = field(default_factory=dict)
    checked: int = 0
    unclean: str = ""
    status: str = "running"
    why: str = ""
    ended: float | None = None

    @property
    def progress(self) -> Progress:
        """For `decide`, with nothing running: a unit without an outcome begins again, to find what it did."""
        outcomes = {name: outcome.result for name, outcome in self.outcomes.items()}
        return Progress(outcomes, checked=self.checked, unclean=self.unclean)

    def result(self, stack: str) -> str:
        """What became of a stack: one of SHOWN."""
        return self.outcomes[stack].result if stack in self.outcomes else "open"

    @property
    def stacks(self) -> tuple[str, ...]:
        """All stacks, in the order of waves."""
        return tuple(name for wave in self.waves for name in wave)


def digest_of(member: Member) -> str:
    """A digest of a member: its row, and all files beside its stack file but hidden ones and states."""
    found = hashlib.sha256(json.dumps(member_to_json(member), sort_keys=True).encode())
    folder = Path(member.file).parent
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] != "state" and not any(part.startswith(".") for part in parts):
            found.update(f"{'/'.join(parts)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return found.hexdigest()[:32]


class Book:
    """The records of a fleet, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        """The numbers of all runs."""
        return sorted(int(path.stem) for path in self.folder.glob("*.jsonl") if path.stem.isdigit())

    def create(self, run: FleetRun) -> FleetRun:
        """Record a new run under the next free number. Raises StoreError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                run = replace(run, id=max(self.numbers(), default=0) + 1)
                head = {"type": "run", "format": FORMAT, **_head(run)}
                try:
                    create_file(self._path(run.id), f"{json.dumps(head, sort_keys=True)}\n".encode())
                except FileExistsError:
                    continue
                return run
        except OSError as error:
            raise StoreError(f"cannot record a fleet run in {self.folder}: {error.strerror}") from error

    def add(self, run: int, kind: str, **values: Any) -> float:
        """Append a line; it is on disk when this returns its time, as Unix time. Raises StoreError."""
        at = time.time()
        line = json.dumps({"type": kind, "at": at, **values}, sort_keys=True)
        try:
            append_lines(self._path(run), [line])
        except OSError as error:
            raise StoreError(f"cannot record fleet run {run}: {error.strerror}") from error
        return at

    def read(self, run: int | None = None) -> FleetRun:
        """A run, or the newest one. Raises StoreError."""
        numbers = self.numbers()
        if run is None and numbers:
            run = numbers[-1]
        if run is None or run not in numbers:
            what = "no fleet run is recorded yet" if run is None else f"fleet run {run} is not recorded"
            raise StoreError(f"cannot show: {what}; `hacore fleet runs` lists the runs")
        lines = self._path(run).read_text("utf-8", "replace").splitlines()
        return replay([found for line in lines for found in _parsed(line)], run)

    @contextmanager
    def coordinating(self, run: int) -> Iterator[None]:
        """Be the only process that begins units of a run. Raises LockedError."""
        with self._path(run).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise LockedError(f"cannot coordinate fleet run {run}: another process does; wait for it") from None
            yield

    def is_running(self, run: int) -> bool:
        """Whether a process begins units of a run now."""
        try:
            with self.coordinating(run):
                return False
        except LockedError:
            return True

    def _path(self, run: int) -> Path:
        return self.folder / f"{run:06}.jsonl"


def _parsed(line: str) -> list[dict[str, Any]]:
    """The object of a line; nothing for one that a power cut left incomplete."""
    try:
        return [json.loads(line)]
    except ValueError:
        return []


def _head(run: FleetRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "fleet": run.fleet,
        "verb": run.verb,
        "who": run.who,
        "started": run.started,
        "waves": [list(wave) for wave in run.waves],
        "labels": {name: dict(labels) for name, labels in run.labels.items()},
        "policy": policy_to_json(run.policy),
        "digests": dict(run.digests),
        "soak": run.soak,
        "runs": dict(run.runs),
    }


def replay(lines: Sequence[Mapping[str, Any]], number: int) -> FleetRun:
    """The run that lines describe. Raises StoreError for a record that is damaged or of a newer version."""
    head = lines[0] if lines and lines[0].get("type") == "run" else {}
    if not head or head["format"] > FORMAT:
        why = "its first line is damaged" if not head else "a newer hacore wrote it; update hacore"
        raise StoreError(f"cannot read the record of fleet run {number}: {why}")
    run = FleetRun(
        id=number,
        fleet=head["fleet"],
        verb=head["verb"],
        who=head["who"],
        started=head["started"],
        waves=tuple(tuple(wave) for wave in head["waves"]),
        labels=head["labels"],
        policy=policy_from_json(head["policy"]),
        digests=head["digests"],
        soak=head["soak"],
        runs=head["runs"],
    )
    for line in lines[1:]:
        run = _after(run, line)
    return run


def _after(run: FleetRun, line: Mapping[str, Any]) -> FleetRun:
    match line["type"]:
        case "begun":
            return replace(run, begun={line["stack"]: line["at"], **run.begun})
        case "ended":
            return replace(run, outcomes={**run.outcomes, line["stack"]: outcome_from_json(line["outcome"])})
        case "checked":
            return replace(run, checked=line["wave"] + 1)
        case "unclean":
            return replace(run, unclean=line["why"])
        case "end":
            return replace(run, status=line["status"], why=line["why"], ended=line["at"])
    return run


def user_and_process() -> str:
    """Who coordinates, for the record."""
    from ..engine.means import whoami

    return f"{whoami()} (pid {os.getpid()})"
