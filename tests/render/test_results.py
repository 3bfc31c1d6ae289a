"""Summaries of runs and rollbacks, drift reports, what is recorded: against golden files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Daemon, Member, VerdictWord
from hacore.diff import AttrChange
from hacore.engine import (
    DriftReport,
    Planned,
    RollbackItem,
    RollbackPlan,
    RollbackResult,
    RunResult,
    TaskSummary,
    WayBack,
)
from hacore.engine.status_check import StatusReport
from hacore.engine.verdicts import AddressStatus, CheckResult
from hacore.load.stack import Stack
from hacore.model import Action, Lifecycle, Row
from hacore.render.drift import drift_exit_code, drift_json, drift_text, one_drift_json
from hacore.render.graph import dot, mermaid
from hacore.render.header import run_words, stack_line
from hacore.render.result import rollback_result_text, run_json, run_text
from hacore.render.rollback import rollback_text, rollback_words
from hacore.render.state import (
    addresses_json,
    resources_json,
    row_json,
    row_text,
    run_report_json,
    run_text_of,
    runs_json,
    runs_text,
)
from hacore.render.status import status_exit_code, status_json, status_text
from hacore.render.status_metrics import status_metrics
from hacore.store import TaskRecord
from tests.render.plans import HEALTH, HELD, LAST, change, drift, hosts, plan

Golden = Callable[[str, str], None]
COMMANDS = {
    "plan": "hacore plan stacks/web",
    "rollback": "hacore rollback stacks/web",
    "resume": "hacore apply --resume stacks/web",
    "undo": "hacore rollback 8",
}
STACK = Stack("web", Path(), Path(), "sqlite:///s.db", {}, {}, {}, sensitive_outputs=frozenset({"token"}))
PLANNED = Planned(plan([change("file.a@lb1", Action.CREATE, None, {"mode": "0644"})]), STACK)
OUTPUTS = {"url": "http://192.0.2.200/", "token": "do not show", "members": ["lb1", "lb2"]}


def summary(id_: str, status: str, error: str = "", op: str = "update", address: str = "file.a@lb1") -> TaskSummary:
    return TaskSummary(id_, op, (address,), Address.parse(address).host, status, error, 1.5)


def result(status: Any, *tasks: TaskSummary, **more: Any) -> RunResult:
    return RunResult(7, status, PLANNED, tasks, seconds=61.2, **more)


FAILED = (
    summary("t1", "undone", op="create", address="package.tools@lb1"),
    summary("t2", "undone", "cannot change file.nginx.conf: exit code 1: nginx: [emerg] unexpected }\n  in line 3"),
    summary("t3", "error", "cannot do\ncannot undo: host is gone", address="file.b@lb1"),
    summary("t4", "done", address="file.other@lb2"),
    summary("t5", "hold", op="reload", address="service.nginx@lb1"),
    summary("t6", "do", op="drain", address="vrrp_instance.VI_1@lb1"),
)


def test_a_failed_run_tells_what_failed_went_back_and_never_began(golden: Golden) -> None:
    golden("run_failed", run_text(result("failed", *FAILED), commands=COMMANDS))


def test_counts_say_what_happened_and_text_and_json_agree() -> None:
    failed = result("failed", *FAILED)
    counts = run_json(failed)["counts"]
    assert counts == {"failed": 2, "undone": 1, "done": 1, "not_started": 2}
    assert sum(counts.values()) == len(FAILED)
    assert "2 tasks failed (1 of them undone), 1 undone, 1 done, 2 not started" in run_text(failed, commands=COMMANDS)
    assert run_json(failed)["ok"] is False


def test_a_run_that_went_well_ends_with_the_outputs(golden: Golden) -> None:
    done = result("done", summary("t1", "done"), summary("t2", "done"), outputs=OUTPUTS)
    golden("run_done", run_text(done, commands=COMMANDS))
    assert run_json(done)["outputs"] == {**OUTPUTS, "token": "(sensitive)"}


def test_a_broken_promise_is_a_warning() -> None:
    broken = result("done", summary("t1", "done"), leftover=PLANNED.plan)
    text = run_text(broken, commands=COMMANDS)
    assert "Warning: the hosts do not match the stack after the run: file.a@lb1." in text
    assert not broken.ok


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            "rolled_back",
            ["Apply failed: 1 task failed (undone)", "The changes were rolled back.", "hacore plan stacks/web"],
        ),
        (
            "interrupted",
            ["Apply interrupted: 1 task failed (undone)", "The run is incomplete.", "hacore rollback stacks/web"],
        ),
    ],
)
def test_the_next_command_fits_what_happened(status: str, words: list[str]) -> None:
    text = run_text(result(status, summary("t1", "undone", "no")), commands=COMMANDS)
    for word in words:
        assert word in text


def test_nothing_to_do_is_said_in_the_words_of_the_plan() -> None:
    nothing = replace(result("nothing"), planned=Planned(plan(), STACK))
    assert run_text(nothing, commands=COMMANDS) == "No changes. The hosts match the stack."


# --- rollback


def test_a_rollback_shows_each_step_before_it_is_asked_for(golden: Golden) -> None:
    items = [
        RollbackItem("vip.front", None, "delete"),
        *(RollbackItem(f"service.nginx@{host}", host, "reload") for host in ("lb2", "lb1")),
        *(RollbackItem(f"file.nginx.conf@{host}", host, "restore") for host in ("lb2", "lb1")),
        RollbackItem("file.gone@lb1", "lb1", "bring_back"),
        RollbackItem("package.tool@lb1", "lb1", "restore", "no source offers 1.0 any more"),
        RollbackItem("package.curl@lb1", "lb1", "forget"),
    ]
    drifted = (drift("file.nginx.conf@lb1", {"mode": "0644"}, {"mode": "0600"}),)
    golden("rollback", rollback_text(RollbackPlan(LAST, tuple(items), drifted)))


def test_what_came_of_a_rollback() -> None:
    undone, stuck = summary("t1", "undone"), summary("t2", "error", "cannot undo: no route")
    good = rollback_result_text(RollbackResult(8, "rolled_back", (undone,), 2.0), commands=COMMANDS)
    assert good.splitlines()[0] == "Rollback complete: 1 task undone. (2.0s, run 8)"
    assert good.splitlines()[-1] == (
        "The stack still has what was rolled back: change it, or the next apply repeats it."
    )
    bad = rollback_result_text(RollbackResult(8, "failed", (undone, stuck), 2.0), commands=COMMANDS)
    assert bad.startswith("Rollback failed: 1 task could not be undone, 1 task undone.")
    assert "cannot undo: no route" in bad
    assert "hacore rollback stacks/web" in bad


def test_a_rollback_over_several_runs_says_which_and_how_to_take_it_back() -> None:
    older, rolled = replace(LAST, id=3), replace(LAST, id=5, command="rollback", undoes=(4, 3))
    items = (RollbackItem("file.x@lb1", "lb1", "restore"),)
    plan = RollbackPlan(older, items, how=WayBack.UNDO, undone=(LAST, older))
    assert rollback_text(plan).splitlines()[:3] == [
        "Roll back to the state before run 3; these runs are undone, the newest first:",
        f"  {run_words(LAST)}",
        f"  {run_words(older)}",
    ]
    assert rollback_words(plan) == "roll back runs 4 and 3"
    done = rollback_result_text(
        RollbackResult(5, "rolled_back", (summary("t1", "done"),), 2.0, plan), commands=COMMANDS
    )
    assert done.splitlines()[0] == "Rollback complete: 1 task done. (2.0s, run 5)"
    assert done.splitlines()[-1] == "To undo this rollback: hacore rollback 8"
    other = (drift("file.x@lb1", {"mode": "0644"}, {"mode": "0600"}),)
    left = RollbackResult(5, "rolled_back", (summary("t1", "done"),), 2.0, plan, leftover=other)
    assert rollback_result_text(left, commands=COMMANDS).splitlines()[-1].endswith("hacore rollback 8 --force")
    again = replace(plan, run=rolled, undone=(rolled,))
    back = rollback_result_text(RollbackResult(6, "rolled_back", (), 2.0, again), commands=COMMANDS)
    assert "still wants" not in back


def test_what_is_left_unfinished_says_how_to_go_on() -> None:
    plan = RollbackPlan(LAST, (), how=WayBack.UNDO, undone=(LAST,))
    text = rollback_result_text(RollbackResult(8, "interrupted", (), 2.0, plan), commands=COMMANDS)
    assert text.splitlines()[-1] == "The rollback is incomplete. To continue: hacore rollback stacks/web"
    assert rollback_words(replace(plan, how=WayBack.FINISH)) == "finish rollback 4"
    assert rollback_words(replace(plan, how=WayBack.TAKE_BACK)) == "roll back run 4"


# --- drift

REPORT = DriftReport("web", "1a2b", 12, (), {}, 14, HELD, HEALTH)
DRIFT = (
    drift("file.x@lb1", {"mode": "0644", "owner": "root"}, {"mode": "0600", "owner": None}),
    drift("file.x@lb2", {"mode": "0644", "owner": "root"}, {"mode": "0600", "owner": None}),
    drift("file.key@lb1", {"content": "hmac:1"}, {"content": "hmac:2"}, sensitive=frozenset({"content"})),
)


def test_drift_is_recorded_to_found(golden: Golden) -> None:
    report = replace(REPORT, drift=DRIFT, unreachable={"lb3": "cannot connect to lb3: no route"})
    golden("drift", drift_text(report))
    entry = drift_json(report)["drift"][2]
    assert entry["attrs"] == [{"path": "content", "sensitive": True}]
    assert drift_json(report)["complete"] is False


def test_json_has_the_lines_of_a_sensitive_text_but_not_its_values() -> None:
    change = AttrChange("content", "recorded value", "found value", ("-a", "+b"), sensitive=True)
    (entry,) = one_drift_json(replace(DRIFT[2], attrs=(change,)))["attrs"]
    assert entry == {"path": "content", "sensitive": True, "hunks": ["-a", "+b"]}


@pytest.mark.parametrize(
    ("drifts", "unreachable", "code", "words"),
    [
        ((), {}, 0, "No drift; 14 resources checked."),
        (DRIFT, {}, 2, "Drift: 3 resources on 2 hosts changed; 14 resources checked."),
        ((), {"lb3": "no route"}, 1, "No drift on the hosts that were checked; 14 resources checked."),
        (DRIFT, {"lb3": "no route"}, 1, "Incomplete: lb3 was not checked, changes there are not known: no route"),
    ],
)
def test_could_not_tell_beats_drift(drifts: Any, unreachable: dict[str, str], code: int, words: str) -> None:
    report = replace(REPORT, drift=drifts, unreachable=unreachable)
    assert drift_exit_code(report) == code
    assert words in drift_text(report)


# --- state, runs, status, graph


def row(**more: Any) -> Row:
    given: dict[str, Any] = {
        "address": Address.parse("file.key@lb1"),
        "spec": {},
        "schema_version": 1,
        "attrs": {"content": "hmac:" + "a" * 64, "mode": "0600"},
        "info": {"mtime": 1_795_656_473, "size": 12},
        "sensitive": ("content",),
        "needs": ("file.dir@lb1",),
        "hosts": ("lb1",),
        "loaded": {"file.a@lb1": None, "file.b@lb1": "d"},
        "run": 4,
        **more,
    }
    return Row(**given)


def test_a_row_shows_no_secret_not_even_its_hmac(golden: Golden) -> None:
    kept = row(found="different", tainted=True, lifecycle=Lifecycle(prevent_destroy=True))
    golden("row", row_text(kept))
    assert row_json(kept)["attrs"] == {"content": "(sensitive)", "mode": "0600"}
    assert "hmac" not in str(row_json(kept))


CHANGES = {"changes": [{"action": "create"}, {"action": "update"}]}
RELOAD = {"changes": [{"action": "noop"}], "trigger": "reload"}


def test_runs_the_newest_first(golden: Golden) -> None:
    failed = replace(LAST, id=5, status="failed", summary={"create": 2, "noop": 7})
    tasks = [
        TaskRecord(
            5,
            "t2",
            "change",
            "file",
            "lb1",
            ("file.a@lb1",),
            "error",
            payload=CHANGES,
            error="no space\nleft",
            position=1,
        ),
        TaskRecord(
            5, "t1", "trigger", "service", "lb1", ("service.x@lb1",), "done", payload=RELOAD, started=1.0, ended=3.5
        ),
    ]
    undone = replace(LAST, id=6, command="rollback", undoes=(5,))
    golden("runs", runs_text([LAST, failed, undone]) + "\n---\n" + run_text_of(failed, tasks))


def test_a_header_of_more_than_80_columns_has_the_state_on_a_line_of_its_own() -> None:
    url = "sqlite:////srv/stacks/production/web/frontend/state/nginx-keepalived.db"
    assert stack_line("web", url, "1a2b3c4d5e", 12) == f"Stack web   lineage 1a2b3c4d   serial 12\nstate {url}"
    assert stack_line("web", "sqlite:///w.db", "", 0) == "Stack web   state sqlite:///w.db   (nothing recorded yet)"


LB1 = Member("lb1", "MASTER", True, True, since=1700000000.0, recorded_from=1699990000.0, priority=101)
LB2 = Member("lb2", "BACKUP", False, True, recorded_from=1699980000.0, priority=81, trackers=("chk failed (-20)",))


def status_of(*found: AddressStatus, **more: Any) -> StatusReport:
    made = plan(health={})
    given = {"hosts": hosts("lb1", "lb2"), "plan": made, "addresses": found} | more
    return StatusReport("web", "postgresql://ops:pw@db/web", "1a2b3c4d5e6f", 12, **given)


def test_status_shows_verdict_cause_next_command_members_and_checks(golden: Golden) -> None:
    checks = (
        CheckResult("lb1", "http://x/", False, "status 502, not 200"),
        CheckResult("hacore", "http://x/", True, "ok"),
    )
    found = AddressStatus(
        "192.0.2.200",
        "not-serving",
        "http://x/: status 502, not 200 (asked by lb1)",
        "on lb1: curl -v http://x/",
        ("lb1",),
        (LB1, replace(LB2, takeovers=(1699985000.0, 1699995000.0))),
        checks,
        ("vip.front", "vrrp_instance.VI_1"),
    )
    up = {"lb1": (Daemon("keepalived", True), Daemon("nginx", False, True))}
    report = status_of(found, daemons=up, unfinished=LAST, hosts=hosts("lb1", "lb2", "lb3", silent=["lb3"]))
    golden("status", status_text(report))
    assert status_exit_code(report) == 2
    told = status_json(report)
    assert (told["ok"], told["verdict"], told["interrupted_run"]) == (False, "not-serving", LAST.id)
    assert (told["addresses"][0]["moves"], told["addresses"][0]["moves_since"]) == (1, 1699990000.0)


@pytest.mark.parametrize(
    ("words", "silent", "code"),
    [
        (["healthy"], [], 0),
        (["healthy"], ["lb2"], 1),
        (["healthy", "no-redundancy"], ["lb2"], 2),
        (["no-holder", "unknown"], [], 2),
        (["unknown", "healthy"], [], 1),
        (["drained"], [], 2),
        ([], [], 0),
        ([], ["lb2"], 1),
    ],
)
def test_the_exit_code_of_a_status(words: list[VerdictWord], silent: list[str], code: int) -> None:
    found = [AddressStatus(f"192.0.2.{n}", word) for n, word in enumerate(words)]
    assert status_exit_code(status_of(*found, hosts=hosts("lb1", "lb2", silent=silent))) == code


def test_a_drain_can_be_accepted_and_nothing_worse_with_it() -> None:
    drained = AddressStatus("192.0.2.1", "drained")
    assert status_exit_code(status_of(drained), ("drained",)) == 0
    assert status_json(status_of(drained), ("drained",))["ok"] is True
    assert status_exit_code(status_of(drained, AddressStatus("192.0.2.2", "no-holder")), ("drained",)) == 2


def test_health_of_a_kind_without_members_counts_as_well() -> None:
    bad = {"shared.s": replace(HEALTH["vip.front"], holders=())}
    assert status_exit_code(status_of(plan=plan(health=bad))) == 2
    assert "shared.s: 192.0.2.200 is held by no host" in status_text(status_of(plan=plan(health=bad)))


def test_metrics_of_a_status() -> None:
    found = AddressStatus("192.0.2.200", "drained", "", "", ("lb1",), (LB1, replace(LB2, drained=True)))
    text = status_metrics(status_of(found))
    for line in (
        'hacore_address_holders{address="192.0.2.200",stack="web"} 1.0',
        'hacore_address_verdict{address="192.0.2.200",stack="web",verdict="drained"} 1.0',
        'hacore_address_verdict{address="192.0.2.200",stack="web",verdict="healthy"} 0.0',
        'hacore_member_state{address="192.0.2.200",host="lb1",stack="web",state="MASTER"} 1.0',
        'hacore_member_drained{address="192.0.2.200",host="lb2",stack="web"} 1.0',
        'hacore_status_exit_code{stack="web"} 2.0',
    ):
        assert line in text.splitlines()
    assert 'hacore_member_state_seconds{address="192.0.2.200",host="lb1"' in text
    assert 'hacore_member_state_seconds{address="192.0.2.200",host="lb2"' not in text  # not known, so not 0


def test_graphs_quote_what_a_key_may_hold() -> None:
    needs = {
        Address("file", "a", 'x"y', "lb1"): (Address("file", "dir", None, "lb1"),),
        Address("file", "dir", None, "lb1"): (),
        Address("vip", "front"): (Address("file", "dir", None, "lb1"),),
    }
    drawn = dot(needs)
    assert drawn.count("->") == 2
    assert r'"file.a[\"x\\\"y\"]@lb1" -> "file.dir@lb1";' in drawn
    assert "subgraph cluster_1" in drawn
    flow = mermaid(needs)
    assert "n0 --> n1" in flow
    assert "n2 --> n1" in flow
    assert "#quot;" in flow


# --- what is recorded


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"found": "absent"}, "(run 4, created by hacore)"),
        ({"found": "same"}, "(run 4, adopted in the desired state)"),
        ({"found": "different"}, "(run 4, existed before hacore, with differences)"),
        ({"found": "absent", "tainted": True}, "(run 4, created by hacore, tainted by that run)"),
    ],
)
def test_where_a_row_comes_from(more: dict[str, Any], words: str) -> None:
    assert row_text(row(**more)).splitlines()[0] == f"# file.key@lb1  {words}"


def test_a_bare_row_has_one_line() -> None:
    bare = row(attrs=None, info={}, needs=(), loaded={}, sensitive=())
    assert row_text(bare) == "# file.key@lb1  (run 4, created by hacore)"
    assert row_json(bare)["attrs"] is None


def test_a_row_in_json() -> None:
    kept = row(address=Address.parse('file.key["k"]@lb1'), claims=("own path:/x",), found="same")
    found = row_json(kept)
    assert (found["kind"], found["name"], found["key"], found["hosts"]) == ("file", "key", "k", ["lb1"])
    assert (found["needs"], found["claims"], found["pending"]) == (["file.dir@lb1"], ["own path:/x"], ["file.a@lb1"])
    assert (found["info"], found["found"], found["tainted"], found["run"]) == (row().info, "same", False, 4)
    assert [r["address"] for r in resources_json([kept])["resources"]] == ['file.key["k"]@lb1']
    assert addresses_json([kept])["addresses"] == ['file.key["k"]@lb1']


def of_run(**more: Any) -> TaskRecord:
    names = tuple(f"file.{name}@lb1" for name in "abcdefg")
    return replace(TaskRecord(4, "t1", "change", "file", "lb1", names, "done"), **more)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"addresses": ("file.a@lb1",)}, "    t1  done  change file.a@lb1"),
        ({"addresses": ("file.a@lb1",), "started": 1.0, "ended": 3.5}, "    t1  done  change file.a@lb1  2.5s"),
        ({"addresses": ("file.a@lb1",), "started": 1.0}, "    t1  done  change file.a@lb1"),
        ({"addresses": (), "op": "drain"}, "    t1  done  drain lb1"),
        ({"addresses": (), "op": "drain", "host": None}, "    t1  done  drain "),
        ({}, "    t1  done  change file.a@lb1, file.b@lb1, file.c@lb1, file.d@lb1 and 3 more"),
    ],
)
def test_a_task_of_a_run(more: dict[str, Any], line: str) -> None:
    assert run_text_of(LAST, [of_run(**more)]).splitlines()[3:] == [line]


def test_a_run_and_its_tasks_in_json() -> None:
    found = run_report_json(LAST, [of_run(addresses=("file.a@lb1",), error="no")])
    assert (found["run"], found["command"], found["status"], found["who"]) == (4, "apply", "done", "ops@desk")
    assert [t["addresses"] for t in found["tasks"]] == [["file.a@lb1"]]
    assert [r["run"] for r in runs_json([LAST, replace(LAST, id=5)])["runs"]] == [4, 5]
    assert "tasks" not in runs_json([LAST])["runs"][0]


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"ended": None}, ""),
        ({"summary": {}}, "  41s"),
        ({"summary": {"create": 2, "update": 0, "noop": 7, "delete": 1}}, "  41s  (planned: 2 to create, 1 to delete)"),
        ({"summary": {"noop": 7}}, "  41s"),
    ],
)
def test_a_line_for_a_run(more: dict[str, Any], end: str) -> None:
    run = replace(LAST, **more)
    (line,) = runs_text([run]).splitlines()
    assert line.endswith(run_words(run) + end)


def test_no_runs() -> None:
    assert runs_text([]) == "No runs yet."
