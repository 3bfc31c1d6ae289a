"""What a saved plan is refused for: each difference from the plan of now, and where it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Facts, HostFacts
from hacore.plan import HostStatus, Plan
from hacore.plan.differences import Difference, differences
from hacore.plan.saved_format import plan_to_json
from tests.plan.table import THING, Table, row_of, same_sha, seal

V1, V2 = same_sha("v1"), same_sha("v2")


def made(*, on_host: str | None = "v0", text: str = "v1", **body: Any) -> Plan:
    """thing.x@a is recorded as v1; on the host is `on_host`, desired is `text`."""
    table = Table()
    table.record(row_of(THING, text="v1", key="/x"))
    if on_host is not None:
        table.world["a"].data["/x"] = {"text": on_host}
    table.want(THING, **{"text": text, "key": "/x", **body})
    table.want("thing.z@b", text="v1")
    return table.make()


def saved(plan: Plan) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(plan_to_json(plan, seal)))
    return data


def words(before: Plan, after: Plan) -> list[str]:
    return [str(d) for d in differences(saved(before), saved(after))]


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        ({}, {}, []),
        ({}, {"patience": 5}, []),
        ({}, {"on_host": "v1"}, ["thing.x@a: is now unchanged, planned was update"]),
        (
            {"on_host": "v1"},
            {},
            [f"thing.x@a: is now an update, nothing was planned (text was {V1[:24]}…, is {same_sha('v0')[:24]}…)"],
        ),
        ({}, {"on_host": None}, ["thing.x@a: is now a create, planned was update (does not exist now)"]),
        ({"on_host": None}, {}, ["thing.x@a: is now an update, planned was create (exists now)"]),
        ({}, {"on_host": "v2"}, [f"thing.x@a: text was {same_sha('v0')[:24]}…, is {V2[:24]}…"]),
        (
            {"secret": True},
            {"on_host": "v2", "secret": True},
            ["thing.x@a: text has changed (sensitive)"],
        ),
        ({}, {"text": "v3"}, ["thing.x@a: the desired state has another value on this host now"]),
        ({}, {"disrupts": "reload"}, ["thing.x@a: it would be changed in another way now"]),
        ({}, {"irreversible": "no way back"}, ["thing.x@a: it could not be undone now"]),
        ({"irreversible": "no way back"}, {}, []),
        (
            {"mode": "0600", "replace_on": ("mode",)},
            {"mode": "0600"},
            ["thing.x@a: is now an update, planned was replace"],
        ),
    ],
)
def test_a_difference_of_a_change(before: dict[str, Any], after: dict[str, Any], difference: list[str]) -> None:
    assert words(made(**before), made(**after)) == difference


def test_what_is_new_in_the_stack_differs_without_an_observation() -> None:
    table = Table()
    table.want("thing.z@b", text="v1")
    one = table.make()
    table.want("thing.new@b", text="v1")
    assert words(one, table.make()) == ["thing.new@b: is now a create, nothing was planned"]
    assert words(table.make(), one) == ["thing.new@b: is now unchanged, planned was create"]


def status(plan: Plan, **hosts: HostStatus | None) -> Plan:
    return replace(plan, hosts={name: s for name, s in {**plan.hosts, **hosts}.items() if s is not None})


def machine(plan: Plan, host: str, machine_id: str, hostname: str = "") -> HostStatus:
    return HostStatus(plan.hosts[host].host, Facts(HostFacts(machine_id=machine_id, hostname=hostname)))


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (lambda p: p, lambda p: status(p, a=None), ["a: nothing is on this host now"]),
        (lambda p: status(p, a=None), lambda p: p, ["a: the host is not the plan's"]),
        (
            lambda p: p,
            lambda p: status(p, a=HostStatus(p.hosts["a"].host, None, "no route")),
            ["a: cannot be asked now: no route"],
        ),
        (
            lambda p: status(p, a=HostStatus(p.hosts["a"].host, None, "no route")),
            lambda p: p,
            ["a: could not be asked then"],
        ),
        (
            lambda p: status(p, a=HostStatus(p.hosts["a"].host, None, "no route")),
            lambda p: status(p, a=HostStatus(p.hosts["a"].host, None, "it is slow")),
            [],
        ),
        (
            lambda p: p,
            lambda p: status(p, b=machine(p, "b", "another"), a=machine(p, "a", "another")),
            [f"{host}: is another machine now: its machine-id has changed" for host in ("a", "b")],
        ),
        # a machine is known by its id, not by its name
        (
            lambda p: status(p, a=machine(p, "a", "one", "name")),
            lambda p: status(p, a=machine(p, "a", "another", "name")),
            ["a: is another machine now: its machine-id has changed"],
        ),
        (
            lambda p: status(p, a=machine(p, "a", "one", "name")),
            lambda p: status(p, a=machine(p, "a", "one", "another")),
            [],
        ),
    ],
)
def test_a_difference_of_a_host(
    before: Callable[[Plan], Plan], after: Callable[[Plan], Plan], difference: list[str]
) -> None:
    plan = made()
    assert words(before(plan), after(plan)) == difference


def test_another_order_is_named_only_where_nothing_else_differs() -> None:
    one = saved(made())
    other = copy.deepcopy(one)
    for task in other["tasks"]:
        if task["addresses"] == [THING]:
            task["needs"] = ["t9"]
    assert differences(one, other) == (
        Difference(THING, "it would be done in another order, or otherwise guarded, now"),
    )
    other["changes"][0]["desired"] = None
    assert [d.why for d in differences(one, other)] == ["the desired state has another value on this host now"]


@pytest.mark.parametrize("key", ["warnings", "notes", "drift", "health", "outputs", "quiet", "noop", "serial"])
def test_what_is_volatile_does_not_count(key: str) -> None:
    one = saved(made())
    assert differences(one, {**one, key: ["something else"]}) == ()


@pytest.mark.parametrize(
    ("key", "value"), [("hosts", ["a", "b"]), ("inherits", "thing.old@a"), ("disrupts", "restart"), ("action", "adopt")]
)
def test_what_a_change_does_counts(key: str, value: Any) -> None:
    one = saved(made())
    other = copy.deepcopy(one)
    other["changes"][0][key] = value
    expected = "is now an adopt, planned was update" if key == "action" else "it would be changed in another way now"
    assert [(d.address, d.why) for d in differences(one, other)] == [(THING, expected)]


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ({"a": 1}, {"a": [2, 3]}, "a was 1, is [2,3]"),
        ({"a": "x" * 60}, {"a": "x" * 61}, f"a was {'x' * 60}, is {'x' * 24}…"),
        ({"a": 1}, {}, "a was 1, is not there"),
        ({}, {"a": 1}, "a was not there, is 1"),
        ({"a": 1, "b": 2, "c": 3}, {"a": 2, "b": 2, "c": 4}, "a was 1, is 2, c was 3, is 4"),
        ({"a": "hmac:1"}, {"a": "plain"}, "a has changed (sensitive)"),
        ({"a": "plain"}, {"a": "hmac:1"}, "a has changed (sensitive)"),
    ],
)
def test_how_an_observation_differs(was: Any, now: Any, words: str) -> None:
    one = saved(made())
    one["changes"][0]["observed"] = was
    other = copy.deepcopy(one)
    other["changes"][0]["observed"] = now
    assert [d.why for d in differences(one, other)] == [words]
