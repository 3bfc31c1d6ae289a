"""The lines above and below a plan: whose the hosts are, who holds an address, what was selected, what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Facts, Health, HostFacts, Verdict
from hacore.model import Action
from hacore.plan import HostStatus, Selection, Stranger
from hacore.probe import Marker
from hacore.render.header import (
    health_lines,
    held_lines,
    host_lines,
    interrupted_line,
    run_lines,
    run_words,
    serving,
    stack_line,
    stranger_lines,
)
from hacore.render.order import failure_lines
from hacore.render.plan import count_line, exit_code, incomplete_lines, refresh_lines, selection_lines
from hacore.render.style import PLAIN
from tests.render.plans import LAST, change, drift, hosts, plan, task

MARKER = Marker("web", "prod", "lb1", "0123456789abcdef", 7, "me@desk", 1_790_000_000.0, {})
WEB, BY = MARKER.title, "me@desk on 2026-09-21 14:13:20 UTC"


def stranger(why: Any, host: str = "lb1", **more: Any) -> Stranger:
    return Stranger(host, f"192.0.2.{host[-1]}", replace(MARKER, **more), why)


@pytest.mark.parametrize(
    ("why", "lineage", "line"),
    [
        (
            "lineage",
            "fedcba9876543210",
            f"Managed by another state: lb1@192.0.2.1 is managed by stack {WEB} in another state (lineage 01234567), "
            f"last by {BY}; "
            "this state is lineage fedcba98. To take over: `hacore apply --take-over`",
        ),
        (
            "lineage",
            "",
            f"Managed by another state: lb1@192.0.2.1 is managed by stack {WEB} in another state (lineage 01234567), "
            f"last by {BY}; "
            "this state is new. To take over: `hacore apply --take-over`",
        ),
        (
            "newer",
            "x",
            f"Old copy of the state: lb1@192.0.2.1 is managed by a newer copy, last at serial 7 by {BY}. "
            "Use the newer copy; to continue with this one: `hacore apply --take-over`",
        ),
        (
            "name",
            "x",
            f"State of another stack: lb1@192.0.2.1 is managed by stack {WEB} in this same state, last by {BY}. "
            "Give this stack a state of its own; if it was renamed: `hacore apply --take-over`",
        ),
    ],
)
def test_whose_a_host_is(why: str, lineage: str, line: str) -> None:
    assert stranger_lines([stranger(why)], lineage, PLAIN) == [line]


def test_hosts_of_one_state_are_one_line_with_the_newest_marker() -> None:
    found = [
        stranger("newer"),
        stranger("newer", "lb2", serial=9, when=1_790_000_060.0),
        stranger("newer", "lb3", lineage="other"),
    ]
    first, second = stranger_lines(found, "x", PLAIN)
    assert "lb1@192.0.2.1 and lb2@192.0.2.2 are managed by a newer copy, last at serial 9 by me@desk" in first
    assert "14:14:20" in first
    assert second.startswith("Old copy of the state: lb3@192.0.2.3 is managed")


def test_the_line_of_a_stack() -> None:
    recorded = stack_line("web", "sqlite:///s.db", "0123456789", 7)
    assert recorded == "Stack web   state sqlite:///s.db   lineage 01234567   serial 7"
    assert stack_line("web", "sqlite:///s.db", "", 0).endswith("(nothing recorded yet)")
    assert "secret" not in stack_line("web", "postgresql://ops:secret@db/web", "", 0)


# -- runs


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "#4 apply done 2026-09-21 14:14:01 UTC by ops@desk"),
        ({"status": "rolled_back"}, "#4 apply rolled back 2026-09-21 14:14:01 UTC by ops@desk"),
        ({"status": "running", "ended": None}, "#4 apply running 2026-09-21 14:13:20 UTC by ops@desk"),
        (
            {"command": "rollback", "undoes": (3, 2)},
            "#4 rollback done 2026-09-21 14:14:01 UTC by ops@desk, undoes #3 and #2",
        ),
        ({"who": "me\x1b"}, "#4 apply done 2026-09-21 14:14:01 UTC by me\\x1b"),
    ],
)
def test_a_run_in_words(more: dict[str, Any], words: str) -> None:
    assert run_words(replace(LAST, **more)) == words


def test_an_interrupted_run_says_how_it_ends() -> None:
    stopped = replace(LAST, status="interrupted")
    assert interrupted_line(stopped).endswith("resume with `hacore apply --resume`, or undo with `hacore rollback`")
    undone = interrupted_line(replace(stopped, command="rollback"))
    assert undone.endswith("finish with `hacore rollback`, or undo with `hacore rollback 4`")
    assert run_lines(LAST, None, PLAIN) == [f"Last run: {run_words(LAST)}"]
    assert run_lines(stopped, stopped, PLAIN) == [interrupted_line(stopped)]
    older = replace(LAST, id=3)
    assert run_lines(older, stopped, PLAIN) == [interrupted_line(stopped), f"Last run: {run_words(older)}"]
    assert run_lines(None, None, PLAIN) == []


# -- hosts and addresses


def test_hosts_are_in_columns_with_what_they_hold() -> None:
    found = hosts("a", "longer", silent=["longer"])
    found["a"] = replace(found["a"], host=found["a"].host.model_copy(update={"address": "192.0.2.111"}))
    found["part"] = HostStatus(found["a"].host, Facts(HostFacts(), {}, {"value": "it hangs"}), "it hangs\x1b")
    found["odd"] = HostStatus(found["a"].host, None, "no answer", answered=True)
    health = {"vip.x": Health("192.0.2.9", ("a",)), "vip.y": Health("", ("a", "b"))}
    assert host_lines(found, health, PLAIN) == [
        "a       192.0.2.111  Debian GNU/Linux 12 (bookworm)  holds 192.0.2.9 (vip.x), vip.y",
        "longer  192.0.2.12   unreachable: cannot connect to longer (192.0.2.12:22): timed out",
        "part    192.0.2.111  unknown system",
        "  checked in part: it hangs\\x1b",
        "odd     192.0.2.111  not checked: no answer",
    ]
    assert serving(health) == {"a", "b"}
    assert host_lines({}, {}, PLAIN) == []


CHECKS = (
    Verdict("http://y/", False, "status 502"),
    Verdict("http://x/", True, "ok"),
    Verdict("http://z/", None, "not asked"),
)


@pytest.mark.parametrize(
    ("holders", "verdicts", "faults", "held"),
    [
        (("a",), (), [], ["vip.x 192.0.2.9 held by a"]),
        ((), (), ["vip.x: 192.0.2.9 is held by no host"], ["vip.x 192.0.2.9 held by no host"]),
        (("a", "b"), (), ["vip.x: 192.0.2.9 is held by a and b"], ["vip.x 192.0.2.9 held by a and b"]),
        (
            ("a",),
            CHECKS,
            ["vip.x: http://y/: status 502"],
            ["vip.x 192.0.2.9 held by a", "  http://x/: ok", "  http://y/: status 502", "  http://z/: not asked"],
        ),
    ],
)
def test_who_holds_an_address(holders: Any, verdicts: Any, faults: list[str], held: list[str]) -> None:
    health = {"vip.x": Health("192.0.2.9", holders, verdicts)}
    assert health_lines(health, PLAIN) == faults
    assert held_lines(health, PLAIN) == held


# -- a part of a plan


CHANGE = change("file.a@lb1", Action.UPDATE, {"mode": "0600"}, {"mode": "0644"})


@pytest.mark.parametrize(
    ("targets", "excludes", "left", "line"),
    [
        (["file.a"], [], 0, "Partial plan: only file.a and what it depends on."),
        (
            [],
            ["file.b"],
            1,
            "Partial plan: without file.b and everything that depends on it; 1 other change not included.",
        ),
        (
            ["file.a", "file.c"],
            ["file.b"],
            2,
            "Partial plan: only file.a and file.c and what it depends on, without file.b and everything that depends "
            "on it; 2 other changes not included.",
        ),
    ],
)
def test_a_partial_plan(targets: list[str], excludes: list[str], left: int, line: str) -> None:
    made = plan([CHANGE], selection=Selection.parse(targets, excludes), left_out=left)
    assert selection_lines(made, PLAIN) == [line]
    assert selection_lines(plan([CHANGE]), PLAIN) == []


def test_what_came_along_or_stayed_back() -> None:
    widened = {Address.parse("file.a@lb1"): "it is in /k", Address.parse("file.b@lb1"): "its members\x1b"}
    made = plan([CHANGE], selection=Selection.parse(["file.a"], []), widened=widened)
    assert selection_lines(made, PLAIN)[1:] == [
        "  included: file.a@lb1: it is in /k",
        "  excluded: file.b@lb1: its members\\x1b",
    ]


def silent(*names: str, answered: bool = False) -> dict[str, HostStatus]:
    found = hosts("lb1", "lb2", silent=names)
    return {name: replace(status, answered=answered and name in names) for name, status in found.items()}


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (plan([CHANGE]), "Plan: 0 to create, 1 to update, 0 to replace, 0 to delete, 0 to adopt."),
        (
            plan([change("file.a@lb1", Action.FORGET)]),
            "Plan: 0 to create, 0 to update, 0 to replace, 0 to delete, 0 to adopt, 1 to forget.",
        ),
        (plan(), "No changes. The hosts match the stack."),
        (plan(hosts=silent("lb1")), "No changes on the hosts that were checked."),
        (plan(hosts=silent("lb1", "lb2")), "No host was checked."),
        (plan(selection=Selection.parse(["file.a"], [])), "No changes for the selected targets."),
        (plan(refreshed=False), "No changes. The stack matches the state."),
        (plan(command="destroy", refreshed=False), "No changes. The state has no resources to destroy."),
        (plan(command="destroy"), "No changes. The state has no resources to destroy."),
        (
            plan(drifts=[drift("file.a@lb1", {"mode": "0644"}, {"mode": "0600"})]),
            "No changes. The hosts match the stack, but differ from the recorded state (see above).",
        ),
    ],
)
def test_the_last_line_of_a_plan(made: Any, line: str) -> None:
    assert count_line(made) == line


@pytest.mark.parametrize(
    ("names", "answered", "changes", "line"),
    [
        (("lb1",), False, [], "Incomplete: lb1 is unreachable: changes needed there are not known."),
        (("lb1", "lb2"), False, [], "Incomplete: lb1, lb2 are unreachable: changes needed there are not known."),
        (("lb1",), True, [], "Incomplete: lb1 was not checked: changes needed there are not known."),
        (("lb1", "lb2"), True, [], "Incomplete: lb1, lb2 were not checked: changes needed there are not known."),
        (
            ("lb2",),
            False,
            [CHANGE],
            "Incomplete: lb2 is unreachable: changes needed there are not known. "
            "To apply the changes of the other hosts, add --allow-degraded.",
        ),
    ],
)
def test_hosts_that_were_not_checked(names: tuple[str, ...], answered: bool, changes: list[Any], line: str) -> None:
    assert list(incomplete_lines(plan(changes, hosts=silent(*names, answered=answered)), PLAIN)) == [line]
    assert list(incomplete_lines(plan(changes), PLAIN)) == []


@pytest.mark.parametrize(
    ("made", "code", "detailed"),
    [
        (plan(), 0, 0),
        (plan([CHANGE]), 0, 2),
        (plan(drifts=[drift("file.a@lb1", {"mode": "0644"}, {"mode": "0600"})]), 0, 2),
        (plan([CHANGE], hosts=silent("lb1")), 1, 1),
    ],
)
def test_the_exit_code_of_a_plan(made: Any, code: int, detailed: int) -> None:
    assert (exit_code(made), exit_code(made, detailed=True)) == (code, detailed)


def test_that_no_host_was_asked_is_said() -> None:
    assert refresh_lines(plan(), PLAIN) == []
    assert refresh_lines(plan(refreshed=False), PLAIN)[0].startswith("Hosts were not contacted (--no-refresh):")


@pytest.mark.parametrize(
    ("number", "shown", "more"),
    [(1, 0, None), (2, 2, None), (5, 5, None), (6, 5, "  and 1 more lane"), (8, 5, "  and 3 more lanes")],
)
def test_the_lanes_of_a_plan(number: int, shown: int, more: str | None) -> None:
    changes = [change(f"file.f{n}@lb1", Action.CREATE, None, {"mode": "0644"}) for n in range(number)]
    lines = failure_lines([task(f"t{n}", one, lane=n) for n, one in enumerate(changes)])
    assert sum(line.startswith("  lane ") for line in lines) == shown
    assert [line for line in lines if "more lane" in line] == ([more] if more else [])
    if number == 1:
        assert lines == ["If a step fails, all of them are rolled back."]
    else:
        words = "lane continues" if number == 2 else "lanes continue"
        assert lines[0] == f"If a step fails, the steps of its lane are rolled back; the other {words}:"
    assert failure_lines([], "rollback") == []
    halted = failure_lines([task("t1", changes[0])], "halt")
    assert halted[0].endswith("nothing is rolled back (--on-failure halt).")
