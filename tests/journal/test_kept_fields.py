"""What a record keeps of a task: enough to go on with it and to undo it when stack and variables are gone."""

from __future__ import annotations

import json
from dataclasses import fields, replace

from hacore.address import Address
from hacore.contract import Change
from hacore.journal import RunningTask, records_of, restore_tasks
from hacore.model import Action, Host, Op, Status
from hacore.plan import PlannedChange, PlanTask
from hacore.store import TaskRecord
from hacore.store.columns import task_columns, task_from_columns
from hacore.testing import KINDS
from hacore.testing.things import ThingSpec
from tests.fields import left_at_their_default

HOST = Host(name="a", address="192.0.2.1")
ADDRESS = Address.parse("thing.conf@a")
OTHER = Address.parse("thing.old@a")
ROW = {"address": "thing.conf@a"}
CHANGE = PlannedChange(
    ADDRESS,
    Action.DELETE,
    Change(ADDRESS, Action.DELETE, ThingSpec(key="/x"), host=HOST),
    reason="why",
    hosts=("a",),
    inherits=OTHER,
    irreversible="gone for good",
    effect="stop x",
)
NOT_OF_A_CHANGE = {"moves", "reduces", "attrs", "observed", "desired", "row", "takers", "disrupts", "ensured"}
"""An undo goes by the images and by the rows as they were, which a record has beside the change."""
TASK = PlanTask(
    id="t1",
    op=Op.TRIGGER,
    kind="thing",
    host="a",
    addresses=(ADDRESS,),
    changes=(CHANGE,),
    needs=("t0",),
    lane=3,
    trigger="reload",
    sources=(OTHER,),
    exclusive="packs",
    disrupts="reload",
    group="v",
    reload_group="web",
    keep_on_failure=True,
    restores={ADDRESS: 5},
    rows={ADDRESS: ROW, OTHER: None},
)
NOT_OF_A_TASK = {"guarded", "wanted"}
"""Found anew when a run is gone on with."""
LIVE = RunningTask(
    TASK,
    status=Status.UNDOING,
    image_ids={ADDRESS: 7},
    before={ADDRESS: ROW, OTHER: None},
    error="cannot",
    started=1.5,
    ended=2.5,
)


def kept(live: RunningTask) -> tuple[TaskRecord, RunningTask]:
    """The record of a task, as it ended, through columns and JSON, and what comes back."""
    (record,) = records_of(2, [live], {}, KINDS, str, first=4)
    record = replace(record, error=live.error, started=live.started, ended=live.ended)  # by SetTask, when it is known
    columns = json.loads(json.dumps(task_columns(record)))
    (back,) = restore_tasks([task_from_columns(columns, record.images)], KINDS, {"a": HOST})
    return record, back


def test_the_samples_have_something_in_every_field_that_is_kept() -> None:
    assert left_at_their_default(CHANGE, NOT_OF_A_CHANGE) == []
    assert left_at_their_default(TASK, NOT_OF_A_TASK) == []
    assert {f.name for f in fields(PlannedChange)} >= NOT_OF_A_CHANGE
    assert {f.name for f in fields(PlanTask)} >= NOT_OF_A_TASK


def test_every_field_of_a_task_comes_back() -> None:
    record, back = kept(LIVE)
    assert back.task == TASK
    assert back.task.changes[0].change.host == HOST
    assert (back.status, back.image_ids, back.before) == (Status.UNDOING, LIVE.image_ids, LIVE.before)
    assert (back.error, back.started, back.ended, back.intent) == ("cannot", 1.5, 2.5, True)
    assert (record.run, record.position) == (2, 4)


def test_what_is_not_kept_is_just_that() -> None:
    """Whoever keeps one of these takes it off the list, so that its sample is wanted."""
    task = replace(TASK, wanted=((ADDRESS, ThingSpec()),))
    assert kept(RunningTask(task))[1].task == TASK


def test_each_status_and_op_comes_back() -> None:
    for status in Status:
        intent = status not in (Status.DO, Status.HOLD)
        back = kept(RunningTask(TASK, status=status))[1]
        assert (back.status, back.intent) == (status, intent)
    for op in Op:
        assert kept(RunningTask(replace(TASK, op=op)))[1].task.op is op
    for action in Action:
        change = replace(CHANGE, action=action, change=replace(CHANGE.change, action=action))
        assert kept(RunningTask(replace(TASK, changes=(change,))))[1].task.changes[0].action is action
