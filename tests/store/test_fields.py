"""No field of a record is lost on its way to the disk and back: the samples have something in each."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.model import Connection, Host, Lifecycle, Row
from hacore.store import (
    HostRecord,
    LockInfo,
    Revision,
    RunRecord,
    TaskRecord,
    host_from_json,
    host_to_json,
    lifecycle_from_json,
    lifecycle_to_json,
    row_from_json,
    row_to_json,
    tables,
)
from hacore.store import columns as codec
from tests.fields import left_at_their_default

LIFECYCLE = Lifecycle(prevent_destroy=True, ignore_changes=("mode",), on_delete="keep", keep_on_failure=True)
HOST = Host(
    name="a",
    address="192.0.2.1",
    groups=("lb",),
    vars={"weight": 1},
    connection=Connection(
        transport="local",
        user="op",
        port=2222,
        become="sudo",
        identity_file="/k",
        connect_timeout=3.0,
        reconnect_timeout=4.0,
    ),
)
ROW = Row(
    address=Address.parse("thing.conf@a"),
    spec={"key": "/x"},
    schema_version=2,
    attrs={"text": "1"},
    info={"size": 1},
    sensitive=("text",),
    needs=("thing.y@a",),
    claims=("own path:/x",),
    hosts=("a",),
    lifecycle=LIFECYCLE,
    loaded={"thing.y@a": None},
    origin=3,
    found="different",
    tainted=True,
    run=4,
)
RUN = RunRecord(7, "rollback", "done", 1.5, 2.5, "me", "web", "d", "halt", (6,), {"env": "x"}, {"create": 1})
TASK = TaskRecord(
    run=7,
    id="t1",
    op="change",
    kind="thing",
    host="a",
    addresses=("thing.conf@a",),
    status="doing",
    needs=("t0",),
    lane=2,
    payload={"keep": True},
    images={"thing.conf@a": 5},
    before={"thing.conf@a": None},
    error="cannot",
    started=1.5,
    ended=2.5,
    position=3,
)
LOCK = LockInfo("me", "apply", 1.5, 42, "99", "pid:[1]", "boot", "machine", "host", "hardware", "token")
RECORD = HostRecord("a", {"name": "a"}, "machine", {"family": "debian"})
REVISION = Revision(5, 1.5, 2.5, 7, "me", "apply")


@pytest.mark.parametrize(
    "sample",
    [LIFECYCLE, HOST.connection, ROW, RUN, TASK, LOCK, RECORD, REVISION],
    ids=lambda sample: type(sample).__name__,
)
def test_the_samples_have_something_in_every_field(sample: Any) -> None:
    assert left_at_their_default(sample) == []


def test_the_sample_of_a_host_too() -> None:
    assert left_at_their_default(HOST, kept={"twin"}) == [], "a twin's body is never kept of a host"


def test_every_field_comes_back() -> None:
    assert lifecycle_from_json(json.loads(json.dumps(lifecycle_to_json(LIFECYCLE)))) == LIFECYCLE
    assert host_from_json(json.loads(json.dumps(host_to_json(HOST, variables=True)))) == HOST
    assert "vars" not in host_to_json(HOST)
    assert row_from_json(json.loads(json.dumps(row_to_json(ROW)))) == ROW
    assert codec.row_from_columns(codec.row_columns(ROW)) == ROW
    assert codec.run_from_columns({"id": 7, **codec.run_columns(RUN)}) == RUN
    assert codec.task_from_columns(codec.task_columns(TASK), TASK.images) == TASK
    for lock in (LOCK, replace(LOCK, hardware=""), replace(LOCK, machine_id="")):
        assert codec.lock_from_columns(codec.lock_columns(lock)) == lock
    assert codec.host_from_columns(codec.host_columns(RECORD)) == RECORD
    columns = {"serial": 5, "at": 1.5, "since": 2.5, "run": 7, "who": "me", "what": "apply"}
    assert codec.revision_from_columns(columns) == REVISION


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (tables.RESOURCE, codec.ROW_COLUMNS),
        (tables.HOST, codec.HOST_COLUMNS),
        (tables.RUN, codec.RUN_COLUMNS),
        (tables.TASK, codec.TASK_COLUMNS),
        (tables.REVISION, codec.REVISION_COLUMNS),
        (tables.LOCK, ("id", *codec.LOCK_COLUMNS)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_columns_that_are_read_are_those_of_the_table(table: Any, columns: tuple[str, ...]) -> None:
    assert tuple(column.name for column in table.columns if column.name != "state_id") == columns


def test_what_a_version_before_did_not_write_has_the_default_of_then() -> None:
    assert host_from_json({"name": "a", "address": "192.0.2.1"}) == Host(name="a", address="192.0.2.1")
    assert lifecycle_from_json({}) == Lifecycle()
