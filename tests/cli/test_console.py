"""`hacore console`: expressions against a stack, from an argument, from stdin, and at a real terminal."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Console

HEAD = """stack: web
variables:
  password: {type: string, sensitive: true, default: "hunter2-and-more"}
  pin: {type: number, sensitive: true, default: 4711}
  port: {type: number, default: 8080}
hosts:
  a: {address: 192.0.2.1, groups: [web], vars: {nic: eth0}}
  b: {address: 192.0.2.2, groups: [web], vars: {nic: ens3}}
"""
THINGS = """
thing:
  one: {text: "port {{ var.port }}", mode: "0600"}
  two: {text: "{{ var.password }}"}
  only: {text: x, hosts: [b]}
  many: {for_each: [p, q], text: "{{ each.key }}"}
"""


@pytest.fixture
def web(console: Console) -> Console:
    console.stack(THINGS, HEAD)
    return console


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("var.port + 1", 8081),
        ("{{ var.port }}", 8080),
        ("{{ host.address }}:{{ var.port }}", "192.0.2.1:8080"),
        ("groups.web", ["a", "b"]),
        ("groups.all | join(',')", "a,b"),
        ("hosts.b.vars.nic", "ens3"),
        ("host.name", "a"),
        ("resource.thing.one.text", "port 8080"),
        ("resource.thing['many']['q'].text", "q"),
        ("{'a': {'b': [1, none]}}", {"a": {"b": [1, None]}}),
        ("file('stack.yaml')[:10]", "stack: web"),
        ("1 / 4", 0.25),
    ],
)
def test_one_expression_is_printed_as_json(web: Console, expression: str, value: object) -> None:
    done = web("console", expression)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == value


def test_on_another_host(web: Console) -> None:
    assert web("console", "--host", "b", "host.vars.nic").json == "ens3"
    assert web("console", "--host", "b", "resource.thing.only.text").json == "x"
    done = web("console", "--host", "c", "1")
    assert (done.code, done.out) == (64, "")
    assert "unknown host 'c'" in done.err


def test_a_stack_and_an_expression(web: Console) -> None:
    (web.folder / "stacks").mkdir()
    (web.folder / "stack.yaml").rename(web.folder / "other.yaml")
    (web.folder / "stacks" / "web").mkdir()
    (web.folder / "other.yaml").rename(web.folder / "stacks" / "web" / "stack.yaml")
    assert web("console", "stacks/web", "var.port").json == 8080
    assert web("console", "web", "--var", "port=1", "var.port").json == 1
    assert web("console", "stacks/web", stdin="var.port\n").json == 8080


@pytest.mark.parametrize(
    "expression",
    [
        "var.password",
        "var.password | upper",
        "var.password[0]",
        "[var.password]",
        "var.pin",
        "var.pin + 1",
        "var.values() | list",
        "var[['pin'][0]]",
        "{% set v = var %}{{ v.pin }}",
        "env('CONSOLE_TOKEN')",
        "resource.thing.two.text",
        "resource.thing.two.text | length",
    ],
)
def test_what_uses_a_secret_is_masked(web: Console, monkeypatch: pytest.MonkeyPatch, expression: str) -> None:
    monkeypatch.setenv("CONSOLE_TOKEN", "token-of-the-environment")
    done = web("console", expression)
    assert (done.code, done.out, done.err) == (0, "(sensitive)\n", "")


def test_all_variables_with_the_sensitive_ones_masked(web: Console) -> None:
    assert web("console", "var").json == {"password": "(sensitive)", "pin": "(sensitive)", "port": 8080}


def test_a_secret_of_the_environment_is_masked_from_then_on(web: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSOLE_TOKEN", "token-of-the-environment")
    done = web("console", stdin="env('CONSOLE_TOKEN')\n'a token-of-the-environment b'\n'hunter2-and-more'\n")
    assert done.out == '(sensitive)\n"a (sensitive) b"\n"(sensitive)"\n'


def test_a_masked_result_hides_nothing_else(web: Console) -> None:
    """Its parts are not secrets: `eth0` stands beside a secret, and is shown afterwards."""
    done = web("console", stdin="[host.vars.nic, var.password]\nhost.vars.nic\n")
    assert done.out == '(sensitive)\n"eth0"\n'


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("var.prot", "var.prot is undefined: did you mean 'port'?"),
        ("port", "'port' is undefined: did you mean 'var.port'?"),
        ("each.key", "each cannot be used in the console: expressions there can use var, host, hosts,"),
        ("1 +", "cannot read the expression: unexpected 'end of print statement'"),
        ("1 / 0", "cannot evaluate the expression: division by zero"),
        ("resource", "the result is not data: use one of its parts"),
        ("resource.thing.one", "the result is not data: use one of its parts"),
        ("resource.thing.only.text", "thing.only is not on a: it is on b"),
        ("resource.thing.oen.text", "resource thing.oen does not exist: did you mean 'one'?"),
        ("env('NO_SUCH_VARIABLE')", "the environment variable NO_SUCH_VARIABLE is not set"),
        ("{% include 'stack.yaml' %}", "include is not allowed here"),
        ("{{ 1 +", "a literal {{ is written"),
        ("'a' * 999999999999", "the result of * is larger than"),
        ("file('/etc/passwd')", "/etc/passwd"),
    ],
)
def test_errors_name_the_cause(web: Console, expression: str, message: str) -> None:
    done = web("console", expression)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("error: ")
    assert message in done.err


def test_no_error_quotes_a_secret(web: Console) -> None:
    for expression in ("var.password.foo", "var.password + 1", "(var.password ~ '').nope()", "file(var.password)"):
        done = web("console", expression)
        assert (done.code, done.out) == (1, "")
        assert "hunter2" not in done.err


def test_an_error_does_not_end_it_and_is_in_the_exit_code(web: Console) -> None:
    done = web("console", stdin="var.prot\n\n# a comment\n  var.port  \nexit\ngroups.web\n")
    assert (done.code, done.out) == (1, "8080\n")
    assert done.err == "error: var.prot is undefined: did you mean 'port'?\n"


@pytest.mark.parametrize("stdin", ["", "\n", "var.port", "quit\nvar.prot\n", None])
def test_the_end_of_stdin_ends_it(web: Console, stdin: str | None) -> None:
    assert web("console", stdin=stdin).code == 0


def test_no_host_is_asked_and_no_state_is_made(web: Console) -> None:
    assert web("console", "hosts").code == 0
    assert [path.name for path in web.folder.iterdir()] == ["stack.yaml"]


def test_mistakes_of_the_stack_are_reported(console: Console) -> None:
    console.stack("thing: {one: {text: '{{ var.nope }}'}}")
    done = console("console", "1")
    assert (done.code, done.out) == (1, "")
    assert "stack.yaml:" in done.err


def test_more_than_one_expression_is_refused(web: Console) -> None:
    done = web("console", ".", "var.port", "+1")
    assert done.code == 64
    assert "cannot evaluate more than one expression: quote it" in done.err


def test_at_a_terminal_with_history_and_an_interrupted_line(tmp_path: Path) -> None:
    """Arrow up repeats a line (readline), Ctrl-C clears one; an error and Ctrl-D leave the exit code 0."""
    (tmp_path / "stack.yaml").write_text(HEAD + "resources: {}\n")
    controller, user = os.openpty()
    with (
        subprocess.Popen(
            [sys.executable, "-c", _AT_TERMINAL],
            cwd=tmp_path,
            stdin=user,
            stdout=user,
            stderr=user,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "INPUTRC": os.devnull},
            start_new_session=True,
        ) as program,
        contextlib.ExitStack() as ended,
    ):
        os.close(user)
        ended.callback(program.kill)  # before the end of `with`, which waits for it
        shown = _until(controller, b"a> ")
        for keys, end in (
            (b"var.port + 1\r", b"\n8081\r\na> "),
            (b"\x1b[A\x7f2\r", b"\n8082\r\na> "),
            (b"var.po", b"var.po"),
            (b"\x03", b"\r\na> "),
            (b"var.prot\r", b"did you mean 'port'?\r\na> "),
            (b"var.password\r", b"\n(sensitive)\r\na> "),
        ):
            shown += _press(controller, keys, end)
        os.write(controller, b"\x04")
        _until(controller, b"\n")
        assert program.wait() == 0
    os.close(controller)
    assert b"hunter2" not in shown


_AT_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from hacore.cli import main
sys.argv[1:] = ["console"]
sys.exit(main())
"""


def _press(terminal: int, keys: bytes, end: bytes) -> bytes:
    """What these keys show, up to `end`.

    readline(3) misses a signal that arrives between a key and the wait for the next one, as a person never presses
    it: Ctrl-C is pressed until it takes effect.
    """
    os.write(terminal, keys)
    for _ in range(60):
        if keys != b"\x03" or select.select([terminal], [], [], 1)[0]:
            break
        os.write(terminal, keys)
    return _until(terminal, end)


def _until(terminal: int, end: bytes) -> bytes:
    """What is shown up to `end`, with which the program waits for keys; fails if the program ends before."""
    shown = b""
    while not shown.endswith(end):
        assert select.select([terminal], [], [], 60)[0], f"nothing follows {shown!r}"
        shown += os.read(terminal, 1024)
    return shown
