"""Probe and steps through a real /bin/sh on this machine."""

# ruff: noqa: ASYNC240 - small local files

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hacore.contract import Ask, Output, Step
from hacore.errors import FencedError, ProbeError
from hacore.model import Connection, Host
from hacore.probe import Frame, Result, SessionLink, frames, probe_script, read_probe
from hacore.probe.script import PRELUDE
from hacore.transport import Session, Transport

HOST = Host(name="here", address="127.0.0.1", connection=Connection(transport="local"))


@dataclass(frozen=True)
class Echo:
    """Says what a snippet says."""

    name: str
    snippet: str = 'printf "%s" "hello"'

    def command(self, asks: Sequence[Ask]) -> str:
        return self.snippet

    def parse(self, stdout: bytes) -> Mapping[str, bytes]:
        return {"": stdout}


class Noisy:
    """A session whose shell says things before our script does."""

    def __init__(self, session: Session, before: bytes = b"", cut: int | None = None) -> None:
        self._session, self._before, self._cut = session, before, cut

    @property
    def host(self) -> Host:
        return self._session.host

    async def run(self, script: str, **more: object) -> Output:
        output = await self._session.run(script, **more)  # type: ignore[arg-type]
        return replace(output, stdout=(self._before + output.stdout)[: self._cut])

    async def close(self) -> None:
        await self._session.close()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """hacore's folders in a place of the test, for root as for a user."""
    text = f"HACORE_HOME={tmp_path}/home HACORE_RUN={tmp_path}/run\n"
    monkeypatch.setattr("hacore.probe.script.PRELUDE", PRELUDE + text)
    return tmp_path / "run"


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    transport = Transport()
    yield await transport.session(HOST)
    await transport.close()


@pytest.fixture
def link(session: Session, here: Path) -> SessionLink:
    return SessionLink(session)


async def run(link: SessionLink, *steps: Step, token: str = "", asks: Sequence[Ask] = ()) -> Result:
    return (await link.steps([Frame("t1", steps, tuple(asks))], token)).results["t1"]


def left(here: Path) -> list[str]:
    return sorted(p.name for p in here.iterdir() if p.name not in ("lock", "jobs")) if here.exists() else []


# -- probe


async def test_every_probe_tells_what_host_it_is(link: SessionLink) -> None:
    host = (await link.facts([])).host
    assert (host.hostname, host.uid) == (os.uname().nodename, os.getuid())
    assert host.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert host.cpus >= 1 and host.arch == os.uname().machine
    assert host.time > 1_700_000_000


@pytest.mark.parametrize(
    ("snippet", "answer"),
    [
        ("printf 'a\\n'", b"a\n"),
        ("printf 'no newline'", b"no newline"),
        (":", b""),
        ("printf 'x\\n\\n\\n'", b"x\n\n\n"),
        ("printf '@0123456789abcdef end\\n'", b"@0123456789abcdef end\n"),
        ("printf '\\n@nonce probe host\\n'", b"\n@nonce probe host\n"),
        ("echo oops >&2; printf fine", b"fine"),
        ("printf before; exit 3; printf after", b"before"),
        ("cat; printf 'stdin is empty'", b"stdin is empty"),
        ("cd /tmp; export LC_ALL=de_DE; printf here", b"here"),
        ("printf '\\377\\376\\001'", b"\xff\xfe\x01"),
        ("__f() { printf stolen; }; printf mine", b"mine"),
    ],
)
async def test_a_snippet_s_output_comes_back_as_it_was(link: SessionLink, snippet: str, answer: bytes) -> None:
    one, two = Echo("one", snippet), Echo("two")
    facts = await link.facts([Ask(one, ""), Ask(two, "")])
    assert facts.get(one, "") == answer
    assert facts.get(two, "") == b"hello"


@pytest.mark.parametrize("before", [b"Welcome!\n", b"no newline at the end", b"\n\n@dead end\n", b""])
async def test_what_a_profile_prints_first_is_not_taken_for_an_answer(
    session: Session, here: Path, before: bytes
) -> None:
    fact = Echo("one")
    facts = await SessionLink(Noisy(session, before)).facts([Ask(fact, "")])
    assert facts.get(fact, "") == b"hello"


@pytest.mark.parametrize("cut", [0, 10, 100, -8])
async def test_an_answer_that_ends_early_is_an_error(session: Session, here: Path, cut: int) -> None:
    with pytest.raises(ProbeError, match="ended early"):
        await SessionLink(Noisy(session, cut=cut)).facts([Ask(Echo("one"), "")])


async def test_an_answer_that_cannot_be_read_names_the_fact(link: SessionLink) -> None:
    class Strict(Echo):
        def parse(self, stdout: bytes) -> Mapping[str, bytes]:
            raise ValueError("not a number")

    facts = await link.facts([Ask(Strict("strict"), ""), Ask(Echo("other"), "")])
    assert facts.failed == {"strict": "strict: its output cannot be read: ValueError: not a number"}
    assert facts.get(Echo("other"), "") == b"hello"


async def test_a_snippet_sees_what_the_contract_promises(link: SessionLink) -> None:
    fact = Echo("env", 'printf "%s|" "$LC_ALL" "$HACORE_INIT" "$HACORE_PKG" "$(pwd)" "$(umask)"')
    said = (await link.facts([Ask(fact, "")])).get(fact, "")
    assert said is not None
    words = said.decode().split("|")
    assert (words[0], words[3], words[4]) == ("C", "/", "0022")
    assert words[1] in ("systemd", "sysv", "none") and words[2] in ("dpkg", "rpm", "none")


def test_one_question_asked_twice_is_one_question() -> None:
    class Args(Echo):
        def command(self, asks: Sequence[Ask]) -> str:
            return " ".join(f"{a.arg}:{a.wanted}:{a.secret}" for a in asks)

    fact = Args("args")
    script = probe_script([Ask(fact, "x", "w1"), Ask(fact, "x", "w2", True), Ask(fact, "y")], "n")
    assert "x:w1:True y::False\n" in script


def test_frames_are_told_apart_by_the_nonce_alone() -> None:
    stdout = b"motd\n@other x\n\n@n probe host\ncontent\n@nope\n\n@n end\n"
    assert frames(stdout, "n") == [("probe host", b"content\n@nope\n"), ("end", b"")]
    assert frames(b"@n first\nx", "n") == [("first", b"x")]


def test_an_answer_that_is_missing_is_an_error() -> None:
    with pytest.raises(ProbeError, match="cannot read the fact host: no answer"):
        read_probe({}, [])


# -- steps


async def test_steps_run_in_order_and_say_what_they_said(link: SessionLink) -> None:
    result = await run(link, Step("printf one; echo warned >&2"), Step("printf two"))
    assert [(o.rc, o.stdout, o.stderr) for o in result.outputs] == [(0, b"one", b"warned\n"), (0, b"two", b"")]
    assert result.failed is None


async def test_a_step_that_fails_ends_its_task_and_the_probe_runs_all_the_same(
    link: SessionLink, tmp_path: Path
) -> None:
    fact = Echo("one")
    mark = tmp_path / "mark"
    result = await run(link, Step("echo why >&2; exit 7"), Step(f"touch {mark}"), asks=[Ask(fact, "")])
    assert [o.rc for o in result.outputs] == [7]
    assert result.failed is not None and result.failed.stderr == b"why\n"
    assert not mark.exists()
    assert result.facts is not None and result.facts.get(fact, "") == b"hello"


async def test_a_task_that_fails_does_not_keep_the_next_one_from_running(link: SessionLink) -> None:
    batch = await link.steps([Frame("t1", (Step("exit 1"),)), Frame("t11", (Step("printf fine"),))], "")
    assert batch.results["t1"].outputs[0].rc == 1
    assert batch.results["t11"].outputs[0].stdout == b"fine"


@pytest.mark.parametrize("script", ["false; printf on", "printf $nothing", "cd /proc/nowhere; printf on"])
async def test_a_script_stops_at_its_first_mistake(link: SessionLink, script: str) -> None:
    result = await run(link, Step(script))
    assert result.outputs[0].rc != 0 and result.outputs[0].stdout == b""


async def test_a_script_may_end_without_a_newline_and_hold_anything(link: SessionLink) -> None:
    text = "it's \"$HOME\" `x` \\ $(y) 'é'"
    quoted = "'" + text.replace("'", "'\\''") + "'"
    result = await run(link, Step(f"cat <<'EOF'\nS\nEOF\nprintf '%s' {quoted}"))
    assert result.outputs[0].stdout == b"S\n" + text.encode()


async def test_blobs_arrive_to_the_byte(link: SessionLink) -> None:
    blobs = {"all": bytes(range(256)) * 300, "empty": b"", "a name": b"B\nEOF\n@x end\n", "big": os.urandom(300_000)}
    reads = "; ".join(f'sha256sum <"$HACORE_WORK/{name}"' for name in blobs)
    result = await run(link, Step(reads, blobs=blobs))
    wanted = [hashlib.sha256(b).hexdigest() for b in blobs.values()]
    assert [line.split()[0] for line in result.outputs[0].text.splitlines()] == wanted


async def test_a_step_has_a_private_folder_that_vanishes(link: SessionLink, here: Path) -> None:
    step = Step(
        'stat -c %a "$HACORE_WORK"; stat -c %a "$HACORE_WORK/x"; pwd; echo $LC_ALL; umask; cat', blobs={"x": b"1"}
    )
    said = (await run(link, step)).outputs[0].text.split()
    assert said[0] == "700" and said[2:] == ["/", "C", "0022"]
    assert left(here) == []


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$", "printf x >$HACORE_WORK/more; exit 1"])
async def test_the_folder_vanishes_after_a_failure_too(link: SessionLink, here: Path, script: str) -> None:
    result = await run(link, Step(script, blobs={"x": b"1"}))
    assert result.outputs[0].rc != 0
    assert left(here) == []


async def test_a_deadline_ends_a_step_on_the_host(link: SessionLink, here: Path) -> None:
    result = await run(link, Step("echo begun; sleep 1000", deadline=1.5), asks=[Ask(Echo("one"), "")])
    assert result.outputs == (Output(124, b"begun\n", b"it was stopped after 1.5 s\n"),)
    assert result.facts is not None
    assert left(here) == []


async def test_a_step_that_gives_up_by_itself_was_not_stopped(link: SessionLink) -> None:
    result = await run(link, Step("timeout 0.1 sleep 1000", deadline=60))
    assert result.outputs == (Output(124),)


@pytest.mark.parametrize(("tries", "rc", "count"), [(1, 75, 1), (3, 75, 3), (5, 0, 4)])
async def test_not_yet_is_tried_again_as_often_as_asked(
    link: SessionLink, tmp_path: Path, tries: int, rc: int, count: int
) -> None:
    mark = tmp_path / "tries"
    script = f"echo x >>{mark}; [ $(wc -l <{mark}) -ge 4 ] || exit 75"
    result = await run(link, Step(script, tries=tries, pause=0.01))
    assert result.outputs[0].rc == rc
    assert len(mark.read_text().split()) == count


async def test_another_exit_code_is_not_tried_again(link: SessionLink, tmp_path: Path) -> None:
    mark = tmp_path / "tries"
    assert (await run(link, Step(f"echo x >>{mark}; exit 1", tries=5, pause=0.01))).outputs[0].rc == 1
    assert mark.read_text() == "x\n"


@pytest.mark.parametrize("lock", [None, "another\n", ""])
async def test_without_the_host_s_lock_nothing_runs(
    link: SessionLink, here: Path, tmp_path: Path, lock: str | None
) -> None:
    here.mkdir()
    if lock is not None:
        (here / "lock").write_text(lock)
    mark = tmp_path / "mark"
    with pytest.raises(FencedError, match="held by another run"):
        await run(link, Step(f"touch {mark}"), token="mine")
    assert not mark.exists()
    assert left(here) == []


async def test_a_lock_that_is_lost_between_two_steps_stops_the_second(
    link: SessionLink, here: Path, tmp_path: Path
) -> None:
    here.mkdir()
    (here / "lock").write_text('mine\n{"who": "me"}\n')
    mark = tmp_path / "mark"
    with pytest.raises(FencedError):
        await run(link, Step(f"echo another >{here}/lock"), Step(f"touch {mark}"), token="mine")
    assert not mark.exists()


async def test_a_secret_is_in_no_process_s_arguments(link: SessionLink, here: Path) -> None:
    """Promise 9: whoever runs `ps` sees nothing."""
    secret = os.urandom(8).hex()  # nothing else on this machine has it
    step = Step(
        'touch "$HACORE_RUN/begun"; while [ ! -e "$HACORE_RUN/go" ]; do sleep 0.05; done', blobs={"x": secret.encode()}
    )
    running = asyncio.create_task(run(link, step))
    async with asyncio.timeout(60):
        while not (here / "begun").exists():  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.02)
    try:
        seen = [_read(p / name) for p in Path("/proc").glob("[0-9]*") for name in ("cmdline", "environ")]
        assert any(b"HACORE_WORK" in text for text in seen)
        assert not any(secret.encode() in text for text in seen)
    finally:
        (here / "go").touch()
    assert (await running).outputs[0].rc == 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_each_step_is_heard_as_it_begins(link: SessionLink) -> None:
    heard: list[tuple[str, int]] = []
    frame = Frame("t1", (Step("echo '@x out t9 1'"), Step("true"), Step("exit 1"), Step("true")))
    await link.steps([frame], "", lambda frame, index: heard.append((frame, index)))
    assert heard == [("t1", 0), ("t1", 1), ("t1", 2)]


async def test_a_session_that_breaks_off_is_no_success(session: Session, here: Path) -> None:
    with pytest.raises(ProbeError, match="ended early"):
        await run(SessionLink(Noisy(session, cut=-6)), Step("true"))
