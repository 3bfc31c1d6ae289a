"""What a session does, on a real sshd."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.contract import Output
from hacore.errors import DeadlineError, FloodError, TransportError, UnreachableError
from hacore.events import Event
from hacore.model import Host
from hacore.transport import Limits, Session, Transport
from tests.transport.sshd import Sshd, SshHome, appears, gone

HostOf = Callable[..., Host]


async def test_output_streams_and_exit_code_come_back_apart(server: Sshd, host_of: HostOf) -> None:
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        output = await session.run("printf 'out\\377'; printf err >&2; exit 7")

    assert output == Output(7, b"out\xff", b"err")


async def test_one_connection_per_host_and_one_exec_per_run(server: Sshd, host_of: HostOf) -> None:
    logins, execs = server.logins(), server.execs()
    host = host_of(server)
    async with Transport() as transport:
        sessions = await asyncio.gather(*(transport.session(host) for _ in range(5)))
        outputs = await asyncio.gather(*(session.run(f"echo {n}") for n, session in enumerate(sessions)))
        await (await transport.session(host)).run(":")

    assert len({id(session) for session in sessions}) == 1
    assert [output.text for output in outputs] == [f"{n}\n" for n in range(5)]
    assert server.logins() - logins == 1
    assert server.execs() - execs == 6


async def test_more_commands_at_once_than_sshd_takes_sessions(server: Sshd, host_of: HostOf) -> None:
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        outputs = await asyncio.gather(*(session.run(f"sleep 0.05; echo {n}") for n in range(25)))

    assert [output.text for output in outputs] == [f"{n}\n" for n in range(25)]


async def test_an_sshd_that_takes_one_session_at_a_time(
    new_sshd: Callable[..., Sshd], ssh_home: SshHome, host_of: HostOf
) -> None:
    server = new_sshd(MaxSessions="1")
    ssh_home.known_hosts(server.known())
    ssh_home.install(server.client_key)
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        outputs = await asyncio.gather(*(session.run(f"sleep 0.05; echo {n}") for n in range(6)))

    assert [output.text for output in outputs] == [f"{n}\n" for n in range(6)]


async def test_an_sshd_that_takes_no_session_at_all(
    new_sshd: Callable[..., Sshd], ssh_home: SshHome, host_of: HostOf
) -> None:
    server = new_sshd(MaxSessions="0")
    ssh_home.known_hosts(server.known())
    ssh_home.install(server.client_key)
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        with pytest.raises(TransportError, match=r"cannot run on lb1@.*MaxSessions") as caught:
            await session.run("true")

    assert not isinstance(caught.value, UnreachableError)


async def test_nothing_of_the_script_is_in_any_process_list(server: Sshd, host_of: HostOf) -> None:
    secret = os.urandom(8).hex()  # no other test on this machine has it
    look = f"grep -l {secret[:-1]}[{secret[-1]}] /proc/[0-9]*/cmdline || true"
    script = f"secret={secret}; tr '\\0' '|' </proc/$$/cmdline; echo; {look}"
    async with Transport() as transport:
        output = await (await transport.session(host_of(server))).run(script)

    assert output.text == 'sh|-c|eval "$(cat)"|\n'


async def test_the_command_line_is_the_agreed_one(
    new_sshd: Callable[..., Sshd], ssh_home: SshHome, host_of: HostOf, tmp_path: Path
) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$SSH_ORIGINAL_COMMAND" >>{tmp_path}/asked\necho hacore-root >&2\necho ran\n'
    )
    wrapper.chmod(0o755)
    server = new_sshd(ForceCommand=str(wrapper))
    ssh_home.known_hosts(server.known())
    async with Transport() as transport:
        identity = str(server.client_key)
        plain = await transport.session(host_of(server, identity_file=identity))
        sudo = await transport.session(host_of(server, identity_file=identity, become="sudo"))
        outputs = [await plain.run("true"), await sudo.run("true")]

    assert [output.text for output in outputs] == ["ran\n", "ran\n"]
    assert (tmp_path / "asked").read_text().splitlines() == [
        "exec sh -c 'eval \"$(cat)\"'",
        'exec sudo -n -H -- sh -c \'echo hacore"-"root >&2; eval "$(cat)"\'',
    ]


async def test_a_script_of_five_megabytes_arrives_whole(server: Sshd, host_of: HostOf) -> None:
    bulk = "".join(f"{n:07d} 'quoted' $(not run) `nor this`\n" for n in range(140_000))
    script = f"sha256sum <<'END-OF-BULK'\n{bulk}END-OF-BULK\n"
    assert len(script) > 5_000_000
    async with Transport() as transport:
        output = await (await transport.session(host_of(server))).run(script)

    assert output.text.split()[0] == hashlib.sha256(bulk.encode()).hexdigest()


async def test_five_megabytes_of_output_arrive_whole_and_in_chunks(server: Sshd, host_of: HostOf) -> None:
    chunks: list[bytes] = []
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        output = await session.run("seq 1 800000; seq 1 200000 >&2", on_output=chunks.append)

    assert output.stdout == b"".join(b"%d\n" % n for n in range(1, 800_001))
    assert output.stderr == b"".join(b"%d\n" % n for n in range(1, 200_001))
    assert b"".join(chunks) == output.stdout
    assert len(chunks) > 1


async def test_output_is_heard_while_the_command_runs(server: Sshd, host_of: HostOf, tmp_path: Path) -> None:
    go = tmp_path / "go"
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        # The script ends only after the listener has heard its first line.
        script = f"echo first; while ! [ -e {go} ]; do sleep 0.02; done; echo second"
        output = await session.run(script, limits=Limits(seconds=20), on_output=lambda _: go.touch())

    assert output.text == "first\nsecond\n"


async def test_a_command_that_reads_stdin_does_not_eat_the_script(server: Sshd, host_of: HostOf) -> None:
    async with Transport() as transport:
        output = await (await transport.session(host_of(server))).run("cat; echo after")

    assert output.text == "after\n"


async def test_a_signal_becomes_an_exit_code(server: Sshd, host_of: HostOf) -> None:
    async with Transport() as transport:
        output = await (await transport.session(host_of(server))).run("kill -9 $$")

    assert output.rc == 128 + signal.SIGKILL


async def test_neither_terminal_nor_agent_nor_environment_goes_along(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_HACORE", "leaked")
    ssh_home.config("Host *\n  SendEnv LC_*\n  ForwardAgent yes\n  RequestTTY force\n  RemoteCommand echo hijacked\n")
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        output = await session.run('test -t 0 || echo no tty; echo "${LC_HACORE-none} ${SSH_AUTH_SOCK-none}"')

    assert output.text == "no tty\nnone none\n"


async def test_an_exec_that_outlives_its_limit_is_given_up_and_the_connection_serves_on(
    server: Sshd, host_of: HostOf, tmp_path: Path
) -> None:
    script = f"sleep 1000 & echo $! $$ >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pids; wait"
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        for seconds in (0.5, 8, 64):  # more than one where the machine is too busy to start it in the time
            why = (
                rf"cannot wait for a command on lb1@127\.0\.0\.1:\d+: it did not end within {re.escape(str(seconds))}s"
            )
            with pytest.raises(DeadlineError, match=why):
                await session.run(script, limits=Limits(seconds=seconds))
            if (tmp_path / "pids").exists():
                break
        assert (await session.run("echo again")).text == "again\n"

        stopped = [int(pid) for pid in (await appears(tmp_path / "pids")).split()]
        if os.geteuid() == 0:  # sshd passes no signals on to what root runs
            await session.run(f"kill -9 {' '.join(map(str, stopped))}")
        for pid in stopped:
            await gone(pid)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_an_exec_that_prints_without_end_is_stopped(
    server: Sshd, host_of: HostOf, stream: str, tmp_path: Path
) -> None:
    script = f"echo $$ >{tmp_path}/pid; exec yes {'>&2' if stream == 'stderr' else ''}"
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        with pytest.raises(FloodError, match=rf"cannot read the output of lb1@.*: more than 100000 bytes on {stream}"):
            await session.run(script, limits=Limits(stdout=100_000, stderr=100_000))
        assert (await session.run("echo again")).text == "again\n"
        await gone(int((tmp_path / "pid").read_text()))


async def test_nobody_waits_for_what_holds_the_output_open_after_its_end(
    server: Sshd, host_of: HostOf, tmp_path: Path
) -> None:
    script = f"sleep 1000 & echo $! >{tmp_path}/pid; echo the end"
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        output = await session.run(script, end=b"the end\n")
        assert (await session.run(f"kill $(cat {tmp_path}/pid); echo again")).text == "again\n"

    assert output.stdout == b"the end\n"


async def test_a_cancelled_caller_kills_nothing(server: Sshd, host_of: HostOf, tmp_path: Path) -> None:
    script = f"echo begun >{tmp_path}/begin; while ! [ -e {tmp_path}/go ]; do sleep 0.02; done; echo x >{tmp_path}/end"
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        caller = asyncio.create_task(session.run(script))
        await appears(tmp_path / "begin")
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        (tmp_path / "go").touch()

        assert await appears(tmp_path / "end") == "x\n"


@pytest.mark.parametrize("local", [False, True])
async def test_a_session_that_is_closed_in_a_command_is_maybe(
    server: Sshd, host_of: HostOf, tmp_path: Path, local: bool
) -> None:
    host = host_of(server, transport="local" if local else "ssh")
    async with Transport() as transport:
        session = await transport.session(host)
        task = asyncio.create_task(session.run(f"echo x >{tmp_path}/begin; sleep 20"))
        await appears(tmp_path / "begin")

    with pytest.raises(UnreachableError, match=r"connection lost to lb1.*; the command may have run"):
        await task


async def test_a_listener_that_fails_fails_its_run_only(server: Sshd, host_of: HostOf) -> None:
    def broken(chunk: bytes) -> None:
        raise LookupError(chunk.decode())

    async with Transport() as transport:
        session = await transport.session(host_of(server))
        with pytest.raises(LookupError, match="one"):
            await session.run("echo one; sleep 0.1; echo two", on_output=broken)
        assert (await session.run("echo fine")).text == "fine\n"


async def _start(session: Session, script: str, path: Path) -> tuple[asyncio.Task[Output], int]:
    """Start a script and learn the pid of the sshd process that serves its connection."""
    task = asyncio.create_task(session.run(f"echo $PPID >{path}; {script}"))
    return task, int(await appears(path))


async def test_a_connection_that_dies_in_a_command_is_maybe(server: Sshd, host_of: HostOf, tmp_path: Path) -> None:
    host = host_of(server)
    async with Transport() as transport:
        session = await transport.session(host)
        task, sshd_child = await _start(session, "sleep 20", tmp_path / "pid")
        os.kill(sshd_child, signal.SIGKILL)
        with pytest.raises(UnreachableError, match=r"connection lost to lb1@127.*may have run"):
            await task
        with pytest.raises(UnreachableError, match=r"connection lost to lb1@.* before the command was sent"):
            await session.run("true")

        again = await transport.session(host)

        assert again is not session
        assert (await again.run("echo back")).text == "back\n"


async def test_a_host_that_falls_silent_in_a_command_is_unreachable(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, tmp_path: Path
) -> None:
    ssh_home.config("ServerAliveInterval 1\nServerAliveCountMax 1\n")
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        task, sshd_child = await _start(session, "exec sleep 20", tmp_path / "pid")
        os.kill(sshd_child, signal.SIGSTOP)
        try:
            with pytest.raises(UnreachableError, match="connection lost to lb1"):
                await task
        finally:
            os.kill(sshd_child, signal.SIGKILL)


async def test_events_tell_of_connecting(server: Sshd, host_of: HostOf) -> None:
    events: list[Event] = []
    async with Transport(listener=events.append) as transport:
        await transport.session(host_of(server))
        with pytest.raises(UnreachableError) as caught:
            await transport.session(host_of(server, name="lb2", user="nobody-known"))

    assert [(event.type, event.host) for event in events] == [
        ("host_connecting", "lb1"),
        ("host_ready", "lb1"),
        ("host_connecting", "lb2"),
        ("host_unreachable", "lb2"),
    ]
    assert events[-1].message == str(caught.value)


async def test_ipv6(server: Sshd, host_of: HostOf) -> None:
    async with Transport() as transport:
        outputs = [
            await (await transport.session(host_of(server, address=address))).run("echo ${SSH_CONNECTION%% *}")
            for address in ("::1", "[::1]")
        ]

    assert [output.text for output in outputs] == ["::1\n", "::1\n"]
