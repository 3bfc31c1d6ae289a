"""`hacore rehearse`, as far as it goes without twins."""

from __future__ import annotations

import pytest

from hacore.lab.rehearsal import Act, Rehearsed, touches
from hacore.render.rehearsal import report_json, report_text
from hacore.render.style import PLAIN
from tests.cli.conftest import Console

ONE = "thing: {one: {text: x}}"
GOOD = Act("twins", True, 2.0, "a 192.0.2.1")
BAD = Act("destroy", False, 61.0, "the hosts differ from their manifest before", "a: path /etc/x: new\x1b[31m")


@pytest.fixture(autouse=True)
def outside_of_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


@pytest.mark.parametrize("command", [("rehearse",), ("lab", "up")])
def test_in_ci_twins_need_a_stack_that_is_trusted(
    console: Console, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    console.stack(ONE)
    monkeypatch.setenv("CI", "true")

    done = console(*command)

    assert (done.code, done.out) == (64, "")
    assert "cannot start twins: CI is set. Twins are not a security boundary" in done.err
    assert "--trusted-stack" in done.err


def test_what_this_machine_lacks_is_told(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    console.stack(ONE)
    monkeypatch.setattr("hacore.lab.rehearsal.check_prerequisites", lambda: ["root: a lab makes namespaces"])

    done = console("rehearse")

    assert (done.code, done.out) == (1, "")
    assert done.err == "error: cannot rehearse web: this machine lacks root: a lab makes namespaces\n"


def test_mistakes_of_the_stack_come_first(console: Console) -> None:
    console.stack("thing: {one: {txt: x}}")

    assert "txt" in console("rehearse").err


def test_this_machine_is_nobody_s_twin(console: Console) -> None:
    console.stack(ONE, "stack: web\nhosts: {here: {address: localhost, connection: {transport: local}}}\n")

    done = console("rehearse")

    assert done.code == 64
    assert "cannot rehearse web: here is this machine (transport: local)" in done.err


def test_a_rehearsal_has_its_own_state(console: Console) -> None:
    console.stack(ONE)

    assert console("rehearse", "--state", "sqlite:///x.db").code == 64


def test_on_each_host_a_file_is_touched_and_on_one_a_service() -> None:
    def change(address: str, **after: object) -> dict[str, object]:
        return {"address": address, "host": address.partition("@")[2] or None, "after": after}

    changes = [
        change("file.folder@a", ensure="directory", mode="0755"),
        change("file.link@a", ensure="link", target="x"),
        change("file.mode@a", ensure="file", mode="0644"),
        change("file.one@a", ensure="file", content="sha256:1"),
        change("file.two@a", ensure="file", content="sha256:2"),
        change("service.off@b", running=False),
        change("service.on@a", running=True),
        change("service.on@b", running=True),
        change("service.too@b", running=True),
        change("vip.front", holder="one"),
        {"address": "file.gone@b", "host": "b", "after": None},
    ]
    claims = {str(c["address"]): [f"path:/{c['address']}", f"unit:it's {c['address']}"] for c in changes}

    assert [(t.address, t.host, t.script) for t in touches(changes, claims)] == [
        ("file.one@a", "a", "echo '# by hand' >>/file.one@a"),
        (
            "service.on@b",
            "b",
            """systemctl stop 'it'"'"'s service.on@b' || service 'it'"'"'s service.on@b' stop""",
        ),
    ]
    assert touches(changes, {}) == []


def test_the_report_says_which_act_failed_and_why() -> None:
    good, bad = Rehearsed("web", ("a",), (GOOD,)), Rehearsed("web", ("a",), (GOOD, BAD))

    assert report_text(good, PLAIN).splitlines()[-1] == "Rehearsal of web passed (1 step, 2.0s)."
    assert report_text(bad, PLAIN).splitlines()[2:] == [
        "  ok    twins       2.0s  a 192.0.2.1",
        "  FAIL  destroy    1m01s  the hosts differ from their manifest before",
        "      a: path /etc/x: new\\x1b[31m",
        "",
        "Rehearsal of web failed at step destroy (1m03s).",
    ]
    assert (report_json(good)["ok"], report_json(bad)["ok"]) == (True, False)
    assert report_json(bad)["acts"][1]["output"] == BAD.output
