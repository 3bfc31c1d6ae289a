"""Tasks as records of the store, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.address import Address
from hacore.errors import StoreError
from hacore.journal import Renaming, RunningTask, live_tasks, records_of, restore_tasks
from hacore.load.stack import Instance
from hacore.model import Host, Op, Status
from hacore.plan import PlanTask
from hacore.store import TaskRecord, row_to_json
from hacore.testing import KINDS
from tests.journal.runs import changed
from tests.plan.table import HERE, row_of, spec_of

DAEMON, THING, GATE = (Address.parse(text) for text in ("daemon.web@a", "thing.bin@a", "gate.g@a"))
RELOAD = PlanTask(
    "t1",
    Op.TRIGGER,
    "daemon",
    "a",
    (DAEMON,),
    trigger="reload",
    sources=(THING,),
    disrupts="reload",
    group="v daemon.web",
    guarded=(GATE,),
    reload_group="v",
)


def record(task: PlanTask) -> TaskRecord:
    return records_of(1, live_tasks([task], {}), {}, KINDS, str)[0]


def test_a_trigger_comes_back_with_its_sources_and_its_turn() -> None:
    assert restore_tasks([record(RELOAD)], KINDS, {})[0].task == RELOAD


@pytest.mark.parametrize(("key", "field"), [("guarded",) * 2, ("sources",) * 2, ("abreast", "reload_group")])
def test_a_record_of_before_a_field_is_read_without_it(key: str, field: str) -> None:
    stored = record(RELOAD)
    older = replace(stored, payload={name: value for name, value in stored.payload.items() if name != key})
    blank = "" if key == "abreast" else ()
    assert restore_tasks([older], KINDS, {})[0].task == replace(RELOAD, **{field: blank})


def test_what_a_record_names_follows_a_rename() -> None:
    moved = Renaming({}, {"a": "z"}).task(record(RELOAD))
    task = restore_tasks([moved], KINDS, {})[0].task
    assert {a.host for a in (*task.addresses, *task.sources, *task.guarded)} == {"z"}
    assert len(task.guarded) == len(task.sources) == 1


def test_the_rows_before_a_task_are_those_of_its_addresses_and_of_their_former_ones() -> None:
    old, other = row_of("thing.old@a"), row_of("thing.other@a")
    change = replace(changed("thing.new@a", "~"), inherits=old.address)
    task = PlanTask("t1", Op.CHANGE, "thing", "a", (change.address,), (change, changed("thing.bin@a", "+")))
    (live,) = live_tasks([task], {row.address: row for row in (old, other)})
    assert live.before == {change.address: None, THING: None, old.address: row_to_json(old)}


def test_the_spec_of_what_no_stack_names_is_kept_without_its_defaults() -> None:
    change = changed("thing.bin@a", "~", key="/bin")
    task = PlanTask("t1", Op.RESTORE, "thing", "a", (THING,), (change,))
    assert record(task).payload["changes"][0]["spec"] == {"key": "/bin"}


@pytest.mark.parametrize(
    ("action", "in_stack", "key"),
    [
        ("~", True, "/new"),
        ("+", True, "/new"),
        # an undo of a delete makes what was recorded, also where the stack has the address again
        ("-", True, "/old"),
        ("-", False, "/old"),
        ("~", False, "/old"),
    ],
)
def test_a_record_has_the_new_spec_of_what_is_written_and_the_recorded_one_of_what_is_deleted(
    action: str, in_stack: bool, key: str
) -> None:
    change = replace(changed(str(THING), action, key="/new"), row=row_of(str(THING), key="/old"))
    task = PlanTask("t1", Op.CHANGE, "thing", "a", (THING,), (change,))
    instances = {THING: Instance(THING, spec_of(THING, {"key": "/new"}), "a", ("a",), HERE)} if in_stack else {}
    (found,) = records_of(1, live_tasks([task], {}), instances, KINDS, str)
    assert found.payload["changes"][0]["spec"] == {"key": key}


@pytest.mark.parametrize(
    ("status", "intent", "stored", "restored"),
    [
        (Status.DO, False, "do", False),
        # it continues a task that an interrupted run may have left half done
        (Status.DO, True, "doing", True),
        (Status.HOLD, False, "hold", False),
        (Status.DONE, True, "done", True),
        (Status.ERROR, True, "error", True),
    ],
)
def test_a_record_shows_whether_a_host_may_have_been_touched(
    status: Status, intent: bool, stored: str, restored: bool
) -> None:
    (found,) = records_of(1, [RunningTask(RELOAD, status, intent=intent)], {}, KINDS, str)
    assert found.status == stored
    assert restore_tasks([found], KINDS, {})[0].intent is restored


def test_records_are_numbered_from_the_first_one() -> None:
    lives = live_tasks([RELOAD, replace(RELOAD, id="t2")], {})
    assert [r.position for r in records_of(1, lives, {}, KINDS, str)] == [0, 1]
    assert [r.position for r in records_of(1, lives, {}, KINDS, str, first=4)] == [4, 5]


def test_the_rows_and_images_of_a_restore_are_read_again() -> None:
    row = row_to_json(row_of(str(THING), text="old"))
    task = PlanTask("t1", Op.RESTORE, "thing", "a", (THING,), restores={THING: 3}, rows={THING: row, GATE: None})
    live = RunningTask(task, image_ids={THING: 5}, before={THING: row, GATE: None})
    (found,) = restore_tasks(records_of(1, [live], {}, KINDS, str), KINDS, {})
    assert (found.task, found.image_ids, found.before) == (task, {THING: 5}, {THING: row, GATE: None})


def test_a_change_is_read_again_with_its_host_and_what_the_plan_showed_of_it() -> None:
    change = replace(
        changed("thing.new@a", "-/+", key="/n"), inherits=THING, reason="why", effect="reload", irreversible="no copy"
    )
    task = PlanTask("t1", Op.CHANGE, "thing", "a", (change.address,), (change,))
    host = Host(name="a", address="192.0.2.1")
    (found,) = restore_tasks([record(task)], KINDS, {"a": host})[0].task.changes
    assert found == replace(change, change=replace(change.change, host=host))


def test_a_task_of_a_missing_kind_cannot_be_undone() -> None:
    task = PlanTask("t1", Op.CHANGE, "thing", "a", (THING,), (changed(str(THING), "~"),))
    with pytest.raises(StoreError, match=r"^cannot undo thing\.bin@a: "):
        restore_tasks([record(task)], {}, {})
