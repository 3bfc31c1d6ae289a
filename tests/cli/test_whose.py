"""`import`, `apply --take-over` and what a plan says first, as a user sees them."""

from __future__ import annotations

from dataclasses import replace

from tests.cli.conftest import Console

WEB = "thing: {conf: {key: /etc/web.conf, text: v1}, note: {key: /etc/note, text: v1}}"


def test_import_shows_asks_and_records(console: Console) -> None:
    console.stack(WEB)
    for machine in console.world:
        machine.data = {"/etc/web.conf": {"text": "v1"}, "/etc/note": {"text": "theirs"}}
    kept = console("import", "thing.conf", stdin="y\n")
    assert (kept.code, kept.err.splitlines()[-1]) == (1, "error: import cancelled")

    done = console("import", "thing.conf", "thing.note@a", stdin="yes\n")
    assert done.code == 0, done.err
    assert "  = thing.conf @ a, b\n" in done.out
    assert "  # thing.note@a will be recorded in its current state; the next plan shows these changes\n" in done.out
    assert done.out.endswith("Imported: 3 resources. To show the changes that remain: hacore plan\n")
    assert console("state", "list").out.split() == ["thing.conf@a", "thing.conf@b", "thing.note@a"]
    assert console("plan", "--json").json["summary"]["update"] == 2
    assert [machine.log for machine in console.world] == [[], []]

    again = console("import", "thing.conf", "--auto-approve")
    assert again.code == 1
    assert "thing.conf@a is recorded already" in again.err
    unknown = console("import", "thing.cnof", "--auto-approve")
    assert (unknown.code, "did you mean thing.conf?" in unknown.err) == (64, True)


def test_import_json(console: Console) -> None:
    console.stack(WEB)
    console.world["a"].data["/etc/note"] = {"text": "theirs"}
    assert console("import", "thing.note@a", "--json").code == 64
    done = console("import", "thing.note@a", "--json", "--auto-approve")
    assert done.json["imported"] == [{"address": "thing.note@a", "host": "a", "differs": ["text"]}]


def test_a_state_that_is_lost_takes_over(console: Console) -> None:
    console.stack(WEB)
    assert console("apply", "--auto-approve").code == 0
    for file in (console.folder / "state").iterdir():
        file.unlink()
    planned = console("plan")
    assert planned.out.startswith(
        "Managed by another state: a@192.0.2.1 and b@192.0.2.2 are managed by stack web in another "
    )
    refused = console("apply", "--auto-approve")
    assert (refused.code, "--take-over" in refused.err) == (1, True)
    assert console("status").out.startswith("Managed by another state: ")
    assert console("apply", "--auto-approve", "--take-over").code == 0
    assert console("plan").out.startswith("Stack web ")


def test_a_new_machine_is_the_first_line_of_plan_status_and_drift(console: Console) -> None:
    console.stack(WEB)
    assert console("apply", "--auto-approve").code == 0
    machine = console.world["b"]
    machine.base = replace(machine.base, machine_id="another")
    machine.data = {}
    for command, code in (("plan", 0), ("status", 0), ("drift", 2)):
        done = console(command)
        assert done.out.startswith("New machine: b@192.0.2.2 is not the recorded one (machine-id another,"), command
        assert done.code == code
    assert console("drift", "--quiet").out.startswith("New machine: ")
