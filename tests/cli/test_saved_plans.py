"""`plan --out`, `show FILE` and `apply FILE` as typed."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from tests.cli.conftest import HEAD, Console

WEB = """
thing:
  conf: {key: /etc/web.conf, text: v1}
  key: {key: /etc/web.key, text: "{{ var.password }}"}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
"""
OPEN = HEAD.replace(", default: hunter2-and-more", "")


def test_plan_out_show_apply(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HACORE_VAR_password", "geheim-from-outside")
    console.stack(WEB, OPEN)
    planned = console("plan", "--out", "web.plan")
    assert planned.code == 0, planned.err
    assert planned.out.endswith("\nTo apply this plan: hacore apply web.plan\n")
    assert "Plan saved to web.plan." in planned.err
    assert "the key in web.plan.key" in planned.err
    for name in ("web.plan", "web.plan.key"):
        assert b"geheim-from-outside" not in (console.folder / name).read_bytes()
    monkeypatch.delenv("HACORE_VAR_password")

    shown = console("show", "web.plan")
    assert shown.code == 0, shown.err
    head, _, rest = shown.out.partition("\n\n")
    assert head.startswith("Saved plan web.plan, made ")
    assert rest == planned.out
    monkeypatch.setenv("HACORE_VAR_password", "geheim-from-outside")
    assert console("show", "web.plan", "--json").json == {**console("plan", "--json").json}
    execs = [m.execs for m in console.world]
    console("show", "web.plan", "--json")
    assert [m.execs for m in console.world] == execs

    asked = console("apply", "web.plan", stdin=None)
    assert (asked.code, "stdin is closed; use --auto-approve" in asked.err) == (1, True)
    assert "warning: web.plan: it is not authenticated, because its state has no key yet" in asked.err
    assert "although it is not known who made it?" in asked.err
    done = console("apply", "web.plan", "--auto-approve", stdin=None)
    assert done.code == 0, done.err + done.out
    assert "Apply complete: 6 tasks done" in done.out
    assert console.world["b"].data["/etc/web.key"]["text"] == "geheim-from-outside"
    again = console("apply", "web.plan", "--auto-approve")
    assert again.code == 1
    assert "error: cannot apply web.plan: it is not authenticated, although its state has a key" in again.err


def test_a_refusal_names_addresses_in_text_and_json(console: Console) -> None:
    console.stack(WEB)
    assert console("apply", "--auto-approve").code == 0
    console.stack(WEB.replace("v1", "v2"))
    assert console("plan", "--out", "web.plan").code == 0
    console.world["b"].data["/etc/web.conf"]["text"] = "by hand"
    refused = console("apply", "web.plan", "--json")
    assert refused.code == 1
    assert [line["type"] for line in refused.lines if line["type"] in ("plan", "error")] == ["plan", "error"]
    assert refused.lines[-1]["error"] == "StalePlanError"
    assert refused.lines[-1]["addresses"] == ["thing.conf@b"]
    assert "  thing.conf@b: text was sha256:" in refused.err


def test_another_password_is_refused_and_not_told(console: Console) -> None:
    console.stack(WEB)
    assert console("plan", "--out", "web.plan", "--var", "password=geheim-one").code == 0
    refused = console("apply", "web.plan", "--auto-approve", "--var", "password=geheim-two")
    assert refused.code == 1
    assert "thing.key@a: a sensitive value differs from the planned one: var.password" in refused.err
    assert "geheim" not in refused.err + refused.out
    assert all(machine.data == {} for machine in console.world)


def test_a_plan_says_destroy_and_what_it_is(console: Console) -> None:
    console.stack(WEB)
    assert console("apply", "--auto-approve").code == 0
    assert console("plan", "--destroy", "--out", "gone.plan").code == 0
    assert "hacore will destroy the managed resources" in console("show", "gone.plan").out
    done = console("apply", "gone.plan", "--json")
    assert done.code == 0, done.err
    assert (done.lines[-1]["command"], done.lines[-1]["ok"]) == ("destroy", True)
    assert console.world["a"].data == {}


def test_what_does_not_go_with_a_saved_plan(console: Console) -> None:
    console.stack(WEB)
    assert console("plan", "--out", "web.plan").code == 0
    for more, why in (("--resume", "cannot resume a saved plan"), ("--env=x", "the plan was made with none")):
        wrong = console("apply", "web.plan", more)
        assert (wrong.code, why in wrong.err) == (64, True), wrong.err
    assert console("plan", "--out", "stack.yaml").code == 64
    assert console("plan", "--out", "nowhere/web.plan").code == 64


def test_a_damaged_plan_is_an_error_and_no_stack(console: Console) -> None:
    console.stack(WEB)
    assert console("plan", "--out", "web.plan").code == 0
    whole = (console.folder / "web.plan").read_bytes()
    for data in (whole[:-20], whole[10:], b""):
        (console.folder / "web.plan").write_bytes(data)
        for command in ("apply", "show"):
            wrong = console(command, "web.plan")
            assert wrong.code == 1
            assert wrong.err.startswith("error: cannot read ")
            assert "hacore plan --out" in wrong.err


def test_a_plan_goes_from_another_folder_and_with_another_name(console: Console) -> None:
    """As an artifact of CI: the state says where it is, the plan may lie anywhere."""
    console.stack(WEB)
    (console.folder / "out").mkdir()
    assert console("plan", "--out", "out/1.plan").code == 0
    shutil.move(console.folder / "out" / "1.plan", console.folder / "two")
    shutil.move(console.folder / "out" / "1.plan.key", console.folder / "two.key")
    assert console("apply", "two", "--auto-approve").code == 0


def test_an_incomplete_plan_is_saved_and_says_so(console: Console) -> None:
    console.stack(WEB)
    console.world["b"].reachable = False
    assert console("plan", "--out", "web.plan").code == 1
    assert json.loads(console("show", "web.plan", "--json").out)["complete"] is False
    refused = console("apply", "web.plan")
    assert (refused.code, "--allow-degraded" in refused.err) == (1, True)
    assert console("apply", "web.plan", "--auto-approve", "--allow-degraded").code == 0
    assert console.world["a"].data["/etc/web.conf"]["text"] == "v1"


# -- who made it


def test_a_plan_of_a_state_with_a_key_is_applied_without_a_question_and_once(console: Console) -> None:
    console.stack(WEB)
    assert console("apply", "--auto-approve").code == 0
    console.stack(WEB.replace("v1", "v2"))
    assert console("plan", "--out", "web.plan").code == 0
    done = console("apply", "web.plan", stdin=None)
    assert done.code == 0, done.err
    assert "Do you want" not in done.err
    again = console("apply", "web.plan")
    assert "error: cannot apply web.plan: it was already applied, as run 2" in again.err


def test_a_plan_that_was_changed_is_refused_before_anything_of_it_is_opened(console: Console) -> None:
    console.stack(WEB)
    assert console("apply", "--auto-approve").code == 0
    console.stack(WEB.replace("v1", "v2"))
    assert console("plan", "--out", "web.plan").code == 0
    file = console.folder / "web.plan"
    head, _, body = file.read_bytes().partition(b"\n")
    body = body.replace(b"v2", b"v3")
    about = json.loads(head)
    about["hacore_plan"]["sha256"] = hashlib.sha256(body).hexdigest()
    file.write_bytes(json.dumps(about, separators=(",", ":")).encode() + b"\n" + body)
    assert "v3" in console("show", "web.plan").out
    execs = [machine.execs for machine in console.world]
    refused = console("apply", "web.plan", "--auto-approve")
    assert refused.code == 1
    assert "error: cannot apply web.plan: it was changed after it was made, or made by somebody" in refused.err
    assert [machine.execs for machine in console.world] == execs
