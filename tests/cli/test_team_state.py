"""A stack whose state is on a PostgreSQL server, from the first apply to destroy, with no password shown."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from hacore.store import StateReader, StateWriter
from tests.cli.conftest import HEAD, Console, Outcome
from tests.postgres import PASSWORD, Server

ROOT = Path(__file__).parents[2]
THINGS = """
thing:
  one: {hosts: a, key: one, text: x}
  two: {hosts: [a, b], key: two, text: "{{ var.password }}", secret: true}
"""
HERE = """
stack: here
hosts: {here: {address: localhost, connection: {transport: local}}}
variables: {home: {type: string}}
resources:
  file: {note: {path: "{{ var.home }}/note", content: kept on a server}}
"""


@pytest.fixture
def url(postgres: Server, console: Console, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HACORE_KEY", "B" * 43 + "=")
    url = postgres.new_database()
    console.stack(THINGS, HEAD.replace("stack: web", f"stack: web\nstate: '{url}'"))
    return url


def shows_no_password(outcome: Outcome) -> Outcome:
    said = outcome.out + outcome.err
    assert PASSWORD not in said
    assert "hunter2" not in said
    return outcome


def test_a_stack_lives_on_a_server(console: Console, url: str) -> None:
    bare = console.world.snapshot()
    with_state = shows_no_password(console("plan"))
    assert "state postgresql://hacore:***@/test" in with_state.out

    assert shows_no_password(console("apply", "--auto-approve")).code == 0
    assert shows_no_password(console("plan", "--detailed-exitcode", "--json")).code == 0
    assert shows_no_password(console("drift")).code == 0
    assert shows_no_password(console("state", "list")).out == "thing.one@a\nthing.two@a\nthing.two@b\n"
    assert shows_no_password(console("runs", "1")).code == 0
    there = console.world.snapshot()

    console.stack(THINGS.replace("text: x", "text: y"), HEAD.replace("stack: web", f"stack: web\nstate: '{url}'"))
    assert console("apply", "--auto-approve").code == 0
    assert shows_no_password(console("rollback", "--auto-approve")).code == 0
    assert console.world.snapshot() == there

    assert shows_no_password(console("destroy", "--auto-approve")).code == 0
    assert console.world.snapshot() == bare
    assert not list(console.folder.rglob("*.db"))


def test_the_url_may_be_given_to_a_command(console: Console, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console.stack(THINGS)
    told = shows_no_password(console("plan", "--state", url)).out
    assert "To apply this plan: hacore apply --state 'postgresql://hacore:***@" in told

    monkeypatch.setenv("HACORE_STATE", url)
    assert shows_no_password(console("apply", "--auto-approve", "--log", "debug")).code == 64
    assert shows_no_password(console("--log", "debug", "apply", "--auto-approve")).code == 0
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert len(reader.rows()) == 3


def test_the_second_of_two_writers_is_told_who_the_first_is(console: Console, url: str) -> None:
    bob = asyncio.run(StateWriter.open(url, who="bob@ci", what="destroy"))

    refused = shows_no_password(console("apply", "--auto-approve"))

    asyncio.run(bob.close())
    assert refused.code == 1
    assert "locked by bob@ci (destroy, pid" in refused.err
    assert console.world["a"].data == {}
    assert console("apply", "--auto-approve").code == 0


def test_an_error_of_the_server_names_it_without_the_password(console: Console, postgres: Server) -> None:
    console.stack(THINGS)
    for url in (postgres.url("nowhere"), postgres.url("postgres", "hunter2-wrong"), postgres.url("x") + "@"):
        for command in (("plan",), ("drift",), ("apply", "--auto-approve"), ("state", "list"), ("unlock",)):
            failed = shows_no_password(console(*command, "--state", url))
            assert failed.code == 1
            assert "error: cannot use the state postgresql://hacore:***@" in failed.err


def test_without_a_key_the_server_keeps_what_is_not_secret(
    console: Console, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HACORE_KEY")
    refused = console("apply", "--auto-approve")
    assert refused.code == 1
    assert "HACORE_KEY" in refused.err
    assert "openssl rand -base64 32" in refused.err


def test_a_run_goes_on_when_its_connection_is_lost(console: Console, url: str, postgres: Server) -> None:
    console.world["a"].on("write one", lambda _machine: postgres.cut(url), times=1)

    done = shows_no_password(console("apply", "--auto-approve"))

    assert done.code == 0, done.err
    assert console("plan", "--detailed-exitcode").code == 0
    assert console("drift").code == 0


def test_a_run_stops_when_the_server_is_gone_and_goes_on_when_it_is_back(
    console: Console, url: str, postgres: Server
) -> None:
    console.world["a"].on("write one", lambda _machine: postgres.stop(), times=1)
    try:
        stopped = shows_no_password(console("apply", "--auto-approve"))
    finally:
        postgres.start()

    assert stopped.code == 1
    assert "cannot use the state postgresql://hacore:***@" in stopped.err
    assert console("unlock", "--force").code == 0  # this process lives on, where the program would not
    refused = console("apply", "--auto-approve")
    assert (refused.code, "was interrupted" in refused.err) == (1, True)
    resumed = shows_no_password(console("apply", "--auto-approve", "--resume"))
    assert resumed.code == 0, resumed.err
    assert console("plan", "--detailed-exitcode").code == 0
    assert [run["status"] for run in console("runs", "--json").json["runs"]] == ["done"]


@pytest.mark.usefixtures("whole_machine")
def test_the_program_itself_with_a_server_and_this_machine(postgres: Server, tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(HERE)
    url = postgres.new_database()
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("HACORE_")},
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "providers"))),
        "HACORE_STATE": url.replace(f":{quote(PASSWORD, safe='')}@", "@"),
        "HACORE_KEY": "B" * 43 + "=",
        "PGPASSWORD": PASSWORD,
        "HACORE_VAR_home": str(tmp_path),
    }

    def hacore(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hacore.cli", *words, str(tmp_path)],
            capture_output=True,
            text=True,
            env=environ,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout

    hacore("apply", "--auto-approve")
    assert (tmp_path / "note").read_text() == "kept on a server"
    assert "No changes" in hacore("plan")
    assert "serial" in hacore("state", "history")
    hacore("destroy", "--auto-approve")
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert reader.rows() == {}


def test_a_state_moves_to_a_server_and_back(
    console: Console, postgres: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Origins, runs and secrets are there: what was applied before the move is undone after it."""
    monkeypatch.setenv("HACORE_KEY", "B" * 43 + "=")
    console.stack(THINGS, HEAD)
    console.world["a"].data["one"] = {"text": "found"}
    bare = console.world.snapshot()
    assert console("apply", "--auto-approve").code == 0
    url = f"{postgres.new_database()}&state=web"

    moved = shows_no_password(console("state", "migrate", url))

    assert moved.code == 0, moved.err
    assert "Moved and verified: 3 resources, 1 run, " in moved.out
    assert "state=web: set `state:` in the stack" in moved.out
    refused = shows_no_password(console("plan"))
    assert (refused.code, "it was moved to postgresql://hacore:***@" in refused.err) == (1, True)
    at = ("--state", url)
    assert shows_no_password(console("plan", "--detailed-exitcode", *at)).code == 0
    listed = shows_no_password(console("state", "list", "--all", *at))
    assert listed.out.startswith("web  serial ")
    assert listed.out.endswith(", 3 resources, 1 run\n")
    back = tmp_path / "back.db"
    assert shows_no_password(console("state", "migrate", f"sqlite:///{back}", *at)).code == 0
    assert "moved to" in console("state", "list", "--all", *at).out
    assert console("destroy", "--auto-approve", "--state", f"sqlite:///{back}").code == 0
    assert console.world.snapshot() == bare
