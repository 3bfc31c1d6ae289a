"""Each command over hosts in memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from hacore.store import Place, RunRecord, StateReader, StateWriter, TaskRecord, holder
from tests.cli.conftest import HEAD, Console

WEB = """
thing:
  conf: {key: /etc/web.conf, text: v1}
  key: {key: /etc/web.key, text: "{{ var.password }}"}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


@pytest.fixture
def made(console: Console) -> Console:
    """A stack that was applied."""
    console.stack(WEB)
    done = console("apply", "--auto-approve")
    assert done.code == 0, done.out + done.err
    return console


def test_validate(console: Console) -> None:
    console.stack(WEB)
    done = console("validate")
    assert (done.code, done.out) == (0, "Stack web is valid: 3 resources, 6 instances on 2 hosts.\n")
    assert console("validate", "--json").json["valid"] is True


def test_all_mistakes_of_a_stack_come_with_their_place_and_a_count(console: Console) -> None:
    console.stack("thing: {one: {txt: x}, two: {hosts: nobody}}")
    done = console("validate")
    assert done.code == 1
    assert done.out == ""
    *problems, last = done.err.splitlines()
    assert last == "error: 2 mistakes in the stack"
    assert [line.split(": ")[:2] for line in problems] == [
        ["stack.yaml:9:17", "thing.one"],
        ["stack.yaml:9:39", "thing.two"],
    ]
    as_json = console("validate", "--json")
    assert as_json.code == 1
    assert [p["address"] for p in as_json.json["problems"]] == ["thing.one", "thing.two"]


def test_plan_writes_nothing_and_its_exit_code_tells_when_asked_to(console: Console) -> None:
    console.stack(WEB)
    before = sorted(console.folder.rglob("*"))
    done = console("plan", "--var", "password=other-password")
    assert done.code == 0
    assert "Plan: 6 to create" in done.out
    assert done.out.endswith("\nTo apply this plan: hacore apply --var 'password=…'\n")
    assert "other-password" not in done.out + done.err
    assert console("plan", "--detailed-exitcode").code == 2
    assert sorted(console.folder.rglob("*")) == before


def test_plan_apply_plan(made: Console) -> None:
    assert made.world["a"].data["/etc/web.conf"]["text"] == "v1"
    done = made("plan", "--detailed-exitcode")
    assert (done.code, done.out.splitlines()[-1]) == (0, "No changes. The hosts match the stack.")
    again = made("apply")
    assert (again.code, again.out) == (0, "No changes. The hosts match the stack.\n")


def test_plan_json_and_text_come_from_one_object(made: Console) -> None:
    made.world["b"].data["/etc/web.conf"]["text"] = "by hand"
    found = made("plan", "--json", "--detailed-exitcode")
    assert found.code == 2
    assert found.json["summary"]["update"] == len([c for c in found.json["changes"] if c["action"] == "update"])
    assert [d["address"] for d in found.json["drift"]] == ["thing.conf@b"]
    text = made("plan").out
    assert text.index("Changed outside of hacore") < text.index("hacore will perform the following actions")
    assert "- by hand" in text


def test_profile_goes_to_stderr(console: Console) -> None:
    console.stack(WEB)
    done = console("plan", "--profile", "--json")
    assert done.json["complete"] is True
    phases = [line.split()[0] for line in done.err.splitlines()]
    assert phases[:3] == ["start", "import", "engine"]
    assert {"load", "probe", "plan"} <= set(phases)
    assert phases[-1] == "total"


def test_an_unreachable_host_makes_a_plan_incomplete(made: Console) -> None:
    made.world["a"].data["/etc/web.conf"]["text"] = "by hand"
    made.world["b"].reachable = False
    done = made("plan", "--detailed-exitcode")
    assert done.code == 1
    assert "b  192.0.2.2  unreachable: cannot reach b@192.0.2.2: no route to host" in done.out
    assert "~ thing.conf @ a" in done.out
    assert "Incomplete: b is unreachable" in done.out
    refused = made("apply", "--auto-approve")
    assert refused.code == 1
    assert "--allow-degraded" in refused.err
    assert made("apply", "--auto-approve", "--allow-degraded").code == 0
    assert made.world["a"].data["/etc/web.conf"]["text"] == "v1"


def test_apply_asks_after_the_plan_and_tells_what_was_done(console: Console) -> None:
    console.stack(WEB + "\n", head=HEAD_WITH_OUTPUTS)
    done = console("apply", stdin="yes\n")
    assert done.code == 0, done.err
    assert "Do you want to perform these actions on a, b?" in done.err
    assert done.out.index("Plan: 6 to create") < done.out.index("Apply complete: ")
    assert "thing.conf: created in" in done.err
    assert done.out.endswith('Outputs:\n\nsecret = (sensitive)\nurl    = "http://192.0.2.1/"\n')


HEAD_WITH_OUTPUTS = """
stack: web
variables: {password: {type: string, sensitive: true, default: hunter2-and-more}}
hosts: {a: {address: 192.0.2.1}, b: {address: 192.0.2.2}}
outputs: {url: "http://192.0.2.1/", secret: "{{ var.password }}"}
"""


def test_a_failed_apply_lists_what_happened_and_exits_1(made: Console) -> None:
    made.stack(WEB.replace("v1", "v2"))
    made.world["b"].fail("write /etc/web.conf", "disk full")
    done = made("apply", "--auto-approve")
    assert done.code == 1
    assert "Apply failed: 1 task failed (undone)" in done.out
    assert "disk full" in done.out
    assert "disk full" in done.err
    assert "1 task failed (undone), 2 done, 1 not started" in done.out
    assert "To roll back the changes that were applied: hacore rollback" in done.out
    assert made.world["b"].data["/etc/web.conf"]["text"] == "v1"


def test_apply_json_is_a_line_per_event_and_ends_with_a_summary(console: Console) -> None:
    console.stack(WEB)
    done = console("apply", "--auto-approve", "--json")
    assert done.code == 0
    types = [line["type"] for line in done.lines]
    plan = types.index("plan")
    assert set(types[:plan]) <= {"version", "host_connecting", "host_ready"}
    assert types.count("task_done") == len(done.lines[-1]["tasks"])
    assert types[-1] == "summary"
    assert done.lines[-1]["ok"] is True
    assert done.err == ""


def test_an_error_is_json_too_where_json_was_asked_for(console: Console) -> None:
    console.stack(WEB)
    console.world["a"].reachable = False
    done = console("apply", "--auto-approve", "--json")
    assert done.code == 1
    assert done.lines[-1]["type"] == "error"
    assert done.lines[-1]["error"] == "UnreachableError"
    assert done.err.startswith("error: cannot reach a@192.0.2.1")


def test_drift_needs_no_stack_that_loads_and_no_variable(made: Console) -> None:
    (made.folder / "stack.yaml").write_text("stack: web\nvariables: {gone: {}}\nresources: {nonsense: 1}\n")
    clean = made("drift")
    assert (clean.code, clean.out) == (0, "No drift; 6 resources checked.\n")
    assert made("drift", "--quiet").out == ""
    made.world["a"].data["/etc/web.conf"]["text"] = "by hand"
    del made.world["b"].data["/etc/web.key"]
    found = made("drift", "--quiet")
    assert found.code == 2
    assert "# thing.conf@a has changed" in found.out
    assert "# thing.key@b was deleted" in found.out
    assert [d["address"] for d in made("drift", "--json").json["drift"]] == ["thing.conf@a", "thing.key@b"]
    made.world["b"].reachable = False
    blind = made("drift", "--quiet")
    assert blind.code == 1
    assert "Incomplete: b was not checked" in blind.out


def test_drift_of_a_named_state_needs_no_stack_at_all(made: Console) -> None:
    url = f"sqlite:///{next(made.folder.rglob('*.db')).relative_to(made.folder)}"
    (made.folder / "stack.yaml").unlink()
    assert made("drift", "--state", url).code == 0


def test_drift_without_a_state_could_not_tell(console: Console) -> None:
    console.stack(WEB)
    done = console("drift", "--quiet")
    assert done.code == 1
    assert done.err.startswith("error: cannot check for drift: there is no state")


def test_rollback_shows_asks_and_undoes(made: Console) -> None:
    before = made.world.snapshot()
    made.stack(WEB.replace("v1", "v2"))
    assert made("apply", "--auto-approve").code == 0
    refused = made("rollback", stdin="no\n")
    assert (refused.code, refused.err.splitlines()[-1]) == (1, "error: rollback cancelled")
    assert "~ restore thing.conf @ " in refused.out
    done = made("rollback", "2", stdin="yes\n")
    assert done.code == 0, done.err
    assert "Do you want to roll back run 2 on a, b?" in done.err
    assert "Rollback complete: " in done.out
    assert made.world.snapshot() == before
    wrong = made("rollback", "7", "--auto-approve")
    assert wrong.code == 1


def test_rollback_overwrites_what_was_changed_by_hand_only_by_force(made: Console) -> None:
    made.world["a"].data["/etc/web.conf"]["text"] = "by hand"
    refused = made("rollback", "--auto-approve")
    assert refused.code == 1
    assert "thing.conf@a changed since run 1; --force overwrites the change" in refused.err
    forced = made("rollback", "--auto-approve", "--force")
    assert forced.code == 0
    assert "Changed outside of hacore since that run; the rollback overwrites these changes:" in forced.out


def test_destroy_names_what_it_does_and_asks(made: Console) -> None:
    kept = made("destroy", stdin="y\n")
    assert (kept.code, kept.err.splitlines()[-1]) == (1, "error: destroy cancelled")
    done = made("destroy", stdin="yes\n")
    assert done.code == 0
    assert "Do you really want to destroy these resources on a, b?" in done.err
    assert "hacore will destroy the managed resources" in done.out
    assert "Destroy complete: " in done.out
    assert made.world["a"].data == {}
    assert made("destroy").out == "No changes. The state has no resources to destroy.\n"


def test_runs(made: Console) -> None:
    made("destroy", "--auto-approve")
    listed = made("runs").out.splitlines()
    assert [line.split()[:3] for line in listed] == [["#2", "destroy", "done"], ["#1", "apply", "done"]]
    one = made("runs", "1")
    assert "thing.conf@a" in one.out
    assert {task["status"] for task in made("runs", "1", "--json").json["tasks"]} == {"done"}
    assert [run["run"] for run in made("runs", "--json").json["runs"]] == [1, 2]
    assert made("runs", "9").code == 1


def test_runs_of_nothing(console: Console) -> None:
    console.stack(WEB)
    assert console("runs").out == "No runs yet.\n"
    assert console("show").out == "The state is empty.\n"
    assert console("state", "list").out == ""
    assert console("unlock").out == "Nothing to unlock: the state is not locked.\n"


def test_the_lock_of_a_job_that_was_killed_elsewhere(made: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    here = holder.this_process
    away = {"machine_id": "0" * 32, "hostname": "runner-7"}
    url = f"sqlite:///{next(made.folder.rglob('*.db'))}"

    async def killed() -> None:
        writer = await StateWriter.open(url, who="ci@runner-7", what="apply")
        task = TaskRecord(0, "t1", "change", "thing", "a", ("thing.conf@a",), "doing")
        await writer.new_run(RunRecord(0, "apply", "running", 1.0, None, "ci", "web", "d", "rollback"), [task])
        await writer.close(unlock=False)

    with monkeypatch.context() as patched:
        patched.setattr(holder, "this_process", lambda who, what: replace(here(who, what), **away))
        asyncio.run(killed())
    assert "may be running" in made("unlock").err
    refused = made("unlock", "--run", "1")
    assert (refused.code, "at run 2" in refused.err) == (1, True)

    done = made("unlock", "--run", "2")

    assert done.code == 0, done.err
    assert "the lock of ci@runner-7 (apply" in done.out
    assert "Run 2 is interrupted: 1 of 1 task did not end. `hacore apply --resume` resumes it" in done.out
    assert made("unlock", "--run", "2").out == "Nothing to unlock: the state is not locked.\n"


def test_what_is_recorded(made: Console) -> None:
    assert made("state", "list").out.split() == [
        f"{name}@{host}" for name in ("daemon.web", "thing.conf", "thing.key") for host in "ab"
    ]
    assert made("state", "list", "thing.conf").out.split() == ["thing.conf@a", "thing.conf@b"]
    assert made("state", "list", "--json").json["addresses"][0] == "daemon.web@a"
    shown = made("state", "show", "thing.key@a")
    assert "text = (sensitive)" in shown.out
    assert shown.out == made("show", "thing.key@a").out
    assert made("show", ".", "thing.key@a").out == shown.out
    assert [row["address"] for row in made("show", "thing.conf", "--json").json["resources"]] == [
        "thing.conf@a",
        "thing.conf@b",
    ]
    assert len(made("show", "--json").json["resources"]) == 6
    wrong = made("show", "thing.cnf")
    assert wrong.code == 64
    assert "did you mean thing.conf?" in wrong.err


def test_status(made: Console) -> None:
    done = made("status")
    assert done.code == 0
    assert "a  192.0.2.1" in done.out
    made.world["a"].reachable = False
    assert made("status").code == 1
    assert made("status", "--json").json["hosts"][0]["reachable"] is False


def test_graph(console: Console) -> None:
    console.stack(WEB)
    assert '"daemon.web@a" -> "thing.conf@a";' in console("graph").out
    assert console("graph", "--mermaid").out.startswith("graph RL\n")


def test_schema_has_the_kinds_that_are_installed(console: Console) -> None:
    schema = console("schema").json
    assert "thing" in schema["properties"]["resources"]["properties"]


def test_a_state_elsewhere(console: Console) -> None:
    console.stack(WEB)
    assert console("apply", "--auto-approve", "--state", "sqlite:///other/s.db").code == 0
    assert StateReader.open(f"sqlite:///{console.folder}/other/s.db") is not None
    assert Place.parse(f"sqlite:///{console.folder}/state/web.db").absent()
    assert console("drift", "--state", "sqlite:///other/s.db").code == 0
    assert console("drift").code == 1
    assert "--state sqlite:///other/s.db" in console("plan", "--destroy", "--state", "sqlite:///other/s.db").out


def test_all_json_is_json(made: Console) -> None:
    for argv in (["plan"], ["drift"], ["status"], ["runs"], ["show"], ["validate"], ["state", "list"]):
        json.loads(made(*argv, "--json").out)


def test_a_target_is_said_in_text_and_json_and_in_what_to_type(made: Console) -> None:
    made.stack(WEB.replace("v1", "v2"))
    done = made("plan", "--target", "thing.conf@a")
    assert done.code == 0
    assert "Partial plan: only thing.conf@a and what it depends on.\n" in done.out
    assert "Plan: 0 to create, 2 to update," in done.out
    assert done.out.endswith("\nTo apply this plan: hacore apply --target thing.conf@a\n")
    found = made("plan", "--target", "thing.conf@a", "--json").json
    assert (found["targets"], found["widened"], found["left_out"]) == (["thing.conf@a"], [], 0)
    assert "b  192.0.2.2" not in done.out
    applied = made("apply", "--auto-approve", "--target", "thing.conf@a")
    assert applied.code == 0, applied.out
    assert made.world["b"].data["/etc/web.conf"]["text"] == "v1"
    assert made("plan", "--target", "thing.conf@a").out.endswith("No changes for the selected targets.\n")
    rest = made("plan", "--exclude", "thing.key", "--exclude", "thing.conf@b", "--detailed-exitcode")
    assert (
        rest.code,
        "Partial plan: without thing.key and thing.conf@b and everything that depends on it" in rest.out,
    ) == (0, True)


def test_an_unknown_target_is_wrong_usage_with_a_hint(made: Console) -> None:
    for command in ("plan", "apply", "destroy"):
        wrong = made(command, "--target", "thing.cnf@a", *(["--auto-approve"] if command != "plan" else []))
        assert wrong.code == 64
        assert "cannot find --target thing.cnf@a" in wrong.err and "did you mean thing.conf@a?" in wrong.err


def test_a_destroy_of_a_target_leaves_the_rest(made: Console) -> None:
    done = made("destroy", "--target", "thing.key", "--auto-approve")
    assert done.code == 0, done.err
    assert {row.partition("@")[0] for row in made("state", "list").out.split()} == {"daemon.web", "thing.conf"}


def test_a_selection_does_not_go_with_resume_or_a_saved_plan(made: Console) -> None:
    assert made("apply", "--resume", "--target", "thing.key", "--auto-approve").code == 64
    assert made("plan", "--out", "web.plan", "--target", "thing.key").code == 0
    assert "Partial plan: only thing.key" in made("show", "web.plan").out
    assert made("apply", "web.plan", "--target", "thing.key").code == 64


def test_no_refresh_is_marked_and_cannot_be_saved(made: Console) -> None:
    made.stack(WEB.replace("v1", "v2"))
    made.world["a"].reachable = made.world["b"].reachable = False
    done = made("plan", "--no-refresh", "--detailed-exitcode")
    assert done.code == 2
    assert "Hosts were not contacted (--no-refresh)" in done.out
    assert "Plan: 0 to create, 4 to update," in done.out
    assert "To do this" not in done.out
    made.stack(WEB)
    assert made("plan", "--no-refresh").out.endswith("No changes. The stack matches the state.\n")
    refused = made("plan", "--no-refresh", "--out", "web.plan")
    assert (refused.code, "--no-refresh" in refused.err) == (64, True)


def test_a_plan_of_changes_outside_of_hacore_proposes_nothing(made: Console) -> None:
    made.stack(WEB.replace("v1", "v2"))  # nothing of this is shown
    clean = made("plan", "--refresh-only", "--detailed-exitcode")
    assert clean.code == 0
    assert clean.out.endswith("No changes outside of hacore. The hosts match the recorded state.\n")
    made.world["a"].data["/etc/web.conf"]["text"] = "changed by hand"
    found = made("plan", "--refresh-only", "--detailed-exitcode")
    assert found.code == 2 and made("plan", "--refresh-only").code == 0
    assert "thing.conf@a" in found.out and "thing.conf@b" not in found.out
    assert "1 resource was changed outside of hacore." in found.out
    assert "Plan:" not in found.out and "To apply this plan" not in found.out
    shown = made("plan", "--refresh-only", "--json").json
    assert (shown["command"], shown["applyable"], shown["changes"], shown["tasks"]) == ("refresh-only", False, [], [])
    assert [one["address"] for one in shown["drift"]] == ["thing.conf@a"]
    for option in (["--out", "web.plan"], ["--destroy"], ["--no-refresh"], ["--replace", "thing.conf@a"]):
        refused = made("plan", "--refresh-only", *option)
        assert (refused.code, f"cannot use {option[0]} with --refresh-only" in refused.err) == (64, True)


PAIR = """
gate: {g: {vip: v}}
shared: {s: {vip: v, instance: gate.g}}
thing: {key: {key: /etc/key, text: "{{ var.password }}"}}
"""


def test_status_gives_the_verdict_of_a_pair_also_without_variables_and_a_valid_stack(console: Console) -> None:
    console.world.vips["v"] = ["a", "b"]
    console.stack(PAIR, HEAD.replace(", default: hunter2-and-more", ""))
    assert console("apply", "--auto-approve", "--var", "password=hunter2-and-more").code == 0
    known = console("status", "--var", "password=hunter2-and-more")
    assert known.code == 0
    assert "v (shared.s): healthy, held by a" in known.out
    without = console("status")
    assert without.code == 0
    assert "Shown by the state alone, the stack cannot be used: " in without.out
    assert "var.password: no value" in without.out
    (console.folder / "stack.yaml").write_text("stack: web\nresources: [half\n")
    console.world.vips["v"] = []
    edited = console("status")
    assert edited.code == 2
    assert "v (shared.s): no-holder, held by nobody" in edited.out
    drifted = console("drift")
    assert drifted.code == 2
    assert "v (shared.s): no-holder, held by nobody" in drifted.out
    assert console("status", "--json", "--metrics").code == 64
