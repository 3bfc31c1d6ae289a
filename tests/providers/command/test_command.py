"""The kind `command` through the whole engine, its shell run by this machine's sh."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import hacore_command
from hacore.contract import Address, Ask, Facts, View
from hacore.engine import Means, drift
from hacore.errors import StackError
from hacore.load import load_providers
from hacore.testing import ThisMachine
from tests.engine.play import Play

HEAD = """
stack: test
variables:
  secret: {type: string, sensitive: true, default: hunter2-and-more}
hosts:
  a: {address: 192.0.2.1}
resources:
"""


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    monkeypatch.delenv("HACORE_KEY", raising=False)
    room, folder = ThisMachine(tmp_path / "room"), tmp_path / "stack"
    folder.mkdir()
    with tempfile.TemporaryDirectory() as states:
        options = {"providers": load_providers(), "connect": room.connect}
        yield Play(folder, Path(states), options=options)


def write(play: Play, **fields: str) -> Path:
    """A stack with one command that makes a file; what differs in `fields`. Gives the file."""
    made = play.folder.parent / "made"
    body = {
        "check": f'grep -qx wanted "{made}"',
        "do": f'echo did >>"{made}.log"; echo wanted >"{made}"',
        "undo": f'echo undid >>"{made}.log"; rm -f "{made}"',
        **fields,
    }
    lines = [f"{name}: {value if value[:1] in '|[' else repr(value)}" for name, value in body.items() if value]
    play.stack("command:\n  it:\n" + "\n".join(f"    {line}" for line in lines), HEAD)
    return made


def log(made: Path) -> list[str]:
    path = Path(f"{made}.log")
    return path.read_text().split() if path.exists() else []


async def test_its_life_is_that_of_any_kind(play: Play) -> None:
    made = write(play)
    (change,) = (await play.plan())["changes"]
    assert (change["action"], change["before"], change["after"]) == ("create", None, {"check": "passed"})
    assert change["effect"] == f'run echo did >>"{made}.log"; echo wanted >"{made}"'
    assert log(made) == []

    await play.apply()
    assert await play.actions() == {}
    made.write_text("by hand\n")
    report = await drift(play.url, Means(**play.options))
    (found,) = report.drift
    assert [(a.path, a.before, a.after) for a in found.attrs] == [("check", "passed", "exit code 1")]
    assert await play.actions() == {"command.it@a": "update"}
    await play.apply()
    assert made.read_text() == "wanted\n"

    await play.rollback(**play.options)
    assert not made.exists()
    await play.apply()
    result = await play.apply(destroy=True)

    assert result.ok, play.story(result)
    assert not made.exists()
    assert log(made) == ["did", "did", "undid", "did", "undid"]


async def test_a_destroy_and_a_rollback_can_be_taken_back(play: Play) -> None:
    made = write(play)
    await play.apply()

    await play.apply(destroy=True)
    assert not made.exists()
    back = await play.rollback(**play.options)
    assert back.ok, play.story(back)
    assert made.read_text() == "wanted\n"
    assert await play.actions() == {}

    again = await play.rollback(**play.options, run=back.run)
    assert again.ok, play.story(again)
    assert not made.exists()


async def test_what_is_so_already_is_adopted_and_stays(play: Play) -> None:
    made = write(play)
    made.write_text("wanted\n")

    assert await play.actions() == {"command.it@a": "adopt"}
    await play.apply()
    await play.apply(destroy=True)

    assert made.read_text() == "wanted\n"
    assert log(made) == []


async def test_half_of_it_is_taken_back_and_the_reason_told(play: Play) -> None:
    made = write(play, do=f'echo half >"{play.folder.parent}/made"; ls /proc/nowhere; echo never >>"{play.folder}/x"')

    result = await play.apply()

    (task,) = result.tasks
    assert not result.ok
    assert (task.status, "/proc/nowhere" in task.error) == ("undone", True)
    assert not made.exists()
    assert log(made) == ["undid"]


async def test_a_do_that_does_not_help_fails_with_what_the_check_says(play: Play) -> None:
    write(play, do=":", check="echo no such rule >&2; false")

    (task,) = (await play.apply()).tasks

    assert "no such rule" in task.error
    assert "its check still fails: exit code 1" in task.error


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("exit 3", "exit code 3"),
        ("if", "exit code 2"),
        ("no-such-program-here", "exit code 127"),
        ("true\nfalse\ntrue", "exit code 1"),
        ('test -z "$nothing"', "exit code"),
        ("cat; false", "exit code 1"),
        ('echo \'END\'; echo "it\'s"\nEND=1; test "$END" = 1', "passed"),
        ("read -r line || test $? = 1; echo loud; echo loud >&2", "passed"),
    ],
)
def test_a_check_is_shell_and_only_zero_is_as_wanted(check: str, words: str) -> None:
    fact, other = hacore_command.CHECKS, "test -d /"
    asks = [Ask(fact, check), Ask(fact, other)]
    done = subprocess.run(["sh", "-c", fact.command(asks)], capture_output=True, input=b"not for the check\n")
    answers = {(fact.name, arg): code for arg, code in fact.parse(done.stdout).items()}
    spec = hacore_command.CommandSpec(check=check, do=":", undo=":")

    seen = hacore_command.PROVIDER.observe(View(Address("command", "it"), spec, None, Facts(answers=answers)))

    assert done.stderr == b""
    assert answers[fact.name, other] == 0
    assert seen.attrs["check"].startswith(words)
    assert seen.absent == (words != "passed")


async def test_a_way_back_or_a_reason(play: Play) -> None:
    for fields in ({"undo": ""}, {"irreversible": "it cannot be unsaid"}):
        write(play, **fields)
        with pytest.raises(StackError, match="give either `undo`, or `irreversible`"):
            play.load()


async def test_what_cannot_be_undone_says_so_in_the_plan(play: Play) -> None:
    made = write(play, undo="", irreversible="it cannot be unsaid")

    (change,) = (await play.plan())["changes"]
    await play.apply()
    (gone,) = (await play.plan(destroy=True))["changes"]
    await play.apply(destroy=True)

    assert [c["irreversible"] for c in (change, gone)] == ["it cannot be unsaid"] * 2
    assert made.exists()
    assert play.rows() == {}


async def test_a_secret_reaches_do_and_nothing_else(play: Play) -> None:
    path = play.folder.parent / "made"
    made = write(play, do=f'|\n      echo "{{{{ var.secret }}}}" >"{path}.log"; echo wanted >"{path}"')

    plan = await play.plan()
    await play.apply()

    assert log(made) == ["hunter2-and-more"]
    assert plan["changes"][0]["effect"] == "run its `do`"
    assert "hunter2" not in str(plan) + str(play.rows())
    for field in ("check", "undo"):
        write(play, **{field: "test {{ var.secret }} = x"})
        with pytest.raises(StackError, match=f"{field} must not use a sensitive value"):
            play.load()
