"""Plan as a pure function: rows and facts in, actions and tasks out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Facts
from hacore.errors import PlanError
from hacore.model import Lifecycle, Row, digest
from hacore.plan import plan_json
from hacore.testing import World
from tests.plan.table import THING, Table, row_of, same_sha


@pytest.mark.parametrize(
    ("recorded", "observed", "desired", "action", "reason"),
    [
        (None, None, "v1", "create", ""),
        (None, "v1", "v1", "adopt", "already in the desired state; added to the state"),
        (None, "v0", "v1", "update", "exists already, not yet managed"),
        ("v1", None, "v1", "create", "is missing"),
        ("v1", "v1", "v1", None, None),
        ("v0", "v1", "v1", None, None),
        ("v1", "v0", "v1", "update", ""),
        ("v0", "v0", "v1", "update", ""),
        ("v1", "v1", None, "delete", "no longer in the stack"),
        ("v1", None, None, "delete", "no longer in the stack"),
        ("v1", "v0", None, "delete", "no longer in the stack"),
        (None, "v1", None, None, None),
    ],
)
def test_the_table_of_actions(
    recorded: str | None, observed: str | None, desired: str | None, action: str | None, reason: str | None
) -> None:
    table = Table()
    if recorded is not None:
        table.record(row_of(THING, text=recorded))
    if observed is not None:
        table.world["a"].data["/x"] = {"text": observed}
    if desired is not None:
        table.want("thing.x@a", text=desired, key="/x")
    changes = table.plan()["changes"]
    assert [(c["action"], c["reason"]) for c in changes] == ([] if action is None else [(action, reason)])


@pytest.mark.parametrize(
    ("recorded", "observed", "drift"),
    [("v1", "v1", None), ("v1", "v2", ""), ("v1", None, "was deleted"), ("v1", "V", "")],
)
def test_drift_is_recorded_against_observed(recorded: str, observed: str | None, drift: str | None) -> None:
    """Whatever the stack wants by now."""
    table = Table()
    table.record(row_of(THING, text=recorded))
    if observed is not None:
        table.world["a"].data["/x"] = {"text": observed}
    table.want("thing.x@a", text="something else", key="/x")
    assert [d["reason"] for d in table.plan()["drift"]] == ([] if drift is None else [drift])


def test_a_tainted_row_is_done_again_although_all_looks_well() -> None:
    table = Table()
    table.record(replace(row_of(THING, text="v1"), tainted=True))
    table.world["a"].data["/x"] = {"text": "v1"}
    table.want("thing.x@a", text="v1", key="/x")
    (change,) = table.plan()["changes"]
    assert (change["action"], change["reason"]) == ("update", "tainted by run 1")


def test_what_cannot_change_in_place_is_replaced() -> None:
    table = Table()
    table.record(row_of(THING, text="v1"))
    table.world["a"].data["/x"] = {"text": "v1", "mode": "0600"}
    table.want("thing.x@a", text="v1", key="/x", mode="0644", replace_on=("mode",))
    (change,) = table.plan()["changes"]
    assert (change["action"], change["reason"]) == ("replace", "mode cannot be changed in place")
    assert [(a["path"], a["before"], a["after"]) for a in change["attrs"]] == [("mode", "0600", "0644")]


def test_what_cannot_be_undone_is_marked() -> None:
    table = Table()
    table.want("thing.x@a", text="v1", key="/x", irreversible="the old key is lost")
    assert table.plan()["changes"][0]["irreversible"] == "the old key is lost"
    table.world["a"].data["/x"] = {"text": "v1"}
    assert table.plan()["changes"][0]["irreversible"] == ""  # adopted: nothing is done


def test_prevent_destroy_refuses_a_move_as_well() -> None:
    table = Table()
    table.record(replace(row_of(THING, text="v1"), lifecycle=Lifecycle(prevent_destroy=True)))
    table.world["a"].data["/x"] = {"text": "v1"}
    table.want("thing.x@a", text="v1", key="/elsewhere")
    with pytest.raises(PlanError, match=r"thing\.x@a.*prevent_destroy"):
        table.plan()


def test_a_kind_that_is_not_installed_is_named() -> None:
    table = Table()
    table.record(replace(row_of(THING, text="v1"), address=Address.parse("gone.x@a")))
    with pytest.raises(PlanError, match=r"gone\.x@a.*state rm"):
        table.plan()


# -- tasks


def tasks(made: Mapping[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    """op, addresses, addresses of what it needs."""
    names = {t["id"]: f"{t['op']} {'+'.join(t['addresses'])}" for t in made["tasks"]}
    return [(t["op"], "+".join(t["addresses"]), tuple(sorted(names[n] for n in t["needs"]))) for t in made["tasks"]]


def test_an_edge_holds_across_what_does_not_change() -> None:
    table = Table()
    table.want("thing.one@a", text="v1")
    table.want("thing.mid@a", text="v1", needs=["thing.one"])
    table.want("thing.two@a", text="v1", needs=["thing.mid"])
    table.record(row_of("thing.mid@a", text="v1", key="/mid", needs=("thing.one@a",)))
    table.world["a"].data["/mid"] = {"text": "v1"}
    assert tasks(table.plan()) == [
        ("change", "thing.one@a", ()),
        ("change", "thing.two@a", ("change thing.one@a",)),
    ]


def test_deletes_go_against_the_recorded_needs() -> None:
    table = Table()
    table.record(row_of("thing.one@a", key="/one"))
    table.record(row_of("thing.two@a", key="/two", needs=("thing.one@a",)))
    table.record(row_of("thing.three@a", key="/three", needs=("thing.two@a",)))
    assert [t[1] for t in tasks(table.plan())] == ["thing.three@a", "thing.two@a", "thing.one@a"]


def test_a_delete_waits_for_what_used_to_need_it() -> None:
    table = Table()
    table.record(row_of("thing.old@a", key="/old"))
    table.record(row_of("thing.user@a", key="/user", text="v1", needs=("thing.old@a",)))
    table.world["a"].data.update({"/old": {"text": ""}, "/user": {"text": "v1"}})
    table.want("thing.user@a", text="v2")
    assert tasks(table.plan()) == [
        ("change", "thing.user@a", ()),
        ("change", "thing.old@a", ("change thing.user@a",)),
    ]


def test_packages_are_one_task_per_host_and_level() -> None:
    table = Table()
    for host in ("a", "b"):
        table.want(f"pack.p@{host}", names=("p",))
        table.want(f"pack.q@{host}", names=("q",))
        table.want(f"thing.t@{host}", text="v1", needs=["pack.p"])
        table.want(f"pack.r@{host}", names=("r",), needs=["thing.t"])
    assert sorted(t[1] for t in tasks(table.plan())) == [
        "pack.p@a+pack.q@a", "pack.p@b+pack.q@b", "pack.r@a", "pack.r@b", "thing.t@a", "thing.t@b",
    ]  # fmt: skip


def test_a_file_of_several_is_one_task_over_all_levels_deletes_included() -> None:
    table = Table()
    table.record(row_of("conf.old@a", path="/k", name="old", text="v1"))
    table.world["a"].data["/k"] = {"sections": {"old": "v1"}}
    table.want("conf.one@a", path="/k", name="one", text="v1")
    table.want("conf.two@a", path="/k", name="two", text="v1", needs=["conf.one"])
    made = table.plan()
    assert {c["address"]: c["action"] for c in made["changes"]} == {
        "conf.old@a": "delete",
        "conf.one@a": "create",
        "conf.two@a": "create",
    }
    ((op, addresses, needs),) = tasks(made)
    assert (op, set(addresses.split("+")), needs) == ("change", {"conf.old@a", "conf.one@a", "conf.two@a"}, ())


def test_what_is_not_connected_is_another_lane() -> None:
    table = Table()
    table.want("thing.one@a", text="v1")
    table.want("thing.two@a", text="v1", needs=["thing.one"])
    table.want("thing.three@a", text="v1")
    table.want("thing.one@b", text="v1")
    lanes = {t["addresses"][0]: t["lane"] for t in table.plan()["tasks"]}
    assert lanes["thing.one@a"] == lanes["thing.two@a"]
    assert len({lanes["thing.one@a"], lanes["thing.three@a"], lanes["thing.one@b"]}) == 3


def test_a_pair_is_one_lane() -> None:
    table = Table()
    for host in ("a", "b"):
        table.want(f"gate.g@{host}", vip="v")
        table.want(f"thing.t@{host}", text="v1")
    lanes = {t["addresses"][0]: t["lane"] for t in table.plan()["tasks"]}
    assert lanes["gate.g@a"] == lanes["gate.g@b"]
    assert lanes["thing.t@a"] != lanes["thing.t@b"]


# -- triggers


def daemon_row(**loaded: str | None) -> Row:
    return replace(row_of("daemon.web@a", unit="web", reload_on=("thing.x",)), loaded=dict(loaded))


@pytest.mark.parametrize(
    ("loaded", "due"),
    [
        ({"thing.x@a": digest({"text": same_sha("v1")})}, False),
        ({"thing.x@a": None}, True),
        ({"thing.x@a": "another digest"}, True),
        ({}, False),
        ({"thing.gone@a": None}, False),
    ],
)
def test_a_trigger_is_due_when_what_was_loaded_is_not_what_is_there(loaded: dict[str, str | None], due: bool) -> None:
    table = Table()
    table.record(row_of(THING, text="v1"))
    table.record(daemon_row(**loaded))
    table.world["a"].data["/x"] = {"text": "v1"}
    table.world["a"].units["web"] = {"running": True, "loaded": {}}
    table.want("thing.x@a", text="v1", key="/x")
    table.want("daemon.web@a", unit="web", reload_on=("thing.x",), needs=["thing.x"])
    made = table.plan()
    assert [(c["address"], c["action"]) for c in made["changes"]] == ([("daemon.web@a", "update")] if due else [])
    assert [t["op"] for t in made["tasks"]] == (["reload"] if due else [])
    assert made["summary"]["noop"] == (1 if due else 2)


# -- as JSON


def test_a_plan_is_the_same_for_the_same_input() -> None:
    def made() -> str:
        table = Table()
        table.record(row_of("thing.old@a", key="/old"))
        table.want("thing.x@a", text="v1", key="/x")
        table.want("pack.p@a", names=("p", "q"), needs=["thing.x"])
        table.want("daemon.web@a", unit="web", reload_on=("thing.x",), needs=["thing.x"])
        return json.dumps(table.plan())

    assert made() == made()


def test_the_json_has_the_documented_shape() -> None:
    table = Table()
    table.want("thing.x@a", text="v1", key="/x")
    made = table.plan()
    assert {"format_version", "stack", "lineage", "serial", "applyable", "complete", "changes", "drift"} <= made.keys()
    assert {"unreachable", "tasks", "summary"} <= made.keys()
    (change,) = made["changes"]
    keys = {"address", "kind", "name", "host", "action", "reason", "before", "after", "after_unknown", "irreversible"}
    assert keys | {"effect"} <= change.keys()
    (task,) = made["tasks"]
    assert {"id", "op", "addresses", "host", "needs"} <= task.keys()


def test_a_host_that_did_not_answer_makes_the_plan_incomplete_and_nothing_absent() -> None:
    table = Table(down=("a",))
    table.record(row_of(THING, text="v1"))
    table.want("thing.x@a", text="v2", key="/x")
    table.want("thing.x@b", text="v2", key="/x")
    made = table.plan()
    assert (made["complete"], [u["host"] for u in made["unreachable"]]) == (False, ["a"])
    assert [c["address"] for c in made["changes"]] == ["thing.x@b"]
    assert made["drift"] == []


def test_views_of_one_resource_see_all_members() -> None:
    table = Table(down=("b",))
    table.want("gate.g@a", vip="v")
    table.want("gate.g@b", vip="v", weight=5)
    view = table.make().views[Address.parse("gate.g@a")]
    assert {host: spec.weight for host, (spec, _) in view.members.items()} == {"a": 100, "b": 5}
    assert view.members["b"][1] == Facts()


def test_plan_json_is_json() -> None:
    table = Table(World("a", "b"))
    table.want("thing.x@a", copy_of="/nowhere", key="/x")
    made = plan_json(table.make())
    assert json.loads(json.dumps(made)) == made
    assert made["changes"][0]["after_unknown"] == ["text"]


def test_what_needs_something_that_moves_changes_after_it_came_to_its_new_place() -> None:
    """The old place is left first; who needs it still cannot be waited for, for it waits for the new one."""
    table = Table()
    for where, body in (("pack.p@a", {"names": ["one", "two"]}), ("thing.x@a", {"text": "v1"})):
        table.record(row_of(where, needs=("pack.p@a",) if where.startswith("thing") else (), **body))
    table.want("pack.p@a", names=["one"])
    table.want("thing.x@a", text="v2", needs=["pack.p"])
    table.want("thing.free@a", text="v1")
    ops = [(t["op"], t["addresses"]) for t in table.plan()["tasks"]]
    moved = [a for _, addresses in ops for a in addresses if a in ("pack.p@a", "thing.x@a")]
    assert moved == ["pack.p@a", "pack.p@a", "thing.x@a"]
