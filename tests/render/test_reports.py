"""Rehearsals, imports and the words of a rollback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.engine import Adoption, Planned, RollbackItem, RollbackPlan, WayBack
from hacore.lab.rehearsal import Act, Rehearsed
from hacore.load.stack import Stack
from hacore.model import Action
from hacore.plan import NewMachine, Ownership
from hacore.render.adoption import adopted_text, adoption_json, adoption_text
from hacore.render.rehearsal import report_json, report_text
from hacore.render.rollback import rollback_json, rollback_text, rollback_words
from hacore.render.style import PLAIN
from tests.render.plans import LAST, change, drift, plan

STACK = Stack("web", Path(), Path(), "sqlite:///s.db", {}, {}, {})
MACHINE = NewMachine("lb1", "192.0.2.11", "0" * 32, "f" * 32)

# -- rehearsals

PLANS, APPLIES = Act("plan", True, 1.26, "3 to create"), Act("apply", True, 61.0, "done")
FAILS = Act("drift", False, 2.0, "differs\x1b", "one\ntwo\x1b\n")


def test_a_rehearsal_that_passed() -> None:
    report = Rehearsed("web", ("lb1", "lb2"), (PLANS, APPLIES))
    assert report_text(report, PLAIN).splitlines() == [
        "Rehearsal of web on twins of lb1, lb2",
        "",
        "  ok    plan        1.3s  3 to create",
        "  ok    apply      1m01s  done",
        "",
        "Rehearsal of web passed (2 steps, 1m02s).",
    ]
    assert report_json(report)["ok"] is True


def test_a_rehearsal_that_failed_shows_the_output_of_the_step() -> None:
    report = Rehearsed("web", ("lb1",), (PLANS, FAILS))
    assert report_text(report, PLAIN).splitlines()[3:] == [
        "  FAIL  drift       2.0s  differs\\x1b",
        "      one",
        "      two\\x1b",
        "",
        "Rehearsal of web failed at step drift (3.3s).",
    ]
    found = report_json(report)
    assert (found["ok"], found["seconds"], found["hosts"], found["stack"]) == (False, 3.3, ["lb1"], "web")
    assert found["acts"][1] == {
        "name": "drift",
        "ok": False,
        "seconds": 2.0,
        "said": "differs\x1b",
        "output": "one\ntwo\x1b\n",
    }


# -- imports

SAME = change("file.a@lb1", Action.ADOPT, {"mode": "0644"}, {"mode": "0644"})
DIFFERS = change("file.b@lb1", Action.UPDATE, {"mode": "0600"}, {"mode": "0644"})


def adoption(*items: Any, **more: Any) -> Adoption:
    return Adoption(Planned(plan(items, **more), STACK), tuple(items))


@pytest.mark.parametrize(
    ("items", "last"),
    [
        ((SAME,), "Import: 1 to record."),
        ((SAME, DIFFERS), "Import: 2 to record, 1 of them does not match the desired state."),
        ((DIFFERS, DIFFERS), "Import: 2 to record, 2 of them do not match the desired state."),
    ],
)
def test_what_an_import_records(items: tuple[Any, ...], last: str) -> None:
    lines = adoption_text(adoption(*items)).splitlines()
    assert lines[0] == "hacore will record these resources in the state of web; no host is changed:"
    assert lines[-1] == last
    text = "\n".join(lines)
    assert [name in text for name in ("file.a", "file.b")] == [SAME in items, DIFFERS in items]


def test_an_import_names_a_new_machine_first() -> None:
    lines = adoption_text(adoption(SAME, ownership=Ownership((MACHINE,)))).splitlines()
    assert lines[0] == (
        "New machine: lb1@192.0.2.11 is not the recorded one (machine-id ffffffff, recorded 00000000): "
        "what is recorded of the old machine will be forgotten"
    )


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ((SAME,), "Imported: 1 resource."),
        ((SAME, DIFFERS), "Imported: 2 resources. To show the changes that remain: hacore plan"),
    ],
)
def test_what_an_import_recorded(items: tuple[Any, ...], text: str) -> None:
    assert adopted_text(adoption(*items), "hacore plan") == text


def test_an_import_in_json() -> None:
    assert adoption_json(adoption(SAME, DIFFERS))["imported"] == [
        {"address": "file.a@lb1", "host": "lb1", "differs": []},
        {"address": "file.b@lb1", "host": "lb1", "differs": ["mode"]},
    ]


# -- rollbacks

ITEM = RollbackItem("file.x@lb1", "lb1", "restore")
FINAL = RollbackItem("package.y@lb1", "lb1", "restore", "no source offers 1.0")


@pytest.mark.parametrize(
    ("how", "command", "undone", "words"),
    [
        (WayBack.UNDO, "apply", 1, "roll back run 4"),
        (WayBack.UNDO, "apply", 2, "roll back runs 4 and 3"),
        (WayBack.FINISH, "rollback", 1, "finish rollback 4"),
        (WayBack.TAKE_BACK, "rollback", 1, "undo rollback 4"),
        (WayBack.TAKE_BACK, "apply", 1, "roll back run 4"),
    ],
)
def test_a_rollback_in_a_few_words(how: WayBack, command: str, undone: int, words: str) -> None:
    run = replace(LAST, command=command)
    runs = tuple(replace(run, id=4 - n) for n in range(undone))
    assert rollback_words(RollbackPlan(run, (ITEM,), how=how, undone=runs)) == words


@pytest.mark.parametrize(
    ("items", "last"),
    [
        ((), "Rollback: 0 steps."),
        ((ITEM,), "Rollback: 1 step."),
        ((ITEM, FINAL), "Rollback: 2 steps, 1 of them is irreversible."),
        ((FINAL, replace(FINAL, address="package.z@lb1")), "Rollback: 2 steps, 2 of them are irreversible."),
    ],
)
def test_the_steps_of_a_rollback_are_counted(items: tuple[RollbackItem, ...], last: str) -> None:
    lines = rollback_text(RollbackPlan(LAST, items, how=WayBack.UNDO, undone=(LAST,))).splitlines()
    assert lines[-1] == last
    assert ("  No changes on the hosts." in lines) is not bool(items)
    assert sum("cannot be undone: no source offers 1.0" in line for line in lines) == sum(
        bool(i.irreversible) for i in items
    )


@pytest.mark.parametrize(("how", "title"), [(WayBack.UNDO, "Roll back run #4"), (WayBack.FINISH, "Finish rollback #4")])
def test_the_title_of_a_rollback(how: WayBack, title: str) -> None:
    given = RollbackPlan(LAST, (ITEM,), how=how, undone=(LAST,), new_machines=(MACHINE,))
    lines = rollback_text(given).splitlines()
    assert lines[0].endswith("changes of the old machine are skipped")
    assert lines[1].startswith(title)
    several = rollback_text(replace(given, undone=(LAST, replace(LAST, id=3)))).splitlines()
    assert several[1].startswith("Roll back to the state before run 4;" if how is WayBack.UNDO else title)


def test_a_rollback_in_json() -> None:
    drifted = drift("file.x@lb1", {"mode": "0644"}, {"mode": "0600"})
    older = replace(LAST, id=3)
    given = RollbackPlan(
        older, (ITEM, FINAL), (drifted,), how=WayBack.UNDO, undone=(LAST, older), new_machines=(MACHINE,)
    )
    found = rollback_json(given)
    assert (found["command"], found["how"], found["run"], found["undoes"]) == (
        "rollback",
        WayBack.UNDO.value,
        3,
        [4, 3],
    )
    assert found["items"][1] == {
        "address": "package.y@lb1",
        "host": "lb1",
        "do": "restore",
        "irreversible": "no source offers 1.0",
    }
    assert [d["address"] for d in found["drift"]] == ["file.x@lb1"]
    assert found["new_machines"] == [{"host": "lb1", "recorded": "0" * 32, "found": "f" * 32}]
