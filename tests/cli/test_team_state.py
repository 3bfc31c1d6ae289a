"""A stack whose state is on a PostgreSQL server, from the first apply to destroy, with no password shown."""

from __future__ import annotations

import asyncio

import pytest

from hacore.store import StateReader, StateWriter
from tests.cli.conftest import HEAD, Console, Outcome
from tests.postgres import PASSWORD, Server

THINGS = """
thing:
  one: {hosts: a, key: one, text: x}
  two: {hosts: [a, b], key: two, text: "{{ var.password }}", secret: true}
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
    assert "To do this: hacore apply --state 'postgresql://hacore:***@" in told

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
    assert "held by bob@ci (destroy, pid" in refused.err
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
