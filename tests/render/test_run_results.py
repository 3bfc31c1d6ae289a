"""The end of a run and of a rollback, task by task, and the attributes of a change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.diff import AttrChange, compare
from hacore.engine import RollbackPlan, RollbackResult, WayBack
from hacore.model import Unknown
from hacore.render.attrs import attr_lines, root
from hacore.render.result import output_lines, rollback_result_json, rollback_result_text, run_json, run_text
from hacore.render.style import PLAIN, Style
from tests.render.plans import LAST, drift
from tests.render.test_results import COMMANDS, result, summary

# -- tasks


@pytest.mark.parametrize(
    ("status", "error", "group"),
    [
        ("done", "", "done"),
        ("undone", "", "undone"),
        ("undone", "it failed", "failed"),
        ("error", "it failed", "failed"),
        ("doing", "", "failed"),
        ("undo", "", "failed"),
        ("undoing", "", "failed"),
        ("do", "", "not_started"),
        ("hold", "", "not_started"),
    ],
)
def test_each_task_is_in_one_group(status: str, error: str, group: str) -> None:
    assert run_json(result("failed", summary("t1", status, error)))["counts"] == {group: 1}


def listing(*tasks: Any) -> list[str]:
    """The lines between the first one and the next commands."""
    lines = run_text(result("failed", *tasks), commands=COMMANDS).splitlines()
    return lines[1 : max(n for n, line in enumerate(lines) if not line)]


def test_equal_operations_of_several_hosts_are_one_line() -> None:
    tasks = [summary(f"t{n}", "hold", address=f"file.a@lb{n}") for n in (1, 2, 2)]
    tasks += [summary("t4", "hold", op="drain", address="gate.g@lb1"), summary("t5", "hold", address="vip.front")]
    assert listing(*tasks) == ["", "Not started:", "  update file.a @ lb1, lb2", "  drain @ lb1", "  update vip.front"]


@pytest.mark.parametrize(("names", "words"), [("abcde", "a, b, c, d and e"), ("abcdef", "a, b, c, d and 2 more")])
def test_of_many_addresses_four_are_named(names: str, words: str) -> None:
    task = replace(summary("t1", "hold"), addresses=tuple(f"file.{name}@lb1" for name in names))
    assert listing(task)[-1].replace("file.", "") == f"  update {words} @ lb1"


def test_a_failed_task_is_named_with_its_host_and_its_error() -> None:
    failed = [
        summary("t1", "error", "one\ntwo\x1b"),
        summary("t2", "undone", "three"),
        summary("t3", "error", "four", op="drain", address="gate.g@lb1"),
        summary("t4", "error", "five", op=""),
    ]
    assert listing(*failed) == [
        "",
        "Failed:",
        "  update file.a@lb1",
        "      one",
        "      two\\x1b",
        "  update file.a@lb1 (undone)",
        "      three",
        "  drain lb1",
        "      four",
        "  file.a@lb1",
        "      five",
    ]


PLAN, ROLLBACK, RESUME = COMMANDS["plan"], COMMANDS["rollback"], COMMANDS["resume"]


@pytest.mark.parametrize(
    ("status", "tasks", "lines"),
    [
        ("rolled_back", ["undone"], [f"The changes were rolled back. To show the changes that remain: {PLAN}"]),
        ("interrupted", ["done"], [f"The run is incomplete. To resume it: {RESUME}", f"To undo it: {ROLLBACK}"]),
        ("failed", ["done", "do"], [f"The run is incomplete. To resume it: {RESUME}", f"To undo it: {ROLLBACK}"]),
        ("failed", ["undoing"], [f"The run is incomplete. To resume it: {RESUME}", f"To undo it: {ROLLBACK}"]),
        ("failed", ["undone", "hold"], [f"To show the changes that remain: {PLAN}"]),
        (
            "failed",
            ["done", "hold"],
            [f"To show the changes that remain: {PLAN}", f"To roll back the changes that were applied: {ROLLBACK}"],
        ),
        (
            "failed",
            ["error"],
            [f"To show the changes that remain: {PLAN}", f"To roll back the changes that were applied: {ROLLBACK}"],
        ),
    ],
)
def test_what_to_do_next(status: str, tasks: list[str], lines: list[str]) -> None:
    made = result(status, *(summary(f"t{n}", found) for n, found in enumerate(tasks)))
    assert run_text(made, commands=COMMANDS).splitlines()[-len(lines) :] == lines


def test_a_task_in_json() -> None:
    (task,) = run_json(result("failed", summary("t1", "error", "no")), command="destroy")["tasks"]
    assert task == {
        "id": "t1",
        "op": "update",
        "addresses": ["file.a@lb1"],
        "host": "lb1",
        "status": "error",
        "error": "no",
        "seconds": 1.5,
    }


def test_outputs_are_aligned_sorted_and_secret() -> None:
    outputs = {"url": "x", "a": None, "token": "s3cret"}
    assert output_lines(outputs, frozenset({"token"})) == [
        "",
        "Outputs:",
        "",
        "a     = null",
        "token = (sensitive)",
        'url   = "x"',
    ]
    assert output_lines({}) == []


# -- rollbacks


@pytest.mark.parametrize(
    ("status", "how", "tasks", "first"),
    [
        ("rolled_back", WayBack.UNDO, ["done", "done"], "Rollback complete: 2 tasks done. (2.0s, run 8)"),
        ("rolled_back", WayBack.FINISH, ["done"], "Rollback complete: 1 task done. (2.0s, run 8)"),
        ("rolled_back", WayBack.TAKE_BACK, ["undone", "done"], "Rollback complete: 1 task undone. (2.0s, run 8)"),
        ("interrupted", WayBack.UNDO, ["done", "do"], "Rollback interrupted: 1 task done. (2.0s, run 8)"),
        (
            "failed",
            WayBack.UNDO,
            ["done", "error", "error"],
            "Rollback failed: 2 tasks could not be undone, 1 task done. (2.0s, run 8)",
        ),
    ],
)
def test_the_end_of_a_rollback(status: Any, how: WayBack, tasks: list[str], first: str) -> None:
    plan = RollbackPlan(LAST, (), how=how, undone=(LAST,))
    ended = RollbackResult(8, status, tuple(summary(f"t{n}", s) for n, s in enumerate(tasks)), 2.0, plan)
    lines = rollback_result_text(ended, commands=COMMANDS).splitlines()
    assert lines[0] == first
    again = {"interrupted": "To continue: ", "failed": "To try again: "}.get(status)
    assert again is None or lines[-1].endswith(again + COMMANDS["rollback"])
    undo = f"To undo this rollback: {COMMANDS['undo']}"
    assert (undo in lines) is (status == "rolled_back" and how is not WayBack.TAKE_BACK)


@pytest.mark.parametrize(
    ("how", "commands", "still"),
    [
        (WayBack.UNDO, ["apply"], True),
        (WayBack.UNDO, ["rollback"], False),
        (WayBack.UNDO, ["rollback", "destroy"], True),
        (WayBack.FINISH, ["rollback"], True),
        (WayBack.TAKE_BACK, ["rollback"], False),
    ],
)
def test_what_the_stack_still_has(how: WayBack, commands: list[str], still: bool) -> None:
    runs = tuple(replace(LAST, command=command) for command in commands)
    ended = RollbackResult(8, "rolled_back", (), 2.0, RollbackPlan(LAST, (), how=how, undone=runs))
    assert ("The stack still has what was rolled back" in rollback_result_text(ended, commands=COMMANDS)) is still


def test_a_rollback_s_end_in_json() -> None:
    plan = RollbackPlan(LAST, (), how=WayBack.UNDO, undone=(LAST, replace(LAST, id=3)))
    left = (drift("file.x@lb1", {"mode": "0644"}, {"mode": "0600"}),)
    found = rollback_result_json(
        RollbackResult(8, "rolled_back", (summary("t1", "done"),), 2.0004, plan, leftover=left)
    )
    assert (found["run"], found["undoes"], found["seconds"]) == (8, [4, 3], 2.0)
    assert [d["address"] for d in found["leftover"]] == ["file.x@lb1"]
    assert rollback_result_json(RollbackResult(8, "failed", (), 2.0))["undoes"] == []
    nothing = RollbackResult(0, "nothing", (), 0.0)
    assert rollback_result_text(nothing, commands=COMMANDS) == "Nothing to roll back."


# -- attributes


def shown(changes: Any, mode: Any, **more: Any) -> list[str]:
    return [line.render(2, PLAIN) for line in attr_lines(changes, mode, **more)]


@pytest.mark.parametrize(
    ("mode", "change", "lines"),
    [
        ("create", AttrChange("mode", None, "0644"), ['  + mode = "0644"']),
        ("delete", AttrChange("mode", "0644"), ['  - mode = "0644"']),
        ("update", AttrChange("mode", "0600", "0644"), ['  ~ mode = "0600" -> "0644"']),
        ("update", AttrChange("mode", None, "0644"), ['  + mode = "0644"']),
        ("update", AttrChange("mode", "0600", None), ['  - mode = "0600"']),
        ("update", AttrChange("mode", None, Unknown("later")), ["  ~ mode = null -> (known after apply)"]),
        ("drift", AttrChange("mode", "0600", None), ['  ~ mode = "0600" -> null']),
        ("update", AttrChange("text", "x", "y", sensitive=True), ["  ~ text = (sensitive, changed)"]),
        ("drift", AttrChange("text", "x", "y", sensitive=True), ["  ~ text = (sensitive, changed)"]),
        ("create", AttrChange("text", None, "y", sensitive=True), ["  + text = (sensitive)"]),
        ("delete", AttrChange("text", "y", sensitive=True), ["  - text = (sensitive)"]),
    ],
)
def test_an_attribute(mode: str, change: AttrChange, lines: list[str]) -> None:
    assert shown([change], mode) == lines


def test_attributes_are_aligned_and_name_what_forces_a_replacement() -> None:
    changes = [AttrChange("a", 1, 2), AttrChange("folders[0].mode", 1, 2)]
    assert shown(changes, "update", replacing={"folders"}) == [
        "  ~ a               = 1 -> 2",
        "  ~ folders[0].mode = 1 -> 2  # forces replacement",
    ]
    assert [root(path) for path in ("a", "a.b", "a[0].b", "a.b[0]")] == ["a"] * 4


def test_a_long_value_and_a_text_are_below_their_name() -> None:
    value = [f"item number {number}" for number in range(12)]
    lines = shown([AttrChange("names", None, value)], "create")
    assert [line.strip() for line in lines[:2]] == ["+ names = [", '"item number 0",']
    assert {len(line) - len(line.lstrip()) for line in lines[1:-1]} == {10}
    text = compare({"text": "1"}, {"text": "2"}, before_texts={"text": "a\nb\n"}, after_texts={"text": "a\nc\n"})
    assert shown(text, "update", replacing={"text"}) == [
        "  ~ text:  # forces replacement",
        "        @@ -1,2 +1,2 @@",
        "        a",
        "      - b",
        "      + c",
    ]


@pytest.mark.parametrize(("length", "more"), [(400, []), (401, ["… 1 more line (all of them: --json)"])])
def test_a_long_difference_is_cut_at_its_400th_line(length: int, more: list[str]) -> None:
    hunks = ("@@ -1 +1 @@", *(f"+line {number}" for number in range(2, length + 1)))
    lines = [line.strip() for line in shown([AttrChange("text", "1", "2", hunks)], "update")]
    assert lines[-1 - len(more) :] == ["+ line 400", *more]


def test_colours_are_of_the_mark_and_of_lines_of_a_text_only() -> None:
    text = compare({"text": "1"}, {"text": "2"}, before_texts={"text": "b\n"}, after_texts={"text": "c\n"})
    lines = [line.render(0, Style(True)) for line in attr_lines([AttrChange("a", None, 1), *text], "update")]
    assert lines[0].startswith("\x1b") and lines[0].endswith(" a = 1")
    assert [line.count("\x1b") for line in lines] == [2, 2, 0, 4, 4]
