"""Tasks as records of the store, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.address import Address
from hacore.journal import Renaming, live_tasks, records_of, restore_tasks
from hacore.model import Op
from hacore.plan import PlanTask
from hacore.store import TaskRecord, row_to_json
from hacore.testing import KINDS
from tests.journal.runs import changed
from tests.plan.table import row_of

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
