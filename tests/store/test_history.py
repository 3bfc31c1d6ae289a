"""Each commit that changes rows is kept, so any earlier state can be shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hacore.address import Address
from hacore.errors import StoreError, UsageError
from hacore.model import Row
from hacore.store import (
    Delta,
    DropRow,
    PutRow,
    PutRun,
    Revision,
    RunRecord,
    SetLoaded,
    SetTask,
    StateReader,
    StateWriter,
    TaskRecord,
    episodes,
    row_to_json,
)
from hacore.store.history import rows_at

OpenWriter = Callable[..., Awaitable[StateWriter]]
MakeRow = Callable[..., Row]


async def test_the_state_at_each_serial_can_be_shown(url: str, writer: StateWriter, make_row: MakeRow) -> None:
    a, b = make_row("file.a@lb1", loaded={"file.b@lb1": "1"}), make_row("file.b@lb1")
    kept: list[dict[str, object]] = [{}]

    async def commit(*moves: object) -> None:
        serial = writer.serial
        await writer.commit(*moves)  # type: ignore[arg-type]
        if writer.serial > serial:
            kept.append({str(address): row_to_json(row) for address, row in writer.rows().items()})

    await commit(PutRow(a))
    await commit(PutRow(b), PutRow(make_row("file.a@lb1", attrs={"mode": "0600"})))
    await commit(PutRow(b))  # nothing new: no serial
    await commit(SetLoaded(a.address, {"file.b@lb1": None}))
    await commit(DropRow(a.address), PutRow(make_row("file.b@lb1", tainted=True)), PutRow(b))
    await commit(PutRow(a), DropRow(b.address))

    for state in (writer, StateReader.open(url)):
        assert state is not None
        assert [state.rows_at(serial) for serial in range(writer.serial + 1)] == kept
        assert [revision.serial for revision in state.revisions()] == list(range(1, len(kept)))
        for wrong in (-1, len(kept)):
            with pytest.raises(UsageError, match=f"the history has serials 0 to {len(kept) - 1}"):
                state.rows_at(wrong)
        if isinstance(state, StateReader):
            state.close()


async def test_a_commit_that_fails_leaves_no_history(url: str, writer: StateWriter, make_row: MakeRow) -> None:
    with pytest.raises(StoreError):
        await writer.commit(PutRow(make_row()), SetTask(1, "t9", {"status": "done"}))

    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert (reader.revisions(), reader.deltas()) == ([], [])


async def test_it_is_told_who_changed_what_in_which_run(
    open_writer: OpenWriter, make_row: MakeRow, make_run: Callable[..., RunRecord]
) -> None:
    writer = await open_writer()
    run = await writer.new_run(make_run(), [])
    await asyncio.gather(*(writer.commit(PutRow(make_row(f"file.f{n}@lb1"))) for n in range(9)))
    await writer.commit(PutRow(make_row("file.f0@lb1", attrs=None)), DropRow(Address.parse("file.f1@lb1")))
    await writer.commit(PutRun(make_run(id=run, status="done")), DropRow(Address.parse("file.f2@lb1")))
    await writer.close()
    other = await open_writer(who="bob@ci", what="state rm")
    await other.commit(DropRow(Address.parse("file.f0@lb1")), DropRow(Address.parse("file.f3@lb1")))

    last, first = episodes(other.rows_json(), other.revisions(), other.deltas())

    assert {(r.run, r.who, r.what) for r in first.revisions} == {(run, "ann@desk", "apply")}
    assert {c.address: c.action for c in first.changes} == {f"file.f{n}@lb1": "create" for n in (0, 3, 4, 5, 6, 7, 8)}
    assert [(r.run, r.who, r.what) for r in last.revisions] == [(None, "bob@ci", "state rm")]
    assert [(c.address, c.action) for c in last.changes] == [("file.f0@lb1", "delete"), ("file.f3@lb1", "delete")]


async def test_pruning_runs_prunes_their_history_and_leaves_the_rest(
    writer: StateWriter, make_row: MakeRow, make_run: Callable[..., RunRecord], make_task: Callable[..., TaskRecord]
) -> None:
    for number in (1, 2, 3):
        run = await writer.new_run(make_run(), [make_task()])
        await writer.commit(PutRow(make_row(f"file.f{number}@lb1")))
        await writer.commit(PutRow(make_row("file.x@lb1", attrs={"n": number})))
        await writer.commit(PutRun(make_run(id=run, status="done")))
    at_five = writer.rows_at(5)

    await writer.prune(1)

    assert [revision.serial for revision in writer.revisions()] == [5, 6]
    assert writer.rows_at(5) == at_five
    assert sorted(writer.rows_at(4)) == ["file.f1@lb1", "file.f2@lb1", "file.x@lb1"]
    with pytest.raises(UsageError, match="4 to 6"):
        writer.rows_at(3)


values = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), max_size=4)


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=8))
def test_taking_back_later_commits_gives_every_earlier_state(states: list[dict[str, int]]) -> None:
    deltas = [
        Delta(serial, key, before.get(key))
        for serial, (before, after) in enumerate(pairwise(states), 1)
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    newest_first = sorted(deltas, key=lambda delta: -delta.serial)

    assert [rows_at(states[-1], newest_first, serial) for serial in range(len(states))] == states
    revisions = [
        Revision(serial, 0.0, float(serial // 3), None, "", "") for serial in sorted({d.serial for d in deltas})
    ]
    for episode in episodes(states[-1], revisions, newest_first):
        first, last = episode.revisions[0].serial - 1, episode.revisions[-1].serial
        assert {(c.address, c.before, c.after) for c in episode.changes} == {
            (key, states[first].get(key), states[last].get(key))
            for key in "abcd"
            if states[first].get(key) != states[last].get(key)
        }
