"""`hacore fleet` from the first apply to the rollback, over machines in memory and real states and records."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from hacore.engine import Means
from hacore.fleet import units
from hacore.fleet.record import Book
from hacore.fleet.values import Outcome, Unit
from tests.fleet.conftest import FLEET, ROWS, Console

ALL = [f"edge-{number}" for number in range(1, ROWS + 1)]
SECRET = "hunter2-and-more"


def results(value: Any) -> dict[str, str]:
    return {stack["name"]: stack["result"] for stack in value["stacks"]}


def check(console: Console, name: str, value: Any) -> Any:
    schema = console("schema", name).json
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


def test_the_life_of_a_fleet(console: Console) -> None:
    bare = [world.snapshot() for world in console.worlds]
    valid = console("fleet", "validate")
    assert (valid.code, valid.out.splitlines()[0]) == (0, "Fleet edge is valid: 6 stacks."), valid.err
    assert "wave 1: 1 stack (edge-1)" in valid.out
    planned = console.go("plan", "--detailed-exitcode")
    assert planned.code == 2
    assert "6 stacks differ: 4 create" in planned.out, planned.out

    applied = console.go("apply", "--auto-approve", "--json")

    assert applied.code == 0, applied.err
    run = check(console, "fleet-run", applied.json)
    assert (run["status"], run["waves"], run["waves_done"], run["summary"]) == ("done", 3, 3, {"changed": 6})
    assert [stack["wave"] for stack in run["stacks"]] == [1, 2, 2, 3, 3, 3]
    assert "wave 1 of 3 is done" in applied.err
    assert "[6/6] " in applied.err
    assert all(world["a"].data["/etc/edge.conf"]["text"] == " v1" for world in console.worlds[1:])
    assert sorted(path.stem for path in (console.folder / "state" / "edge").glob("*.db")) == ALL
    clean = check(console, "fleet-report", console.go("drift", "--json").json)
    assert set(results(clean).values()) == {"unchanged"}
    assert console.go("plan", "--detailed-exitcode").code == 0

    console.worlds[3]["a"].data["/etc/edge.conf"]["text"] = "by hand"
    drifted = console.go("drift", "--json", "--metrics", "fleet.prom")
    assert drifted.code == 2
    assert results(drifted.json)["edge-3"] == "differs"
    metrics = (console.folder / "fleet.prom").read_text()
    assert 'hacore_fleet_stacks{fleet="edge",result="differs",verb="drift"} 1.0' in metrics
    console.worlds[3]["a"].data["/etc/edge.conf"]["text"] = " v1"

    back = console.go("rollback", "1", "--auto-approve")
    assert back.code == 0, back.out + back.err
    assert [world.snapshot() for world in console.worlds] == bare
    listed = check(console, "fleet-runs", console("fleet", "runs", "--json").json)
    assert [(one["run"], one["verb"], one["status"]) for one in listed["runs"]] == [
        (1, "apply", "done"),
        (2, "rollback", "done"),
    ]
    assert "run 1" in console("fleet", "show", "1", "edge-2").out
    assert console("fleet", "show", "1", "edge-9").code == 64


def test_the_budget_ends_a_rollout_and_the_rest_is_retried(console: Console) -> None:
    for number in (2, 3):
        console.worlds[number]["b"].fail("write /etc/edge.conf", f"no space for {SECRET}")

    failed = console.go("apply", "--auto-approve", "--json")

    run = failed.json
    assert (failed.code, run["status"]) == (1, "stopped")
    assert run["why"].startswith("the budget is spent: ")
    assert results(run)["edge-1"] == "changed"
    assert {results(run)[name] for name in ("edge-4", "edge-5", "edge-6")} == {"open"}, "wave 3 did not begin"
    assert "/etc/edge.conf" not in console.worlds[2]["b"].data, "the lane that failed is rolled back"
    assert not console.worlds[5]["a"].data
    text = failed.out + failed.err + "".join(p.read_text() for p in (console.folder / "state").rglob("*.jsonl"))
    assert SECRET not in text
    refused = console.go("apply", "--resume", "1", "--auto-approve")
    assert (refused.code, "--retry-failed 1" in refused.err) == (64, True)
    shown = console("fleet", "status")
    assert "wave 3 of 3: not begun, 3 not done" in shown.out

    console.fleet(FLEET + "  budget: {failed: 3}\n")
    again = console.go("apply", "--retry-failed", "1", "--auto-approve", "--json")
    assert again.code == 0, again.err
    assert set(results(again.json)) <= {"edge-2", "edge-3"}
    assert console.go("apply", "--auto-approve").code == 0
    assert console.go("plan", "--detailed-exitcode").code == 0


def test_an_unreachable_pair_has_a_budget_of_its_own(console: Console) -> None:
    console.fleet(FLEET + "  budget: {failed: 1, unreachable: 2}\n")
    console.worlds[6]["b"].reachable = False

    done = console.go("apply", "--auto-approve", "--json")

    assert (done.code, done.json["status"]) == (1, "done")
    assert done.json["summary"] == {"changed": 5, "unreachable": 1}
    assert "no route to host" in next(s["error"] for s in done.json["stacks"] if s["name"] == "edge-6")
    assert console.go("drift").code == 1


def test_a_wave_that_drifts_while_it_soaks_ends_the_rollout(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    async def perform(unit: Unit, means: Means) -> Outcome:
        done = await real(unit, means)
        if (unit.verb, unit.member.name) == ("apply", "edge-1"):
            console.worlds[1]["a"].data["/etc/edge.conf"]["text"] = "by hand"
        return done

    real = units.perform
    monkeypatch.setattr(units, "perform", perform)

    done = console.go("apply", "--auto-approve", "--json")

    assert (done.code, done.json["status"], done.json["waves_done"]) == (1, "stopped", 0)
    assert done.json["why"] == "wave 1 is not clean after 0s: edge-1: thing.conf@a"
    assert done.json["summary"] == {"changed": 1, "open": 5}
    assert not any(world["a"].data for world in console.worlds[2:])


def test_the_question(console: Console) -> None:
    no = console.go("apply", stdin="no\n")
    assert (no.code, "fleet apply cancelled" in no.err) == (1, True)
    assert "wave 2: 2 stacks (edge-2, edge-3)" in no.out
    assert not (console.folder / "state").exists()
    assert console.go("apply", stdin="yes\n").code == 0


def test_where_selects_by_label(console: Console) -> None:
    done = console.go("apply", "--where", "site=lab", "--auto-approve", "--json")
    assert list(results(done.json)) == ["edge-1"]
    wrong = console.go("apply", "--where", "site=moon", "--auto-approve")
    assert (wrong.code, "no stack of the fleet edge has these labels" in wrong.err) == (64, True)
    assert console.go("apply", "--where", "site", "--auto-approve").code == 64


def test_a_stack_that_changed_since_is_not_rolled_back(console: Console) -> None:
    assert console.go("apply", "--auto-approve").code == 0
    console.template("new ")
    later = console.go("apply", "--where", "site=lab", "--auto-approve")
    assert later.code == 0, later.err

    back = console.go("rollback", "1", "--auto-approve", "--json")

    found = {s["name"]: s for s in back.json["stacks"]}
    assert back.code == 1
    assert found["edge-1"]["result"] == "refused"
    assert found["edge-1"]["error"] == "run 1 was not rolled back: changed since by run 2"
    assert {found[name]["result"] for name in ALL[1:]} == {"changed"}
    assert console.worlds[1]["a"].data["/etc/edge.conf"]["text"] == "new  v1"


def test_resume_continues_and_repeats_nothing(console: Console) -> None:
    """The record of a coordinator that was killed: two units had begun, one of them had ended."""
    assert console.go("apply", "--auto-approve").code == 0
    record = console.folder / "state" / "edge.fleet" / "000001.jsonl"
    lines = record.read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["type"] == "run"]
    kept += [line for line in lines if json.loads(line).get("stack") == "edge-1"]
    begun = next(line for line in lines if json.loads(line).get("stack") == "edge-2")
    record.write_text("\n".join([*kept, begun, '{"type": "ended", "sta']) + "\n")
    shown = console("fleet", "status", "--json").json
    assert (shown["status"], results(shown)["edge-1"], results(shown)["edge-2"]) == ("interrupted", "changed", "open")

    done = console.go("apply", "--resume", "1", "--auto-approve", "--json")

    assert done.code == 0, done.err
    assert done.json["summary"] == {"changed": 2, "unchanged": 4}, "what edge-2 had begun was done, by this rollout"
    assert "edge-1" not in done.err, "what has an outcome is not repeated"
    assert console.go("rollback", "1", "--auto-approve").code == 0
    assert results(console("fleet", "status", "--json").json) == {"edge-1": "changed", "edge-2": "changed"}
    console.template("other ")
    record.write_text("\n".join([*kept, begun]) + "\n")
    changed = console.go("apply", "--resume", "1", "--auto-approve")
    assert (changed.code, "changed since it began" in changed.err) == (1, True)


def test_two_coordinators_of_one_run_exclude_each_other(console: Console) -> None:
    assert console.go("apply", "--auto-approve").code == 0
    book = Book(console.folder / "state" / "edge.fleet")
    with book.coordinating(1):
        assert book.is_running(1)
        second = console.go("apply", "--resume", "1", "--auto-approve")
    assert (second.code, "another process does; wait for it" in second.err) == (1, True)


def test_without_the_command_nothing_of_it_is_imported() -> None:
    script = (
        "import sys, hacore.cli.app, hacore.engine, hacore.render.schemas, hacore.cli.commands.apply\n"
        "from hacore.engine import apply, plan, drift\n"
        "print([name for name in sys.modules if name.startswith('hacore.fleet') or 'fleet' in name.split('.')[-1]])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hacore.render.fleet_formats']"


@pytest.mark.parametrize("name", ["fleet"])
def test_the_schema_of_the_file(console: Console, name: str) -> None:
    schema = console("schema", name).json
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"fleet": "edge", "stacks": "sites/{site}/stack.yaml"})
    assert not validator.is_valid({"fleet": "edge"})
