"""What earlier versions left on hosts: a lock, jobs that run or have ended, a way back that waits.

What an earlier version left *running* is its own shell text (`job-runner.sh`, `confirm-watch.sh`), begun here as it
began it; the code of now finds it, waits for it, prolongs and ends it.
"""

# ruff: noqa: ASYNC240 - small local files, and a shell that stays in the background
from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.frozen.thawing import DATA, unpack
from tests.frozen.today import (
    PRELUDE,
    Connection,
    FencedError,
    Frame,
    Here,
    Holder,
    Host,
    LockedError,
    SessionLink,
    Step,
    acquire,
    jobs,
    release,
    revert,
)

HOST = Host(name="here", address="127.0.0.1", connection=Connection(transport="local"))
ABOUT = json.loads((DATA / "jobs.json").read_text())
TOKEN, LINEAGE, KEYS = ABOUT["token"], ABOUT["lineage"], ABOUT["keys"]
WITHIN = 60.0  # seconds that a test waits for a process of its own


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[SessionLink]:
    yield await Here(tmp_path).connect(HOST)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """hacore's folder in /run."""
    path = tmp_path / "here" / "run"
    path.mkdir(mode=0o700, parents=True)
    return path


@pytest.fixture
def began(run: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Begins a process as the host had it; none is left behind."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(text: str, *arguments: object) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "HACORE_RUN": str(run), "HACORE_HOME": str(run.parent / "home")}
        argv = ["sh", "-c", text, "sh", *map(str, arguments)]
        processes.append(subprocess.Popen(argv, env=environment, cwd="/", start_new_session=True))
        return processes[-1]

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.wait()


async def until(check: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN):
        while not check():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def lock(run: Path) -> None:
    (run / "lock").write_bytes((DATA / "host.lock").read_bytes())


def prelude(run: Path) -> str:
    return PRELUDE + f"HACORE_HOME={run.parent}/home HACORE_RUN={run}\n"


# -- the lock


async def test_the_lock_of_a_host_is_respected_and_names_its_holder(link: SessionLink, run: Path) -> None:
    lock(run)
    heard: list[Any] = []

    def alive(info: Any) -> bool:
        heard.append(info)
        return True

    with pytest.raises(LockedError, match=r"held by tester@test \(apply, pid 4242, stack web\)"):
        await acquire(link, Holder("mine", {"lineage": LINEAGE}), alive=alive)
    assert heard[0] == {
        "who": "tester@test",
        "what": "apply",
        "pid": 4242,
        "since": 1700000000.0,
        "stack": "web",
        "lineage": LINEAGE,
        "pid_started": "1234567",
        "pid_space": "pid:[4026531836]",
        "boot_id": "11111111-2222-3333-4444-555555555555",
        "machine_id": "0123456789abcdef0123456789abcdef",
        "hostname": "control",
    }


async def test_steps_go_on_under_it_with_its_token_only(link: SessionLink, run: Path) -> None:
    lock(run)
    done = await link.steps([Frame("t", (Step("echo done"),))], TOKEN)
    assert done.results["t"].outputs[0].stdout == b"done\n"
    with pytest.raises(FencedError):
        await link.steps([Frame("t", (Step("echo done"),))], "another")
    await release(link, "another")
    assert (run / "lock").exists()
    await release(link, TOKEN)
    assert not (run / "lock").exists()


async def test_a_holder_that_is_gone_is_replaced(link: SessionLink, run: Path) -> None:
    lock(run)
    await acquire(link, Holder("mine", {"lineage": LINEAGE}), alive=lambda _info: False)
    assert (run / "lock").read_text().startswith("mine\n")


# -- jobs


def test_the_key_of_a_job_is_the_same() -> None:
    texts = {"ended": "echo ended", "failed": "exit 1", "killed": "kill", "laid": "wait"}
    assert {name: jobs.key_of(f"{LINEAGE} 7", text) for name, text in texts.items()} == KEYS


@pytest.mark.parametrize(
    ("name", "rc", "out", "err"),
    [
        ("ended", 0, b"ended\n", "aloud\n"),
        ("failed", 1, b"half\n", ""),
        ("killed", 137, b"", "it was killed on the host\n"),
    ],
)
async def test_a_job_that_has_ended_is_taken_as_it_ended(
    link: SessionLink, run: Path, name: str, rc: int, out: bytes, err: str
) -> None:
    lock(run)
    unpack("jobs.tar.gz", run)
    found = await link.shell(jobs.attach_script(KEYS[name], prelude(run), TOKEN))
    assert (found.rc, found.stdout, found.stderr.decode()) == (rc, out, err)


async def test_a_job_that_was_never_laid_is_told_as_that(link: SessionLink, run: Path) -> None:
    lock(run)
    unpack("jobs.tar.gz", run)
    found = await link.shell(jobs.attach_script("0" * 32, prelude(run), TOKEN))
    assert found.rc == jobs.NOT_THERE


async def test_a_job_that_was_laid_and_ended_is_not_begun_a_second_time(link: SessionLink, run: Path) -> None:
    lock(run)
    unpack("jobs.tar.gz", run)
    job = jobs.Job(KEYS["ended"], "echo again", "building x", scratch=True)
    found = await link.shell(jobs.start_script(job, prelude(run), TOKEN))
    assert (found.rc, found.stdout) == (0, b"ended\n")


async def test_a_job_that_still_runs_is_waited_for(
    link: SessionLink, run: Path, began: Callable[..., subprocess.Popen[bytes]]
) -> None:
    lock(run)
    unpack("jobs.tar.gz", run)
    job = run / "jobs" / KEYS["laid"]
    os.mkfifo(job / "go")
    began((DATA / "job-runner.sh").read_text(), job)
    await until(lambda: (job / "out").exists() and (job / "out").read_text() == "begun\n")

    waiting = asyncio.create_task(link.shell(jobs.attach_script(KEYS["laid"], prelude(run), TOKEN)))
    await asyncio.to_thread((job / "go").write_text, "a word\n")
    found = await waiting
    assert (found.rc, found.stdout) == (0, b"begun\nwent on: a word\n")


async def test_who_takes_the_host_waits_for_a_job_that_still_runs_and_tidies_up(
    link: SessionLink, run: Path, began: Callable[..., subprocess.Popen[bytes]]
) -> None:
    unpack("jobs.tar.gz", run)
    job = run / "jobs" / KEYS["laid"]
    os.mkfifo(job / "go")
    began((DATA / "job-runner.sh").read_text(), job)
    await until(lambda: (job / "out").exists() and (job / "out").read_text() == "begun\n")

    heard: list[str] = []

    def hear(message: str) -> None:
        heard.append(message)
        (job / "go").write_text("a word\n")

    await acquire(link, Holder("mine", {"lineage": LINEAGE}), say=hear)
    assert len(heard) == 1
    assert "waiting for a word" in heard[0]
    assert (job / "rc").exists() is False, "what nobody will ask after is forgotten"
    # what works in scratch space may be asked after by whoever goes on with the run
    assert not [p.name for p in (run / "jobs").iterdir() if p.name in (KEYS["failed"], KEYS["killed"])]


# -- a way back that waits for a confirmation


@pytest.fixture
async def armed(run: Path, began: Callable[..., subprocess.Popen[bytes]]) -> Callable[[int], Any]:
    """Begins the wait that an earlier version laid, with so many seconds from now; gives its folder."""

    async def begin(seconds: int) -> Path:
        unpack("confirm.tar.gz", run, root="/srv/web/host", now=run.parent)
        folder = run / "confirm"
        up = int(float(Path("/proc/uptime").read_text().split()[0]))
        (folder / "until").write_text(f"{up + seconds}\n")
        began((DATA / "confirm-watch.sh").read_text(), folder)
        await until(lambda: subprocess.run(["flock", "-n", str(folder / "watch"), "true"]).returncode == 1)
        return folder

    return begin


async def shell(link: SessionLink, script: str) -> int:
    return (await link.shell(script)).rc


async def test_a_way_back_is_found_prolonged_and_confirmed(
    link: SessionLink, run: Path, armed: Callable[[int], Any]
) -> None:
    folder = await armed(3600)
    was = int((folder / "until").read_text())
    assert await shell(link, revert.look_script()) == revert.ARMED
    assert await shell(link, revert.prolong_script(7200)) == 0
    assert int((folder / "until").read_text()) > was + 3000
    assert await shell(link, revert.confirm_script()) == 0
    assert not folder.exists()
    assert not (run.parent / "thing").exists()
    assert await shell(link, revert.look_script()) == 3


async def test_a_host_puts_itself_back_by_what_was_laid_and_tells_so(
    link: SessionLink, run: Path, armed: Callable[[int], Any]
) -> None:
    folder = await armed(0)
    await until((folder / "over").exists)
    await until(lambda: not (run / "lock").exists())
    assert (run.parent / "thing").read_text() == "as it was\none\nsettled\nserves\n"
    found = await link.shell(revert.look_script())
    assert (found.rc, found.text) == (revert.PUT_BACK, "put back\n")
    assert await shell(link, revert.confirm_script()) == revert.PUT_BACK
    await acquire(link, Holder("mine", {"lineage": LINEAGE}))
    assert not folder.exists()


async def test_a_host_that_waits_for_another_state_s_run_is_not_locked(
    link: SessionLink, armed: Callable[[int], Any]
) -> None:
    folder = await armed(3600)
    with pytest.raises(LockedError, match="run 7 of web"):
        await acquire(link, Holder("mine", {"lineage": "another"}))
    assert folder.exists()


async def test_the_run_of_the_same_state_ends_the_wait(link: SessionLink, armed: Callable[[int], Any]) -> None:
    folder = await armed(3600)
    await acquire(link, Holder("mine", {"lineage": LINEAGE}))
    assert not folder.exists()


async def test_one_more_way_back_is_laid_beside_those_of_an_earlier_version(
    link: SessionLink, run: Path, armed: Callable[[int], Any]
) -> None:
    lock(run)
    folder = await armed(3600)
    step = revert.arm((Step("true"),), "0003.undo", lineage=LINEAGE, what="run 7 of web", within=3600)
    done = await link.steps([Frame("t", (step,))], TOKEN)
    assert done.results["t"].outputs[0].rc == 0, done.results["t"].outputs[0].stderr
    assert {p.name for p in folder.glob("*.undo")} == {"0001.undo", "0002.undo", "0003.undo"}
