"""Views of instances, the questions for their hosts, and mistakes that show only there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Ask, Facts, HostFacts, Mistake, View
from hacore.errors import PlanError, StackError
from hacore.model import Lifecycle
from hacore.plan import (
    Recorded,
    answered_by,
    askers,
    asks_of_desired,
    asks_of_recorded,
    desired_views,
    examine_stack,
    merge_asks,
    recorded_views,
    revive,
)
from hacore.plan.examine import examine
from hacore.testing import KINDS
from hacore.testing.questions import HOLDS, UNIT, VALUE
from hacore.testing.things import Thing, ThingSpec
from tests.plan.table import THING, Table, row_of

X = Ask(VALUE, "/x")


def test_each_host_is_asked_about_what_is_on_it() -> None:
    table = Table()
    table.want("thing.x@a", text="v1")
    table.want("daemon.web@b", unit="web")
    table.want("shared.s", vip="v", hosts=("a", "b"))
    asks = asks_of_desired(table.instances, KINDS)
    assert {host: [ask.id for ask in found] for host, found in asks.items()} == {
        "a": [("value", "/x"), ("holds", "v")],
        "b": [("unit", "web"), ("holds", "v")],
    }
    table.record(replace(row_of("thing.y@a"), hosts=("a", "b")))
    asks = asks_of_recorded(revive(table.rows, KINDS), KINDS)
    assert {host: [ask.id for ask in found] for host, found in asks.items()} == {
        "a": [("value", "/y")],
        "b": [("value", "/y")],
    }


@pytest.mark.parametrize(
    ("desired", "recorded", "merged"),
    [
        ({}, {}, {}),
        ({"a": [X]}, {}, {"a": [X]}),
        ({}, {"a": [X]}, {"a": [X]}),
        ({"a": [X]}, {"b": [X]}, {"a": [X], "b": [X]}),
        # the question of the stack decides: with the content, and whether it is secret
        ({"a": [replace(X, wanted="w")]}, {"a": [X]}, {"a": [replace(X, wanted="w")]}),
        ({"a": [replace(X, secret=True)]}, {"a": [X]}, {"a": [replace(X, secret=True)]}),
        ({"a": [X]}, {"a": [Ask(VALUE, "/y"), X]}, {"a": [X, Ask(VALUE, "/y")]}),
        ({"a": [X]}, {"a": [Ask(UNIT, "/x")]}, {"a": [X, Ask(UNIT, "/x")]}),
    ],
)
def test_the_questions_of_stack_and_state_are_merged(desired: Any, recorded: Any, merged: Any) -> None:
    assert merge_asks(desired, recorded) == merged


def test_a_recorded_spec_that_cannot_be_read_is_named() -> None:
    row = replace(row_of(THING), spec={"nonsense": 1})
    with pytest.raises(PlanError, match=r"cannot read what the state records of thing\.x@a"):
        revive({row.address: row}, KINDS)
    item = revive({row.address: row_of(THING, mode="0600")}, KINDS)[row.address]
    assert isinstance(item.spec, ThingSpec)
    assert item.spec.mode == "0600"


# -- views


def answers(**hosts: Any) -> dict[str, Facts]:
    """Facts by host, each with its name as the machine-id; a text makes all values fail."""
    return {
        name: Facts(HostFacts(machine_id=name), {}, {} if why is None else {"value": why})
        for name, why in hosts.items()
    }


def views(table: Table, facts: dict[str, Facts]) -> dict[str, View[Any]]:
    hosts = table.stack().hosts
    return {str(a): view for a, view in desired_views(table.instances, hosts, facts, KINDS).items()}


def test_a_view_has_its_host_its_facts_and_its_rules() -> None:
    table = Table()
    table.want("thing.x@a", text="v1", lifecycle=Lifecycle(on_delete="keep"))
    table.want("shared.s", vip="v", hosts=("a", "b"))
    facts = answers(a=None, b=None)
    found = views(table, facts)
    view, shared = found["thing.x@a"], found["shared.s"]
    assert view.host is not None
    assert (view.host.name, view.facts, view.lifecycle.on_delete) == ("a", facts["a"], "keep")
    assert (shared.host, shared.facts) == (None, Facts())
    assert {host: f.host.machine_id for host, (_, f) in shared.members.items()} == {"a": "a", "b": "b"}
    assert views(table, {})["thing.x@a"].facts == Facts()


def test_members_are_those_of_one_resource_and_key() -> None:
    table = Table()
    for where in ('thing.x["k"]@a', 'thing.x["k"]@b', 'thing.x["l"]@a', "thing.y@a"):
        table.want(where, text=where)
    found = views(table, answers(a=None))
    assert {host: spec.text for host, (spec, _) in found['thing.x["k"]@a'].members.items()} == {
        "a": 'thing.x["k"]@a',
        "b": 'thing.x["k"]@b',
    }
    assert list(found['thing.x["l"]@a'].members) == list(found["thing.y@a"].members) == ["a"]


def test_companions_are_those_of_one_file_on_one_host() -> None:
    table = Table()
    for where, path in (("conf.z@a", "/k"), ("conf.b@a", "/k"), ("conf.b@b", "/k"), ("conf.o@a", "/other")):
        table.want(where, path=path)
    table.want("thing.x@a", text="v1")
    found = {where: [str(a) for a, _ in view.companions] for where, view in views(table, {}).items()}
    assert found == {
        "conf.z@a": ["conf.b@a", "conf.z@a"],
        "conf.b@a": ["conf.b@a", "conf.z@a"],
        "conf.b@b": ["conf.b@b"],
        "conf.o@a": ["conf.o@a"],
        "thing.x@a": [],
    }


def test_a_host_that_did_not_answer_an_instance_is_to_it_as_if_silent() -> None:
    table = Table()
    table.want("thing.x@a", text="v1")
    table.want("thing.x@b", text="v1")
    table.want("daemon.web@a", unit="web")
    facts = answers(a="the script was stopped", b=None)
    found = views(table, facts)
    assert found["thing.x@a"].facts == found["thing.x@b"].members["a"][1] == Facts()
    assert found["thing.x@b"].facts == facts["b"]
    assert found["daemon.web@a"].facts == facts["a"]


def test_a_recorded_view_is_of_the_recorded_spec_hosts_and_rules() -> None:
    row = replace(row_of(THING, mode="0600"), lifecycle=Lifecycle(on_delete="remove"), hosts=("a",))
    facts = answers(a=None)
    hosts = Table().stack().hosts
    (view,) = recorded_views(revive({row.address: row}, KINDS), hosts, facts, KINDS).values()
    assert (view.spec.mode, view.facts, view.lifecycle.on_delete) == ("0600", facts["a"], "remove")
    moved = {row.address: Recorded(replace(row, hosts=("b",)), view.spec)}
    (view,) = recorded_views(moved, hosts, facts, KINDS).values()
    assert list(view.members) == ["b"]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [(("a",), False), (("b",), True), (("c",), False), (("a", "b"), True), (("a", "c"), False), ((), False)],
)
def test_one_host_that_answered_is_enough(hosts: tuple[str, ...], expected: bool) -> None:
    assert answered_by(hosts, [X], answers(a="stopped", b=None)) is expected
    assert answered_by(hosts, [Ask(HOLDS, "v")], answers(a="stopped", b=None)) is (expected or "a" in hosts)


def test_the_kinds_that_ask_for_a_fact() -> None:
    table = Table()
    table.want("thing.x@a", text="v1")
    table.want("gate.g@a", vip="v")
    table.want("daemon.web@a", unit="web")
    specs = [(address.kind, instance.spec) for address, instance in table.instances.items()]
    assert askers(specs, KINDS) == {"value": {"thing", "gate"}, "holds": {"gate"}, "unit": {"daemon"}}


# -- mistakes


def mistakes(monkeypatch: pytest.MonkeyPatch, *found: Mistake) -> None:
    def examined(_self: Thing, view: View[ThingSpec]) -> Iterable[Mistake]:
        return [replace(m, message=m.message.replace("TEXT", view.spec.text)) for m in found]

    monkeypatch.setattr(Thing, "examine", examined)


def test_a_warning_is_shown_once_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    mistakes(monkeypatch, Mistake("text", "is TEXT", warning=True))
    table = Table()
    for where, text in (("thing.x@a", "odd"), ("thing.x@b", "odd"), ("thing.y@a", "other")):
        table.want(where, text=text)
    assert table.make().warnings == ("thing.x@a: text: is odd", "thing.y@a: text: is other")


def test_all_mistakes_are_reported_at_once_each_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    mistakes(monkeypatch, Mistake("text", "is TEXT"), Mistake("mode", "is missing"))
    table = Table()
    for where, text in (("thing.x@a", "odd"), ("thing.x@b", "odd"), ("thing.y@a", "other")):
        table.want(where, text=text)
    with pytest.raises(StackError) as caught:
        examine_stack(table.stack(), KINDS)
    problems = [(p.address, p.message, p.file, p.line, p.column) for p in caught.value.problems]
    assert problems == [
        ("thing.x@a", "mode: is missing", "stack.yaml", 1, 1),
        ("thing.x@a", "text: is odd", "stack.yaml", 1, 1),
        ("thing.y@a", "text: is other", "stack.yaml", 1, 1),
    ]


def test_a_mistake_may_need_the_facts_of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def examined(_self: Thing, view: View[ThingSpec]) -> Iterable[Mistake]:
        there = view.facts.get(VALUE, view.spec.key)
        return [] if there is None else [Mistake("key", "exists")]

    monkeypatch.setattr(Thing, "examine", examined)
    table = Table()
    table.want("thing.x@a", text="v1")
    examine_stack(table.stack(), KINDS)
    table.world["a"].data["/x"] = {"text": "v0"}
    with pytest.raises(StackError, match="key: exists"):
        table.make()


def test_nothing_wrong_is_no_warning() -> None:
    table = Table()
    table.want("thing.x@a", text="v1")
    found = desired_views(table.instances, table.stack().hosts, {}, KINDS)
    assert examine(found, table.instances, KINDS) == ()
    assert found[Address.parse(THING)].spec.text == "v1"
