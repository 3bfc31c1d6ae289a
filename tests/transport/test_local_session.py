"""Sessions on this machine keep the same promises."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
from pathlib import Path

import pytest

from hacore.contract import Output
from hacore.errors import DeadlineError, FloodError, TransportError
from hacore.model import Connection, Host
from hacore.transport import Limits, Password, Transport
from hacore.transport.environment import SESSION
from hacore.transport.session import CHANNELS
from tests.transport.sshd import appears, gone


async def run(host: Host, script: str) -> Output:
    async with Transport() as transport:
        return await (await transport.session(host)).run(script)


async def test_output_streams_and_exit_code_come_back_apart(local: Host) -> None:
    assert await run(local, "printf 'out\\377'; printf err >&2; exit 7") == Output(7, b"out\xff", b"err")


async def test_sessions_are_kept(local: Host) -> None:
    async with Transport() as transport:
        assert await transport.session(local) is await transport.session(local)


async def test_only_the_reader_of_the_script_is_in_the_process_list(local: Host) -> None:
    secret = os.urandom(8).hex()  # nothing else on this machine has it, another run of this test included
    look = f"grep -l {secret[:-1]}[{secret[-1]}] /proc/[0-9]*/cmdline || :"
    output = await run(local, f"secret={secret}; tr '\\0' '|' </proc/$$/cmdline; echo; {look}")

    assert output.text == 'sh|-c|eval "$(cat)"|\n'


async def test_bulk_in_and_out_with_a_reader_that_waits(local: Host) -> None:
    bulk = "".join(f"{n:07d} 'quoted' $(not run) `nor this`\n" for n in range(140_000))
    script = f"seq 1 800000; seq 1 200000 >&2; sha256sum <<'END-OF-BULK'\n{bulk}END-OF-BULK\n"
    output = await run(local, script)

    *numbers, last = output.text.splitlines()
    assert len(numbers) == 800_000
    assert output.stderr.count(b"\n") == 200_000
    assert last.split()[0] == hashlib.sha256(bulk.encode()).hexdigest()


async def test_a_command_that_reads_stdin_does_not_eat_the_script(local: Host) -> None:
    assert (await run(local, "cat; echo after")).text == "after\n"


async def test_a_signal_becomes_an_exit_code(local: Host) -> None:
    assert (await run(local, "kill -9 $$")).rc == 128 + signal.SIGKILL


async def test_a_shell_that_never_reads_its_script_is_no_error_of_ours(
    local: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sh = tmp_path / "sh"
    sh.write_text("#!/bin/bash\nexit 3\n")
    sh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert (await run(local, ":\n" * 1_000_000)).rc == 3


async def test_broken_pipes_kill_on_the_host_as_they_do_in_a_shell(local: Host) -> None:
    assert (await run(local, "( yes; echo $? >&2 ) | head -1")).stderr == b"141\n"


async def test_output_is_heard_while_the_command_runs(local: Host, tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = f"echo first; while ! [ -e {go} ]; do sleep 0.02; done; echo second"
    async with Transport() as transport:
        session = await transport.session(local)
        output = await session.run(script, limits=Limits(seconds=20), on_output=lambda _: go.touch())

    assert output.text == "first\nsecond\n"


async def test_an_exec_that_outlives_its_limit_is_stopped_with_what_it_runs(local: Host, tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! $$ >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pids; wait"
    async with Transport() as transport:
        session = await transport.session(local)
        for seconds in (0.5, 8, 64):  # more than one where the machine is too busy to start it in the time
            why = (
                rf"cannot wait for a command on here \(this machine\): it did not end within {re.escape(str(seconds))}s"
            )
            with pytest.raises(DeadlineError, match=why):
                await session.run(script, limits=Limits(seconds=seconds))
            if (tmp_path / "pids").exists():
                break

    for pid in (await appears(tmp_path / "pids")).split():
        await gone(int(pid))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_an_exec_that_prints_without_end_is_stopped(local: Host, stream: str, tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/pid; exec yes {'>&2' if stream == 'stderr' else ''}"
    async with Transport() as transport:
        session = await transport.session(local)
        with pytest.raises(FloodError, match=rf"cannot read the output of here .*: more than 100000 bytes on {stream}"):
            await session.run(script, limits=Limits(stdout=100_000, stderr=100_000))
        assert (await session.run("echo again")).text == "again\n"

    await gone(int((tmp_path / "pid").read_text()))


async def test_nobody_waits_for_what_holds_the_output_open_after_its_end(local: Host, tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! >{tmp_path}/pid; echo the end"
    async with Transport() as transport:
        session = await transport.session(local)
        output = await session.run(script, end=b"the end\n")

    assert output == Output(0, b"the end\n")
    await gone(int((tmp_path / "pid").read_text()))


async def test_a_deadline_counts_waiting_for_a_free_channel_and_then_starts_nothing(
    local: Host, tmp_path: Path
) -> None:
    busy = f"while ! [ -e {tmp_path}/go ]; do sleep 0.02; done"
    async with Transport() as transport:
        session = await transport.session(local)
        running = [asyncio.create_task(session.run(busy)) for _ in range(CHANNELS)]
        await asyncio.sleep(0)  # they are first
        with pytest.raises(DeadlineError):
            await session.run(f"echo started >{tmp_path}/late", limits=Limits(seconds=0.2))
        (tmp_path / "go").touch()
        await asyncio.gather(*running)
        await session.run(":")

    assert not (tmp_path / "late").exists()


async def test_a_script_with_a_nul_is_refused(local: Host) -> None:
    with pytest.raises(ValueError, match="NUL"):
        await run(local, "echo a\0b")


def _sudo(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host where `sudo` is a program of ours."""
    folder.joinpath("sudo").write_text(f"#!/bin/sh\n{script}\n")
    folder.joinpath("sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Host(name="here", address="localhost", connection=Connection(transport="local", become="sudo"))


async def test_sudo_is_asked_without_a_password_and_for_roots_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _sudo(tmp_path, 'printf "%s\\n" "$*"; while [ "$1" != -- ]; do shift; done; shift; exec "$@"', monkeypatch)

    assert (await run(host, "echo as root")).text == '-n -H -- sh -c echo hacore"-"root >&2; eval "$(cat)"\nas root\n'


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("sudo: a password is required", "add a rule with NOPASSWD to sudoers"),
        ("sudo: no tty present and no askpass program specified", "add a rule with NOPASSWD to sudoers"),
        ("We trust you...\nsudo: Ein Passwort ist notwendig", "sudo: Ein Passwort ist notwendig"),
        ("sudo: sorry, you must have a tty to run sudo", "you must have a tty"),
    ],
)
async def test_sudo_that_refuses(said: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = _sudo(tmp_path, f"echo '{said}' >&2; exit 1", monkeypatch)
    with pytest.raises(TransportError, match=f"cannot become root on here .this machine.: .*{why}"):
        await run(host, "id")


@pytest.mark.parametrize(
    "script",
    [
        "echo 'sudo: a password is required' >&2; exit 2",
        "echo out; echo 'sudo: x' >&2; exit 1",
        "exit 1",
        "echo e >&2; exit 1",
    ],
)
async def test_a_script_that_fails_is_not_taken_for_sudo(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _sudo(tmp_path, 'shift 3; exec "$@"', monkeypatch)

    assert (await run(host, script)).rc in (1, 2)


ASKS = """
test "$1 $2 $4 $5" = "-S -p -H --" || exit 9
while :; do
  printf %s "$3" >&2
  read -r given || { echo "sudo: no password was provided" >&2; exit 1; }
  [ "$given" != right ] || break
  echo "Sorry, try again." >&2
done
shift 5
exec "$@"
"""


async def test_a_sudo_that_asks_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = _sudo(tmp_path, ASKS, monkeypatch)
    async with Transport(password=Password("right")) as transport:
        output = await (await transport.session(host)).run("cat; echo in; echo err >&2; exit 4")
    assert output == Output(4, b"in\n", b"err\n")

    async with Transport(password=Password("wrong")) as transport:
        with pytest.raises(
            TransportError, match=r"cannot become root on here .this machine.: sudo refused the password"
        ):
            await (await transport.session(host)).run("echo in")


async def test_a_machine_without_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    host = Host(name="here", address="localhost", connection=Connection(transport="local", become="sudo"))
    with pytest.raises(TransportError, match=r"cannot become root on here .this machine.: sudo is not installed"):
        await run(host, "id")


async def test_a_script_gets_nothing_of_the_environment_but_a_fixed_list(
    local: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HACORE_KEY", "HACORE_VAR_password", "PGPASSWORD", "CI_TOKEN"):
        monkeypatch.setenv(name, "secret")
    names = {
        line.partition("=")[0] for line in (await run(local, "tr '\\0' '\\n' </proc/$$/environ")).text.splitlines()
    }

    assert names <= set(SESSION)
    assert "PATH" in names
