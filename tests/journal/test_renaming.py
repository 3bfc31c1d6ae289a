"""What a record names follows a rename: addresses, hosts, selectors, rows, and the tasks of the journal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.errors import UsageError
from hacore.journal import Renaming
from hacore.model import JSON
from hacore.store import TaskRecord, row_from_json, row_to_json
from tests.plan.table import row_of

X, NEW, WEB = "thing.x@a", "thing.new@a", "daemon.web@a"


def renaming(moves: dict[str, str], recorded: tuple[str, ...] = (), **hosts: str) -> Renaming:
    def named(address: Address, spec: JSON) -> Collection[str]:
        return tuple(spec.get("reload_on", ())) if address.kind == "daemon" else ()

    wanted = {Address.parse(old): Address.parse(new) for old, new in moves.items()}
    return Renaming(wanted, hosts, tuple(map(Address.parse, recorded)), named)


@pytest.mark.parametrize(
    ("address", "after"),
    [(X, NEW), ("thing.y@a", "thing.y@z"), ("thing.y@b", "thing.y@b"), ("vip.v", "vip.v")],
)
def test_an_address(address: str, after: str) -> None:
    assert renaming({X: NEW}, a="z").text(address) == after


@pytest.mark.parametrize(
    ("selector", "after"),
    [
        (X, NEW),
        ("thing.x", "thing.new"),
        ("thing.y", "thing.y"),
        # it selects another one as well, which keeps its name
        ("thing.many", "thing.many"),
        ('thing.many["1"]', 'thing.one["1"]'),
        ("thing.all", "thing.every"),
    ],
)
def test_a_selector_follows_when_all_that_it_selects_do(selector: str, after: str) -> None:
    moves = {
        X: NEW,
        'thing.many["1"]@a': 'thing.one["1"]@a',
        'thing.all["1"]@a': 'thing.every["1"]@a',
        'thing.all["2"]@a': 'thing.every["2"]@a',
    }
    recorded = (*moves, 'thing.many["2"]@a', "thing.y@a")
    assert renaming(moves, recorded).selector(selector) == after


def test_a_row_with_all_that_it_names() -> None:
    body = {"unit": "web", "reads": ("thing.x",), "reload_on": ("thing.x", "thing.y")}
    row = replace(row_of(WEB, needs=(X, "thing.y@a"), **body), loaded={X: "m", "thing.y@a": None}, origin=4)
    moved = renaming({X: NEW}, (X, "thing.y@a", WEB)).row(row)
    wanted = {**row.spec, "reload_on": ["thing.new", "thing.y"], "reads": ["thing.new"]}
    assert moved == replace(
        row, spec=wanted, needs=(NEW, "thing.y@a"), loaded={NEW: "m", "thing.y@a": None}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("address", "hosts", "moves", "renamed", "after"),
    [
        (X, ("a",), {X: NEW}, {}, ("a",)),
        # to another host, by itself or since the host was renamed
        (X, ("a",), {X: "thing.x@b"}, {}, ("b",)),
        (X, ("a",), {}, {"a": "z"}, ("z",)),
        # of several hosts
        ("vip.v", ("a", "b"), {}, {"a": "z"}, ("z", "b")),
        ("vip.v", ("a", "b"), {"vip.v": "vip.w"}, {}, ("a", "b")),
    ],
)
def test_hosts_follow(
    address: str, hosts: tuple[str, ...], moves: dict[str, str], renamed: dict[str, str], after: tuple[str, ...]
) -> None:
    row = replace(row_of(X), address=Address.parse(address), hosts=hosts)
    found = renaming(moves, **renamed)
    assert found.row(row).hosts == after
    change = {"address": address, "spec": {}, "hosts": list(hosts), "inherits": None}
    record = task(address, payload={"changes": [change]})
    assert found.task(record).payload["changes"][0]["hosts"] == list(after)


def task(*addresses: str, **more: Any) -> TaskRecord:
    host = more.pop("host", Address.parse(addresses[0]).host)
    return TaskRecord(7, "t1", "change", "thing", host, addresses, "done", **more)


def test_a_task_with_all_that_it_names() -> None:
    old, daemon = row_to_json(row_of(X, text="v0")), row_of(WEB, unit="web", reload_on=("thing.x",))
    spec = dict(daemon.spec)
    changes = [
        {"address": WEB, "spec": spec, "hosts": ["a"], "inherits": X, "reason": "why"},
        {"address": X, "spec": {"key": "/x"}, "hosts": ["a"], "inherits": None},
    ]
    payload = {"changes": changes, "sources": [X], "guarded": [X], "restores": {X: 3}, "rows": {X: old, WEB: None}}
    record = task(X, payload=payload, images={X: 3}, before={X: old, WEB: None})
    moved = renaming({X: NEW}, (X, WEB)).task(record)
    new = row_to_json(replace(row_from_json(old), address=Address.parse(NEW)))
    assert moved == replace(
        record,
        addresses=(NEW,),
        payload={
            "changes": [
                {**changes[0], "spec": {**spec, "reload_on": ["thing.new"]}, "inherits": NEW},
                {**changes[1], "address": NEW},
            ],
            "sources": [NEW],
            "guarded": [NEW],
            "restores": {NEW: 3},
            "rows": {NEW: new, WEB: None},
        },
        images={NEW: 3},
        before={NEW: new, WEB: None},
    )


def test_what_an_older_record_has_not_is_not_added() -> None:
    assert renaming({X: NEW}).task(task(X, payload={"trigger": ""})).payload == {"trigger": "", "changes": []}


@pytest.mark.parametrize(
    ("record", "moves", "host"),
    [
        (task(X), {X: "thing.x@b"}, "b"),
        (task(X), {"thing.y@a": "thing.y@b"}, "z"),
        (task("vip.v", host=None), {}, None),
        # one host of what is on several
        (task("vip.v", host="a"), {}, "z"),
    ],
)
def test_a_task_is_on_the_host_of_its_addresses(record: TaskRecord, moves: dict[str, str], host: str | None) -> None:
    assert renaming(moves, a="z").task(record).host == host


def test_a_task_of_two_hosts_cannot_be() -> None:
    with pytest.raises(UsageError, match=r"run 7 changed thing.x@a, thing.y@a together; move all of them"):
        renaming({X: "thing.x@b"}).task(task(X, "thing.y@a"))
