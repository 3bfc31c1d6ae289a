"""Names of a stack that would end in command lines or in paths are refused before anything is done with them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from hacore.errors import LabError
from hacore.lab import Lab, LabSpec, Twin
from tests.cli.conftest import Console

MATCH_EXEC = "x; id >pwned; true #"
PROXY = "127.0.0.1:1 -oProxyCommand=/x/evil.sh -oUser=a"


@pytest.mark.parametrize(
    ("hosts", "column", "message"),
    [
        (f'{{address: "{MATCH_EXEC}"}}', 16, f"hosts.h: address: {MATCH_EXEC!r} is not a host name or an IP address"),
        (f'{{address: "{PROXY}"}}', 16, f"hosts.h: address: {PROXY!r} is not an IPv6 address"),
        ('{address: "-oProxyCommand=x"}', 16, "hosts.h: address: '-oProxyCommand=x' is not a host name"),
        ("{address: ''}", 16, "hosts.h: address: string should have at least 1 character"),
        ("{address: a, connection: {user: '-oX'}}", 38, "hosts.h: connection.user: '-oX' is not a user name"),
        ("{address: a, connection: {user: 'a b'}}", 38, "hosts.h: connection.user: 'a b' is not a user name"),
        ("{address: a, connection: {port: 0}}", 38, "hosts.h: connection.port must be greater than or equal to 1"),
        (
            "{address: a, connection: {identity_file: '-x'}}",
            47,
            "hosts.h: connection.identity_file: '-x' is not a path",
        ),
        ("{address: \"{{ var.a ~ ';id' }}\"}", 16, "hosts.h: address: 'lb1;id' is not a host name"),
    ],
)
def test_validate_refuses_what_ends_in_command_lines(console: Console, hosts: str, column: int, message: str) -> None:
    (console.folder / "stack.yaml").write_text(f"stack: pr\nvariables: {{a: {{default: lb1}}}}\nhosts:\n  h: {hosts}\n")
    found = console("validate")
    assert found.code == 1
    assert f"stack.yaml:4:{column}: {message}" in found.err


def test_an_environment_and_the_common_connection_are_no_way_round(console: Console) -> None:
    (console.folder / "env").mkdir()
    (console.folder / "env" / "prod.yaml").write_text('hosts: {h: {address: "a;id"}}\n')
    (console.folder / "stack.yaml").write_text("stack: pr\nhosts:\n  h: {address: a}\n")
    assert console("validate").code == 0
    found = console("validate", "--env", "prod")
    assert (found.code, "env/prod.yaml:1:22: hosts.h: address: 'a;id' is not a host name" in found.err) == (1, True)

    (console.folder / "stack.yaml").write_text(
        "stack: pr\nconnection: {user: '$(id)'}\nhosts:\n  h: {address: a}\nbystanders:\n  b: {address: \"-n\"}\n"
    )
    found = console("validate")
    assert "stack.yaml:2:20: connection: user: '$(id)' is not a user name" in found.err
    assert "stack.yaml:6:16: bystanders.b: address: '-n' is not a host name" in found.err


@pytest.fixture
def recorded(console: Console) -> Console:
    """A state whose host `a` has an address that no stack could give it; `b` has changed."""
    console.stack("thing: {one: {text: first}}")
    assert console("apply", "--auto-approve").code == 0
    (state,) = console.folder.rglob("*.db")
    with sqlite3.connect(state) as database:
        ((text,),) = database.execute("SELECT host FROM host WHERE name = 'a'").fetchall()
        data = json.loads(text)
        data["address"] = MATCH_EXEC
        database.execute("UPDATE host SET host = ? WHERE name = 'a'", (json.dumps(data),))
    database.close()
    console.world["b"].data["/things/one"] = {"text": "by hand"}
    return console


def test_drift_names_a_recorded_host_with_a_bad_address_and_shows_the_others(recorded: Console) -> None:
    found = recorded("drift", "--json")
    assert found.code == 1
    assert [d["address"] for d in found.json["drift"]] == ["thing.one@b"]
    assert f"cannot reach a@{MATCH_EXEC}: address: " in json.dumps(found.json["unreachable"])
    assert found.json["complete"] is False


def test_plan_names_it_too_when_the_stack_has_no_such_host_any_more(recorded: Console) -> None:
    recorded.stack("thing: {one: {text: first}}", "stack: web\nhosts:\n  b: {address: 192.0.2.2}\n")
    found = recorded("plan", "--json")
    assert found.code == 1
    assert [c["address"] for c in found.json["changes"] if c["host"] == "b"] == ["thing.one@b"]
    assert f"cannot reach a@{MATCH_EXEC}: address: " in json.dumps(found.json["unreachable"])


@pytest.mark.parametrize("name", ["../../tmp/x", "/tmp/x", "..", ".", "a/b", "a b", "-x", ""])
def test_the_name_of_a_lab_is_no_path(console: Console, tmp_path: Path, name: str) -> None:
    (console.folder / "stack.yaml").write_text(f"stack: {json.dumps(name)}\nhosts: {{h: {{address: 192.0.2.1}}}}\n")
    for words in (("down",), ("exec", ".", "--", "true")):
        found = console("lab", *words)
        assert (found.code, "`stack` must have letters, digits" in found.err) == (64, True)
    for make in (lambda: Lab.named(name), lambda: LabSpec(name, ()), lambda: LabSpec("a", (Twin(name, "192.0.2.1"),))):
        with pytest.raises(LabError, match="allowed are letters, digits"):
            make()


def test_a_path_takes_no_folder_away(console: Console, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "twins" / "x").mkdir(parents=True)
    (victim / "lab.json").write_text('{"stack": "v", "twins": [], "bystanders": [], "reserved": []}')
    for stack in (f"stack: {victim}\n", f"stack: ../../../../..{victim}\n"):
        (console.folder / "stack.yaml").write_text(f"{stack}hosts: {{h: {{address: 192.0.2.1}}}}\n")
        assert console("lab", "down").code == 64
    assert (victim / "lab.json").exists()
