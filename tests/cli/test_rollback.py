"""Rolling back from the command line: several runs, JSON, what is refused, old runs forgotten."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Console
from tests.cli.test_commands import WEB, made

__all__ = ["made"]


def versions(made: Console, *names: str) -> None:
    for name in names:
        made.stack(WEB.replace("v1", name))
        assert made("apply", "--auto-approve").code == 0


def test_back_over_several_runs_and_forth_again(made: Console) -> None:
    before = made.world.snapshot()
    versions(made, "v2", "v3")
    after = made.world.snapshot()
    done = made("rollback", "2", stdin="yes\n")
    assert done.code == 0, done.err
    assert "Roll back to the state before run 2; these runs are undone, the newest first:" in done.out
    assert "Do you want to roll back runs 3 and 2 on a, b?" in done.err
    assert "The stack still has what was rolled back" in done.out
    assert "To undo this rollback: hacore rollback 4" in done.out
    assert made.world.snapshot() == before
    listed = made("runs").out.splitlines()
    assert [line.endswith(", undone by #4") for line in listed] == [False, True, True, False]
    assert made("plan").code == 0
    again = made("rollback", "4", "--auto-approve")
    assert again.code == 0, again.err
    assert made.world.snapshot() == after
    assert "still wants" not in again.out


def test_rollback_as_json_lines(made: Console) -> None:
    versions(made, "v2")
    assert made("rollback", "--json").code == 64
    done = made("rollback", "--json", "--auto-approve")
    assert done.code == 0, done.err
    first = next(line for line in done.lines if line["type"] == "plan")
    last = done.lines[-1]
    assert (first["how"], first["undoes"]) == ("undo", [2])
    assert {(i["address"], i["do"]) for i in first["items"]} == {
        *((f"thing.conf@{host}", "restore") for host in "ab"),
        *((f"daemon.web@{host}", "reload") for host in "ab"),
    }
    assert (last["type"], last["run"], last["status"], last["ok"]) == ("summary", 3, "rolled_back", True)
    assert {task["status"] for task in last["tasks"]} == {"done"}
    assert "hunter2" not in done.out + done.err


FINAL = "thing: {db: {hosts: a, text: v1, irreversible: a schema has no way back}}"


def test_what_cannot_be_undone_is_marked_and_refused_on_request(console: Console) -> None:
    console.stack(FINAL)
    for words in (("apply",), ("apply", "--json")):
        refused = console(*words, "--auto-approve", "--no-irreversible")
        assert refused.code == 1
        assert "thing.db@a: a schema has no way back" in refused.err
    assert console.world["a"].data == {}
    assert "! cannot be undone: a schema has no way back" in console("plan").out
    assert console("apply", "--auto-approve").code == 0
    refused = console("rollback", "--auto-approve", "--no-irreversible")
    assert refused.code == 1
    assert "cannot roll back with --no-irreversible: thing.db@a: a schema has no way back" in refused.err
    shown = console("rollback", "--auto-approve")
    assert shown.code == 0
    assert "! cannot be undone: a schema has no way back" in shown.out


def test_old_runs_are_forgotten_and_origins_outlive_them(console: Console) -> None:
    console.world["a"].data["/etc/x"] = {"text": "by hand"}
    for version in ("v1", "v2", "v3"):
        console.stack(f"thing: {{x: {{hosts: a, key: /etc/x, text: {version}}}}}")
        assert console("apply", "--auto-approve").code == 0
    assert console("runs", "prune").code == 64
    done = console("runs", "prune", "--keep", "1")
    assert (done.code, done.out) == (0, "Pruned 2 runs, kept the newest 1.\n")
    assert [run["run"] for run in console("runs", "--json").json["runs"]] == [3]
    gone = console("rollback", "2", "--auto-approve")
    assert gone.code == 1
    assert "cannot roll back run 2: it is not recorded" in gone.err
    assert console("rollback", "--auto-approve").code == 0
    assert console.world["a"].data["/etc/x"]["text"] == "v2"
    assert console("runs", "prune", "--keep", "0").code == 0
    assert console("destroy", "--auto-approve").code == 0
    assert console.world["a"].data["/etc/x"] == {"text": "by hand"}


def test_without_a_state_there_is_nothing_to_forget(console: Console) -> None:
    console.stack("thing: {}")
    none = console("runs", "prune", "--keep", "3")
    assert none.code == 1
    assert "cannot prune runs: there is no state yet" in none.err


@pytest.mark.parametrize("words", [("runs",), ("runs", "list"), ("runs", ".")])
def test_runs_lists_by_default(made: Console, words: tuple[str, ...]) -> None:
    assert made(*words).out.split()[:3] == ["#1", "apply", "done"]
