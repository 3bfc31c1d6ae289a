"""Questions that do not end, do not parse or are killed: each costs its own answer, and leaves nothing behind."""

# ruff: noqa: ASYNC221 - shells that a test waits for

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hacore.contract import Ask, Facts, Output, Step
from hacore.errors import FloodError, ProbeError
from hacore.model import Connection, Host
from hacore.probe import Frame, SessionLink, frames, probe_script
from hacore.probe.script import PRELUDE
from hacore.probe.watchdog import FACT_SECONDS, WATCHDOG, limits_of, seconds_of
from hacore.transport import Limits, Transport
from tests.transport.sshd import appears, gone

HOST = Host(name="here", address="127.0.0.1", connection=Connection(transport="local"))


@dataclass(frozen=True)
class Says:
    """A fact that is whatever a snippet prints."""

    name: str
    snippet: str = "printf fine"
    deadline: float = 60.0

    def command(self, asks: Sequence[Ask]) -> str:
        return self.snippet

    def parse(self, stdout: bytes) -> Mapping[str, bytes]:
        return {"": stdout}


class Raises(Says):
    def command(self, asks: Sequence[Ask]) -> str:
        raise KeyError("colour")


@pytest.fixture
async def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SessionLink]:
    places = f"HACORE_HOME={tmp_path}/home HACORE_RUN={tmp_path}/run\n"
    monkeypatch.setattr("hacore.probe.script.PRELUDE", PRELUDE + places)
    async with Transport() as transport:
        yield SessionLink(await transport.session(HOST))


def hangs(tmp_path: Path, what: str = "sleep 1000") -> str:
    """A snippet that says who runs in it, and does not end."""
    return f"{what} & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; printf half; wait"


async def answers(link: SessionLink, *facts: Says) -> Facts:
    return await link.facts([Ask(fact, "") for fact in facts])


BEFORE, AFTER = Says("before"), Says("late-one")


def fine(facts: Facts) -> None:
    """The facts around the bad one are answered, and so is what every probe asks."""
    assert (facts.get(BEFORE, ""), facts.get(AFTER, "")) == (b"fine", b"fine")
    assert facts.host.machine_id or facts.host.boot_id


@pytest.mark.parametrize(
    ("snippet", "why"),
    [
        pytest.param("if true; then", "no answer: .*[Ss]yntax error", id="an if without its fi"),
        pytest.param("echo 'open", "no answer: .*", id="an open quote"),
        pytest.param("}; exit 3; {", "", id="braces that close ours"),
        pytest.param("kill -9 $(cut -d ' ' -f 4 /proc/self/stat); sleep 9", "ended by signal 9|stopped", id="killed"),
    ],
)
async def test_a_fact_with_bad_shell_is_named_and_the_others_are_answered(
    link: SessionLink, snippet: str, why: str
) -> None:
    facts = await answers(link, BEFORE, Says("bad", snippet), AFTER)

    fine(facts)
    if why:
        assert facts.get(Says("bad"), "") is None
        assert re.search(why, facts.failed["bad"])
        assert facts.failed["bad"].startswith("bad: ")


async def test_a_fact_whose_question_cannot_be_written_is_named(link: SessionLink) -> None:
    facts = await answers(link, BEFORE, Raises("bad"), AFTER)

    fine(facts)
    assert facts.failed == {"bad": "bad: its script cannot be created: KeyError: 'colour'"}


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("sleep 1000", id="a program"),
        pytest.param("sh -c 'sleep 1000; :'", id="a program's program"),
        pytest.param("sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1000; done'", id="one that ignores signals"),
        pytest.param("setsid sleep 1000", id="a session of its own"),
    ],
)
async def test_a_question_that_does_not_end_is_stopped_on_the_host(
    link: SessionLink, tmp_path: Path, what: str
) -> None:
    facts = await answers(link, BEFORE, Says("bad", hangs(tmp_path, what), deadline=1), AFTER)

    fine(facts)
    assert "did not end within" in facts.failed["bad"] and "was stopped" in facts.failed["bad"]
    assert facts.get(Says("bad"), "") is None  # not even the half that it said
    await gone(int(await appears(tmp_path / "pid")))


async def test_each_question_that_does_not_end_is_stopped(link: SessionLink) -> None:
    bad = [Says(f"bad{n}", "sleep 1000", deadline=1) for n in range(3)]
    facts = await answers(link, BEFORE, *bad, AFTER)

    fine(facts)
    assert sorted(facts.failed) == ["bad0", "bad1", "bad2"]


async def test_a_question_may_take_as_long_as_its_fact_says(link: SessionLink) -> None:
    slow = Says("slow", "sleep 2; printf fine", deadline=30)
    facts = await answers(link, Says("bad", "sleep 1000", deadline=1), slow)

    assert sorted(facts.failed) == ["bad"]
    assert facts.get(slow, "") == b"fine"


async def test_after_a_task_too_a_question_that_does_not_end_costs_its_own_answer(link: SessionLink) -> None:
    asks = (Ask(BEFORE, ""), Ask(Says("bad", "sleep 1000", deadline=1), ""), Ask(AFTER, ""))
    batch = await link.steps([Frame("one", (Step("printf done"),), asks), Frame("two", (Step("printf more"),))], "")

    facts = batch.results["one"].facts
    assert facts is not None
    fine(facts)
    assert sorted(facts.failed) == ["bad"]
    assert [o.stdout for r in batch.results.values() for o in r.outputs] == [b"done", b"more"]


async def test_no_process_is_left_of_a_probe(link: SessionLink, tmp_path: Path) -> None:
    who = Says("who", f'printf %s "$__dog" >{tmp_path}/dog; echo >>{tmp_path}/dog; printf fine')
    facts = await answers(link, who, AFTER)

    assert not facts.failed
    await gone(int((tmp_path / "dog").read_text()))


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "bash"])
async def test_all_of_it_is_stopped_when_all_of_it_takes_too_long(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"no {shell} here")
    ask = '__f() { echo "@ $1"; }\n'
    script = f"{WATCHDOG}{ask}__watch 600 1\n__ask bad {shlex.quote(hangs(tmp_path))}\n__unwatch\necho end\n"
    done = subprocess.run([*shell.split(), "-c", script], capture_output=True, timeout=60, check=False)

    assert done.returncode == -9
    assert b"end" not in done.stdout
    await gone(int(await appears(tmp_path / "pid")))


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "bash"])
async def test_shells_stop_one_question_alike(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"no {shell} here")
    asks = [Ask(BEFORE, ""), Ask(Says("bad", hangs(tmp_path), deadline=1), ""), Ask(AFTER, "")]
    done = subprocess.run([*shell.split(), "-c", probe_script(asks, "n")], capture_output=True, timeout=60, check=False)

    found = dict(frames(done.stdout, "n"))
    assert (found["probe before"], found["probe late-one"]) == (b"fine", b"fine")
    assert any(name.startswith("late bad ") for name in found)
    assert "end" in found
    await gone(int(await appears(tmp_path / "pid")))


async def test_a_process_that_cannot_be_stopped_is_not_waited_for(tmp_path: Path) -> None:
    """A SIGKILL that does not work, as in an uninterruptible wait: here `kill` and the state are made to say so."""
    state = '__stuck() { echo "1 (x) D 1"; }\nkill() { [ "$1" != -9 ] || return 0; command kill "$@"; }\n'
    script = WATCHDOG.replace('read -r __line <"/proc/$__child/stat"', "__line='1 (x) D 1'")
    ask = '__f() { echo "@ $1"; }\n'
    text = f"{script}{state}{ask}__watch 1 0\n__ask bad {shlex.quote(hangs(tmp_path))}\n__ask next 'echo fine'\n"
    done = subprocess.run(
        ["sh", "-c", f"{text}__unwatch\necho end\ncommand kill -9 $(cat {tmp_path}/pid) $__bad; exit 0\n"],
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )

    assert b"late bad 142" in done.stdout
    assert done.stdout.endswith(b"fine\nend\n")


async def test_a_flood_is_a_breach_with_the_hosts_name(link: SessionLink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hacore.probe.link.probe_limits", lambda _asks: Limits(stdout=100_000))
    with pytest.raises(FloodError, match="here"):
        await answers(link, BEFORE, Says("bad", "exec yes"))


async def test_a_host_that_lacks_a_tool_of_every_probe_answers_nothing(tmp_path: Path) -> None:
    class Bare:
        host = HOST

        async def run(self, script: str, **more: object) -> Output:
            path = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            assert path in script
            done = subprocess.run(
                ["/bin/sh", "-c", script.replace(path, f"export PATH={tmp_path}")], capture_output=True, check=False
            )
            return Output(done.returncode, done.stdout, done.stderr)

        async def close(self) -> None:
            return None

    with pytest.raises(ProbeError, match=r"cannot probe here@127\.0\.0\.1: .*fact host: (.|\n)*nproc: not found"):
        await SessionLink(Bare()).facts([Ask(BEFORE, "")])


def test_limits_follow_the_facts() -> None:
    asks: list[Ask] = []

    class Counted(Says):
        def command(self, asks: Sequence[Ask]) -> str:
            return ":"

    plain = type("Plain", (), {"name": "plain"})()
    counted = Counted("counted")
    object.__setattr__(counted, "deadline", lambda found: 10.0 * len(found))
    assert seconds_of(plain, asks) == FACT_SECONDS
    assert seconds_of(counted, [Ask(counted, "a"), Ask(counted, "b")]) == 20.0
    assert limits_of([20.0]).seconds == 620.0
    assert limits_of([1000.0, 60.0]).seconds == 2020.0


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
def test_the_watchdog_can_be_stopped_at_any_moment(shell: str) -> None:
    """A script with a trap for SIGTERM, as that of steps: its child loses the signal until it has one of its own."""
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"no {shell} here")
    loop = "n=0; while [ $n -lt 1500 ]; do __watch 60 0; __unwatch; n=$((n + 1)); done"
    script = f"{WATCHDOG}\ntrap 'exit 143' TERM\n{loop}; echo end\n"
    done = subprocess.run([*shell.split(), "-c", script], capture_output=True, timeout=120, check=False)
    assert done.stdout == b"end\n"
