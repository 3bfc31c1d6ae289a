"""A connection that is lost in the middle of a step: what runs goes on, and its result arrives."""

# ruff: noqa: ASYNC240 - small local files

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hacore.contract import Output, Step
from hacore.errors import FencedError, ProbeError, UnreachableError
from hacore.probe import Frame, Result, SessionLink
from hacore.probe import script as script_of
from hacore.probe.jobs import Job, start_script
from hacore.walk import Holder, acquire, release
from tests.faults.tools import Slow, until
from tests.transport.sshd import Sshd, SshHome, appears, read

Controllers = Callable[..., Awaitable[SessionLink]]


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path)


async def run(link: SessionLink, *steps: Step, token: str = "", scope: str = "") -> Result:
    return (await link.steps([Frame("t1", steps, scope=scope)], token)).results["t1"]


async def lock(link: SessionLink, token: str) -> None:
    await acquire(link, Holder(token, {"who": "test"}), alive=lambda _info: False)


def jobs(here: Path) -> list[str]:
    return sorted(p.name for p in (here / "jobs").iterdir()) if (here / "jobs").exists() else []


async def test_a_connection_that_is_cut_in_a_step_costs_nothing(
    sshd: Sshd, controllers: Controllers, slow: Slow, here: Path
) -> None:
    link = await controllers()
    heard: list[tuple[str, int]] = []
    frames = [Frame("t1", (Step("echo first"), slow.step())), Frame("t2", (Step("echo second"),))]
    running = asyncio.create_task(link.steps(frames, "", lambda frame, index: heard.append((frame, index))))
    await appears(slow.begun)
    assert sshd.cut() > 0
    slow.go.touch()

    batch = await running

    assert list(batch.results["t1"].outputs) == [Output(0, b"first\n"), Output(0, b"half end\n")]
    assert batch.results["t2"].outputs == (Output(0, b"second\n"),)
    assert slow.times == 1
    assert heard == [("t1", 0), ("t1", 1), ("t2", 0)]
    assert sshd.logins() == 2


async def test_a_connection_that_is_cut_again_and_again(sshd: Sshd, controllers: Controllers, slow: Slow) -> None:
    link = await controllers()
    running = asyncio.create_task(run(link, slow.step()))
    await appears(slow.begun)
    for logins in (1, 2, 3):
        await until(lambda n=logins: sshd.execs() >= n)  # type: ignore[misc]
        sshd.cut()
    slow.go.touch()

    assert (await running).outputs == (Output(0, b"half end\n"),)
    assert slow.times == 1


async def test_an_sshd_that_restarts_in_a_step(sshd: Sshd, controllers: Controllers, slow: Slow) -> None:
    link = await controllers()
    running = asyncio.create_task(run(link, slow.step("printf '%0200000d' 7")))
    await appears(slow.begun)
    sshd.restart()
    slow.go.touch()

    (output,) = (await running).outputs
    assert (output.rc, len(output.stdout), slow.times) == (0, 200_005, 1)


async def test_a_network_that_falls_silent_in_a_step(
    sshd: Sshd, controllers: Controllers, slow: Slow, ssh_home: SshHome
) -> None:
    """Nothing says that the connection is gone, and what the step prints would fill it."""
    ssh_home.config("ServerAliveInterval 1\nServerAliveCountMax 1\n")
    link = await controllers()
    running = asyncio.create_task(run(link, slow.step("printf '%0500000d' 7")))
    await appears(slow.begun)
    sshd.cut(signal.SIGSTOP)
    slow.go.touch()

    (output,) = (await running).outputs
    assert (output.rc, len(output.stdout), slow.times) == (0, 500_005, 1)
    sshd.cut()


async def test_a_step_that_ends_while_nobody_is_connected(sshd: Sshd, controllers: Controllers, slow: Slow) -> None:
    link = await controllers()
    running = asyncio.create_task(run(link, slow.step("echo why >&2; exit 7")))
    pid = int(await appears(slow.begun))
    sshd.down()
    slow.go.touch()
    await until(lambda: not Path(f"/proc/{pid}").exists())
    sshd.start()

    assert (await running).outputs == (Output(7, b"half ", b"why\n"),)


async def test_a_host_that_stays_away_is_said_and_what_runs_there_goes_on(
    sshd: Sshd, controllers: Controllers, slow: Slow, tmp_path: Path
) -> None:
    link = await controllers(reconnect_timeout=0.3)
    running = asyncio.create_task(run(link, slow.step(f"touch {tmp_path}/end; printf x >>{tmp_path}/end; echo end")))
    await appears(slow.begun)
    sshd.down()

    with pytest.raises(UnreachableError, match=r"may have run and not reachable for 0\.3s"):
        await running
    with pytest.raises(UnreachableError):
        await run(link, Step("true"))
    slow.go.touch()
    await until((tmp_path / "end").exists)


async def test_facts_are_asked_again_over_a_new_connection(sshd: Sshd, controllers: Controllers) -> None:
    link = await controllers()
    first = (await link.facts([])).host
    sshd.cut()

    assert (await link.facts([])).host.boot_id == first.boot_id


def test_a_script_that_is_cut_off_on_its_way_does_nothing(here: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    whole = start_script(Job("0" * 32, f"touch {mark}"), script_of.PRELUDE, "")
    for length in range(len(script_of.PRELUDE), len(whole.rstrip()) - 1, 97):
        subprocess.run(["sh", "-c", 'eval "$(cat)"'], input=whole[:length].encode(), capture_output=True)
        assert not mark.exists() and jobs(here) == [], whole[:length][-80:]
    done = subprocess.run(["sh", "-c", 'eval "$(cat)"'], input=whole.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert mark.exists()


async def test_who_waits_for_a_job_with_nobody_listening_ends_with_it(here: Path, slow: Slow) -> None:
    job = start_script(Job("0" * 32, slow.script()), script_of.PRELUDE, "").encode()
    argv = ["sh", "-c", 'eval "$(cat)"']
    pipe = subprocess.PIPE
    doing = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe)  # noqa: ASYNC220
    assert doing.stdin is not None
    doing.stdin.write(job)
    doing.stdin.close()
    await until(lambda: bool(read(slow.begun)))
    waiting = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe)  # noqa: ASYNC220
    assert waiting.stdin is not None and waiting.stdout is not None and waiting.stderr is not None
    waiting.stdin.write(job)
    waiting.stdin.close()
    await until(lambda: "sleep" in children(waiting.pid), "it looks again and again")

    waiting.stdout.close()
    waiting.stderr.close()
    shutil.rmtree(here)  # the host was tidied up meanwhile

    await until(lambda: waiting.poll() is not None)
    slow.go.touch()
    await until(lambda: doing.poll() is not None)
    for stream in (doing.stdout, doing.stderr):
        assert stream is not None
        stream.close()


def children(pid: int) -> list[str]:
    """The names of a process's children."""
    found = read(Path(f"/proc/{pid}/task/{pid}/children")).split()
    return [read(Path(f"/proc/{child}/comm")).strip() for child in found]


# -- deadlines, kills


async def test_a_deadline_counts_on_the_host_whether_somebody_is_connected_or_not(
    sshd: Sshd, controllers: Controllers, slow: Slow
) -> None:
    link = await controllers()
    running = asyncio.create_task(run(link, slow.step(deadline=1.0)))
    await appears(slow.begun)
    sshd.restart()

    assert (await running).outputs == (Output(124, b"half ", b"it was stopped after 1 s\n"),)


async def test_a_step_that_will_not_end_is_killed(controllers: Controllers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_of, "_RUNNER", script_of._RUNNER.replace("-k 10", "-k 0.2"))
    stubborn = Step("trap '' TERM; while :; do sleep 0.05; done", deadline=0.2)

    (output,) = (await run(await controllers(), stubborn)).outputs

    assert output.rc == 137


async def test_a_job_that_was_killed_is_no_success(controllers: Controllers, slow: Slow) -> None:
    link = await controllers()
    running = asyncio.create_task(run(link, slow.step()))
    pid = int(await appears(slow.begun))
    session = os.getsid(pid)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = stat.read_text().rpartition(")")[2].split() if stat.exists() else []
        if len(fields) > 3 and int(fields[3]) == session:
            os.kill(int(stat.parent.name), signal.SIGKILL)

    with pytest.raises(ProbeError, match="killed on the host"):
        await running


# -- a controller that is gone


async def gone(sshd: Sshd, link: SessionLink, work: Awaitable[Result], slow: Slow) -> None:
    """Begin something, and vanish as a controller does that is killed."""
    running = asyncio.ensure_future(work)
    await appears(slow.begun)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sshd.cut()


async def test_whoever_goes_on_with_the_run_takes_the_long_step_that_still_runs(
    sshd: Sshd, controllers: Controllers, slow: Slow
) -> None:
    first, second = await controllers(), await controllers()
    await lock(first, "one")
    long = slow.step(detached=True)
    await gone(sshd, first, run(first, long, token="one", scope="line/1"), slow)
    await lock(second, "two")
    taking = asyncio.create_task(run(second, long, token="two", scope="line/1"))
    slow.go.touch()

    assert (await taking).outputs == (Output(0, b"half end\n"),)
    assert slow.times == 1
    # once taken it is over: the same work is done again when it is asked for again
    assert (await run(second, long, token="two", scope="line/1")).outputs[0].rc == 0
    assert slow.times == 2


async def test_a_long_step_that_ended_with_nobody_there_is_not_begun_again(
    sshd: Sshd, controllers: Controllers, slow: Slow
) -> None:
    first, second = await controllers(), await controllers()
    await lock(first, "one")
    long = slow.step(detached=True)
    await gone(sshd, first, run(first, long, token="one", scope="line/1"), slow)
    slow.go.touch()
    await lock(second, "two")

    assert (await run(second, long, token="two", scope="line/1")).outputs == (Output(0, b"half end\n"),)
    assert slow.times == 1


async def test_what_failed_with_nobody_there_is_tried_again(sshd: Sshd, controllers: Controllers, slow: Slow) -> None:
    first, second = await controllers(), await controllers()
    await lock(first, "one")
    long = slow.step(f"[ $(wc -l <{slow.count}) -gt 1 ]; echo better", detached=True)
    await gone(sshd, first, run(first, long, token="one", scope="line/1"), slow)
    slow.go.touch()
    await lock(second, "two")

    assert (await run(second, long, token="two", scope="line/1")).outputs == (Output(0, b"half better\n"),)
    assert slow.times == 2


async def test_another_run_does_not_take_it(sshd: Sshd, controllers: Controllers, slow: Slow) -> None:
    first, second = await controllers(), await controllers()
    await lock(first, "one")
    slow.go.touch()
    long = slow.step(detached=True)
    await gone(sshd, first, run(first, long, token="one", scope="line/1"), slow)
    await lock(second, "two")

    assert (await run(second, long, token="two", scope="line/2")).outputs[0].rc == 0
    assert slow.times == 2


async def test_the_next_run_waits_for_a_step_that_still_changes_the_host(
    sshd: Sshd, controllers: Controllers, slow: Slow, here: Path
) -> None:
    first, second = await controllers(), await controllers()
    await lock(first, "one")
    await gone(sshd, first, run(first, slow.step(), Step(f"touch {here}/never"), token="one"), slow)
    said: list[str] = []
    locking = asyncio.create_task(acquire(second, Holder("two", {}), alive=lambda _info: False, say=said.append))
    await until(lambda: read(here / "lock").startswith("two"))
    assert not locking.done()
    slow.go.touch()
    await locking

    assert (slow.times, (here / "never").exists(), jobs(here)) == (1, False, [])


async def test_a_run_that_lost_its_lock_begins_nothing_and_takes_nothing(
    sshd: Sshd, controllers: Controllers, slow: Slow
) -> None:
    first, second = await controllers(), await controllers()
    await lock(first, "one")
    running = asyncio.create_task(run(first, slow.step(), Step("echo never"), token="one"))
    await appears(slow.begun)
    await release(second, "one")
    await acquire_now(second, "two", slow)

    with pytest.raises(FencedError, match="held by another run"):
        await running
    with pytest.raises(FencedError):
        await run(first, Step("true"), token="one")


async def acquire_now(link: SessionLink, token: str, slow: Slow) -> None:
    """As a laptop finds it that slept: the lock is another's before its own step has ended."""
    locking = asyncio.create_task(lock(link, token))
    await asyncio.sleep(0)
    slow.go.touch()
    await locking


async def test_giving_the_lock_back_leaves_nothing(controllers: Controllers, slow: Slow, here: Path) -> None:
    link = await controllers()
    await lock(link, "one")
    slow.go.touch()
    await run(link, Step("echo secret", blobs={"x": b"secret"}), token="one")
    await run(link, slow.step(detached=True), token="one", scope="line/1")
    assert len(jobs(here)) == 1
    assert not list(here.glob("jobs/*/script"))
    await release(link, "one")

    assert sorted(p.name for p in here.iterdir()) == ["jobs", "lock.flock"]
    assert jobs(here) == []
