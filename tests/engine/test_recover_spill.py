"""Results that a run could not record: the next command records them, if they still fit the state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.engine.recover_spill import record_spilled, record_spilled_at
from hacore.model import Row
from hacore.store import Move, PutRow, PutRun, PutTask, RunRecord, SetTask, StateReader, StateWriter, TaskRecord

ROW = Row(Address.parse("file.x@a"), {}, 1, {"mode": "0600"}, hosts=("a",))
RUN = RunRecord(0, "apply", "interrupted", 1.0, None, "ann", "web", "d", "rollback")
TASKS = [TaskRecord(0, f"t{n}", "change", "file", "a", ("file.x@a",), "doing", position=n) for n in (1, 2)]
DONE = SetTask(1, "t1", {"status": "done"})


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return f"sqlite:///{tmp_path}/s.db"


async def lost(url: str, *moves: Move, status: str = "interrupted", later: bool = False) -> None:
    """A run that could not record `moves`; `later`: somebody changed the state after it."""
    async with await StateWriter.open(url, who="ann", what="apply") as writer:
        number = await writer.new_run(RUN, TASKS)
        await writer.commit(PutRun(replace(RUN, id=number, status=status)))
        if moves:
            writer.spill(*moves)
        if later:
            await writer.commit(PutRow(ROW))


def recorded(url: str) -> tuple[list[str], dict[Address, Row], int]:
    """The statuses of the run's tasks, the rows, and how many commits are still spilled."""
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        return [task.status for task in reader.tasks(1)], dict(reader.rows()), len(reader.spilled())


FITS = "run 1 lost its state; the results of {} of its tasks are now recorded"
DROPPED = "the results of a run that lost its state no longer fit the state; the hosts are checked instead"


@pytest.mark.parametrize(
    ("moves", "statuses", "warning"),
    [
        ((DONE, PutRow(ROW)), ["done", "doing"], FITS.format(1)),
        ((DONE, replace(DONE, id="t2"), DONE), ["done", "done"], FITS.format(2)),
        ((PutTask(replace(TASKS[1], run=1, status="hold")), DONE), ["done", "hold"], FITS.format(1)),
        ((PutRun(replace(RUN, id=1, who="bob")),), ["doing", "doing"], FITS.format(0)),
        # of another run
        ((DONE, replace(DONE, run=2)), ["doing", "doing"], DROPPED),
        ((PutTask(replace(TASKS[1], run=2)),), ["doing", "doing"], DROPPED),
        ((PutRun(replace(RUN, id=2)),), ["doing", "doing"], DROPPED),
    ],
)
async def test_what_was_spilled_is_recorded_if_it_is_of_the_interrupted_run(
    url: str, moves: tuple[Move, ...], statuses: list[str], warning: str
) -> None:
    await lost(url, *moves)
    warnings: list[str] = []
    await record_spilled_at(url, "bob", warnings.append)
    found, rows, left = recorded(url)
    assert (found, warnings, left) == (statuses, [warning], 0)
    assert list(rows.values()) == ([ROW] if PutRow(ROW) in moves else [])


@pytest.mark.parametrize(("status", "later"), [("interrupted", True), ("done", False), ("failed", False)])
async def test_what_no_longer_fits_is_dropped(url: str, status: str, later: bool) -> None:
    """The state has another serial since, or the run has ended."""
    await lost(url, DONE, status=status, later=later)
    warnings: list[str] = []
    async with await StateWriter.open(url, who="bob", what="rollback") as writer:
        await record_spilled(writer, warnings.append)
    found, _, left = recorded(url)
    assert (found, warnings, left) == (["doing", "doing"], [DROPPED], 0)


async def test_without_anything_spilled_nothing_is_opened_or_said(url: str) -> None:
    warnings: list[str] = []
    await record_spilled_at(url, "bob", warnings.append)
    assert StateReader.open(url) is None  # no state was made for it
    await lost(url)
    async with await StateWriter.open(url, who="bob", what="apply") as writer:
        await record_spilled(writer, warnings.append)
        await record_spilled_at(url, "eve", warnings.append)  # it is locked: a second writer would be refused
    assert warnings == []
