"""A plan as JSON: which can be applied, what is secret, and what was selected."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Facts
from hacore.plan import HostStatus, NewMachine, Ownership, Selection, Stranger, plan_json
from hacore.probe import Marker
from tests.plan.table import THING, Table, row_of, same_sha
from tests.plan.test_tasks import old_thing

STRANGER = Stranger("a", "192.0.2.1", Marker("web", "prod", "a", "other", 3, "me@desk", 1.5, {}), "lineage")


@pytest.mark.parametrize(
    ("more", "complete", "applyable", "unreachable"),
    [
        ({}, True, True, []),
        ({"changes": ()}, True, False, []),
        ({"refreshed": False}, True, False, []),
        ({"silent": "no route"}, False, False, [{"host": "a", "reason": "no route"}]),
        ({"failed": "it hangs"}, False, False, [{"host": "a", "reason": "it hangs"}]),
        ({"stranger": True}, True, False, []),
    ],
)
def test_which_plans_can_be_applied(
    more: dict[str, Any], complete: bool, applyable: bool, unreachable: list[dict[str, str]]
) -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v2")
    made = table.make()
    if "silent" in more:
        made = replace(made, hosts={**made.hosts, "a": HostStatus(made.hosts["a"].host, None, more["silent"])})
    elif "failed" in more:
        facts = Facts(failed={"value": more["failed"]})
        made = replace(made, hosts={**made.hosts, "a": HostStatus(made.hosts["a"].host, facts, more["failed"])})
    elif "stranger" in more:
        made = replace(made, ownership=Ownership(foreign_hosts=(STRANGER,)))
    else:
        made = replace(made, **more)
    found = plan_json(made)
    assert (found["complete"], found["applyable"], found["unreachable"]) == (complete, applyable, unreachable)
    assert made.empty is (more == {"changes": ()})


def test_strangers_and_new_machines_in_json() -> None:
    table = Table()
    ownership = Ownership((NewMachine("b", "192.0.2.2", "old", "new"),), foreign_hosts=(STRANGER,))
    found = plan_json(replace(table.make(), ownership=ownership))
    assert found["new_machines"] == [{"host": "b", "recorded": "old", "found": "new"}]
    assert found["strangers"] == [
        {
            "host": "a",
            "stack": "web",
            "env": "prod",
            "lineage": "other",
            "serial": 3,
            "who": "me@desk",
            "when": 1.5,
            "why": "lineage",
        }
    ]


def test_a_change_in_json() -> None:
    table = Table()
    table.record(row_of(THING, text="v1", mode="0600"))
    table.world["a"].data["/x"] = {"text": "v1", "mode": "0600"}
    table.want(THING, text="v2", mode="0644", irreversible="no way back")
    (found,) = plan_json(table.make())["changes"]
    assert (found["before"], found["after"]) == (
        {"text": same_sha("v1"), "mode": "0600"},
        {"text": same_sha("v2"), "mode": "0644"},
    )
    text, mode = found["attrs"]
    assert (text["path"], text["hunks"]) == ("text", ["@@ -1 +1 @@", "-v1", "+v2"])
    assert mode == {"path": "mode", "sensitive": False, "before": "0600", "after": "0644"}
    assert (found["host"], found["name"], found["irreversible"]) == ("a", "x", "no way back")


@pytest.mark.parametrize("desired", [True, False])
def test_no_secret_in_json(desired: bool) -> None:
    table = Table()
    table.record(replace(row_of(THING, text="v1"), sensitive=("text",), attrs={"text": "hmac:1"}))
    table.world["a"].data["/x"] = {"text": "v1", "mode": "0600"}
    if desired:
        table.want(THING, text="v2", mode="0644", secret=True)
    made = plan_json(table.make())
    (found,) = made["changes"]
    assert found["before"] == {"text": "(sensitive)", "mode": "0600"}
    assert found["after"] == ({"text": "(sensitive)", "mode": "0644"} if desired else None)
    shown = json.dumps(made)
    assert same_sha("v1") not in shown
    assert same_sha("v2") not in shown
    (drift,) = made["drift"]
    assert drift["attrs"][0] == {"path": "text", "sensitive": True}


def test_what_is_known_after_apply_has_no_value_in_json() -> None:
    table = Table()
    table.want("thing.x@a", copy_of="/nowhere", mode="0600")
    (found,) = plan_json(table.make())["changes"]
    assert (found["after"], found["after_unknown"]) == ({"mode": "0600"}, ["text"])
    assert found["attrs"][0] == {"path": "text", "sensitive": False, "before": None, "after": None}


def test_a_selection_in_json() -> None:
    table = Table()
    for name in ("one", "two"):
        table.want(f"conf.{name}@a", path="/k", name=name, text="v1")
    table.want("thing.x@a", text="v1")
    found = plan_json(table.make(Selection.parse(["conf.one"], ["thing.x"])))
    assert (found["targets"], found["excludes"], found["left_out"]) == (["conf.one"], ["thing.x"], 1)
    assert found["widened"] == [{"address": "conf.two@a", "reason": "it is in /k, which is written whole"}]
    assert "targets" not in plan_json(table.make(Selection.parse([], ["thing.x"])))
    assert not {"targets", "excludes", "widened", "left_out"} & plan_json(table.make()).keys()
