"""Which state a command works for, and the words for hosts of another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Facts, HostFacts
from hacore.engine.ownership import (
    check_ownership,
    claimant_of,
    named_by_hosts,
    options_of,
    renamed_options,
    replaced_since,
    skip_replaced_hosts,
    stranger_words,
)
from hacore.engine.snapshot import StateSnapshot
from hacore.errors import PlanError
from hacore.model import Host
from hacore.plan import Claimant, NewMachine, Ownership, Stranger
from hacore.probe import Marker
from hacore.store import HostRecord, RunRecord
from tests.journal.runs import task

MARKER = Marker("web", "prod", "a", "theirs", 9, "me@desk", 0.0, {})


def stranger(why: Any, host: str = "a") -> Stranger:
    return Stranger(host, "192.0.2.1", MARKER, why)


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("lineage", "a@192.0.2.1 is managed by another state of the stack web (prod): lineage theirs, by WHO"),
        ("newer", "a@192.0.2.1 was last written at serial 9 by WHO, and this state is an older copy"),
        ("name", "a@192.0.2.1 is managed by this state as the stack web (prod), by WHO, and this is another stack"),
    ],
)
def test_whose_a_host_is(why: str, words: str) -> None:
    expected = words.replace("WHO", "me@desk on 1970-01-01 00:00:00 UTC").replace("web (prod)", MARKER.title)
    assert stranger_words(stranger(why)) == expected


@pytest.mark.parametrize(
    ("whys", "lineage", "words"),
    [
        (["lineage"], "mine", "this state is lineage mine; use the state that manages them"),
        (["lineage"], "", "this state records nothing yet; use the state that manages them"),
        (["newer", "name"], "mine", "or take them over with `hacore apply --take-over`"),
        (["name", "name"], "mine", "name this stack's own state (--state, HACORE_STATE, `state:`)"),
    ],
)
def test_hosts_of_another_state_are_refused(whys: list[str], lineage: str, words: str) -> None:
    found = Ownership(foreign_hosts=tuple(stranger(why) for why in whys), lineage=lineage)
    with pytest.raises(PlanError) as caught:
        check_ownership(found, "roll back")
    assert str(caught.value).startswith("cannot roll back: a@192.0.2.1 ")
    assert words in str(caught.value)
    check_ownership(found, "apply", take_over=True)
    check_ownership(replace(found, foreign_hosts=()), "apply")


@pytest.mark.parametrize(("number", "named", "more"), [(5, 5, ""), (6, 5, "; 1 more;"), (12, 5, "; 7 more;")])
def test_of_many_hosts_five_are_named(number: int, named: int, more: str) -> None:
    found = Ownership(foreign_hosts=tuple(stranger("lineage", f"h{n}") for n in range(number)))
    with pytest.raises(PlanError) as caught:
        check_ownership(found, "apply")
    text = str(caught.value)
    assert text.count("@192.0.2.1") == named
    assert more in text
    assert ("more;" in text) is bool(more)


def run(number: int, command: str = "apply", stack: str = "web", **options: Any) -> RunRecord:
    return RunRecord(number, command, "done", 0.0, 1.0, "me", stack, "", "halt", options=options)


@pytest.mark.parametrize(
    ("runs", "stack", "env"),
    [
        ([], "", ""),
        ([run(1)], "web", ""),
        ([run(1), run(2, stack="renamed", env="prod")], "renamed", "prod"),
        ([run(1, env="prod"), run(2, "rollback", "other", env="x")], "web", "prod"),
        ([run(1, "rollback")], "", ""),
    ],
)
def test_a_state_is_named_by_its_newest_run_that_is_no_rollback(runs: list[RunRecord], stack: str, env: str) -> None:
    snapshot = StateSnapshot(lineage="mine", serial=7, runs=runs)
    assert claimant_of(snapshot) == Claimant(stack, env, "mine", 7, remembered=True)


def test_the_hosts_may_know_a_newer_name() -> None:
    claimant = Claimant("old", "", "mine", 7)
    assert named_by_hosts(claimant, Ownership()) == claimant
    found = named_by_hosts(claimant, Ownership(own={"a": MARKER}))
    assert (found.stack, found.env, found.lineage, found.serial) == ("web", "prod", "mine", 7)


# -- machines


def facts(**machines: str) -> dict[str, Facts]:
    return {name: Facts(HostFacts(machine_id=found)) for name, found in machines.items()}


def test_a_run_records_its_machines_and_its_environment() -> None:
    assert options_of("", facts(b="m2", a="m1")) == {"machines": {"a": "m1", "b": "m2"}}
    assert options_of("prod", {}) == {"machines": {}, "env": "prod"}
    assert renamed_options({"machines": {"a": "m1", "b": "m2"}, "env": "x"}, {"a": "web1"}) == {
        "machines": {"web1": "m1", "b": "m2"},
        "env": "x",
    }
    assert renamed_options({"env": "x"}, {"a": "web1"}) == {"env": "x"}


@pytest.mark.parametrize(
    ("options", "replaced"),
    [({"machines": {"a": "m1", "b": "old"}}, ["b"]), ({}, ["a"]), ({"machines": {}}, ["a"])],
)
def test_machines_are_compared_with_those_of_the_run_or_else_of_the_state(options: Any, replaced: list[str]) -> None:
    recorded = {name: HostRecord(name, {}, machine) for name, machine in (("a", "old"), ("b", "m2"))}
    hosts = {name: Host(name=name, address=f"192.0.2.{n}") for n, name in enumerate(("a", "b"), 1)}
    found = replaced_since(replace(run(1), options=options), recorded, facts(a="m1", b="m2"), hosts)
    assert [m.host for m in found] == replaced
    assert [m.address for m in found] == [hosts[name].address for name in replaced]


def test_nothing_is_undone_on_a_machine_that_was_replaced() -> None:
    here, there = task("t1", "thing.x@a"), task("t2", "thing.x@b")
    skip_replaced_hosts([here, there], [NewMachine("b", "192.0.2.2", "old", "new")])
    assert (here.intent, len(here.image_ids)) == (True, 1)
    assert (there.intent, there.image_ids) == (False, {})
