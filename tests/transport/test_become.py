"""A plain user, and the real sudo: with a password, without, with a wrong one, with no right at all."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.errors import TransportError
from hacore.model import Connection, Host
from hacore.transport import Password, Transport
from tests.transport.island import NO_PASSWORD, PASSWORD, USER, WITH_PASSWORD, Island

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(os.geteuid() != 0, reason="users of a machine's own need a mount namespace"),
]
NewIsland = Callable[..., Island]

SCRIPT = "id -un; echo $HOME; cat; echo to stderr >&2; exit 3"


def host_of(server: Island, name: str = "lb1") -> Host:
    connection = Connection(
        user=USER, port=server.port, become="sudo", connect_timeout=20, identity_file=str(server.client_key)
    )
    return Host(name=name, address="127.0.0.1", connection=connection)


@pytest.mark.parametrize("sudoers", [NO_PASSWORD, WITH_PASSWORD, "Defaults use_pty\n" + WITH_PASSWORD])
async def test_the_script_runs_as_root_whether_or_not_sudo_asks(new_island: NewIsland, sudoers: str) -> None:
    server = new_island(sudoers=sudoers)
    async with Transport(password=Password(PASSWORD)) as transport:
        session = await transport.session(host_of(server))
        outputs = [await session.run(SCRIPT) for _ in range(3)]

    for output in outputs:
        # the password is neither in the script's stdin nor anywhere else, and sudo's lecture is not its stderr
        assert (output.rc, output.text, output.stderr) == (3, "root\n/root\n", b"to stderr\n")
    assert server.logins() == 1
    assert server.execs() == 3


async def test_a_ticket_of_before_is_no_line_of_the_script(new_island: NewIsland) -> None:
    """With a ticket sudo does not ask: what was sent then would be run."""
    server = new_island(sudoers="Defaults timestamp_type=global\n" + WITH_PASSWORD)
    async with Transport(password=Password(PASSWORD)) as transport:
        session = await transport.session(host_of(server))
        first = await session.run("sudo -n -u ops true; id -un")
        ticket = await session.run("ls /run/sudo/ts")
        second = await session.run("id -un; cat")

    assert (first.text, ticket.text.split(), second.text, second.stderr) == ("root\n", [USER], "root\n", b"")


async def test_many_scripts_at_once(new_island: NewIsland) -> None:
    server = new_island(sudoers=WITH_PASSWORD)
    async with Transport(password=Password(PASSWORD)) as transport:
        session = await transport.session(host_of(server))
        outputs = await asyncio.gather(*(session.run(f"echo {n}; id -u") for n in range(8)))

    assert [output.text for output in outputs] == [f"{n}\n0\n" for n in range(8)]


async def test_a_big_script_behind_a_password(new_island: NewIsland) -> None:
    server = new_island(sudoers=WITH_PASSWORD)
    async with Transport(password=Password(PASSWORD)) as transport:
        output = await (await transport.session(host_of(server))).run(": " + "x" * 3_000_000 + "\nid -un")

    assert output.text == "root\n"


async def test_the_password_is_in_no_argument_list_and_no_environment(new_island: NewIsland) -> None:
    server = new_island(sudoers=WITH_PASSWORD)
    look = (  # at all processes of the island, and at none of another test's
        "here=$(readlink /proc/self/ns/mnt); for p in /proc/[0-9]*; do "
        '[ "$(readlink $p/ns/mnt 2>/dev/null)" != "$here" ] || cat $p/cmdline $p/environ; done 2>/dev/null | '
        "tr '\\0' '\\n' | grep -c 'correct horse [$]' || :"
    )
    async with Transport(password=Password(PASSWORD)) as transport:
        output = await (await transport.session(host_of(server))).run(look)

    assert output.text == "0\n"
    assert "correct" not in server.log
    assert "correct" not in repr(Password(PASSWORD))


async def test_without_a_password_it_says_how_to_give_one(new_island: NewIsland) -> None:
    server = new_island(sudoers=WITH_PASSWORD)
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        with pytest.raises(TransportError) as caught:
            await session.run("id")

    assert str(caught.value) == (
        f"cannot become root on lb1@127.0.0.1:{server.port}: sudo prompts for a password; use "
        "--ask-become-pass or HACORE_BECOME_PASSWORD, or add a rule with NOPASSWD to sudoers"
    )


def failures(log: Path) -> list[int]:
    """The refused passwords that sudo wrote into a log of its own, a number for each exec with one."""
    return [int(count) for count in re.findall(r"(\d+) incorrect password attempt", log.read_text())]


@pytest.mark.parametrize("passwd_tries", [1, 3])
async def test_a_wrong_password_is_tried_once(new_island: NewIsland, tmp_path: Path, passwd_tries: int) -> None:
    server = new_island(sudoers=f"Defaults passwd_tries={passwd_tries}, logfile={tmp_path}/log\n{WITH_PASSWORD}")
    async with Transport(password=Password("wrong")) as transport:
        session = await transport.session(host_of(server))
        with pytest.raises(TransportError) as caught:
            await session.run("id")
        with pytest.raises(TransportError, match="refused the password before; it is not tried again"):
            await session.run("id")

    assert str(caught.value).startswith(
        f"cannot become root on lb1@127.0.0.1:{server.port}: sudo refused the password (tried once)"
    )
    assert failures(tmp_path / "log") == [1]


async def test_a_wrong_password_is_tried_on_one_of_many_hosts(new_island: NewIsland, tmp_path: Path) -> None:
    server = new_island(sudoers=f"Defaults logfile={tmp_path}/log\n{WITH_PASSWORD}")

    async def fail(transport: Transport, name: str) -> str:
        session = await transport.session(host_of(server, name))
        with pytest.raises(TransportError) as caught:
            await session.run("id")
        return str(caught.value)

    async with Transport(password=Password("wrong")) as transport:
        said = await asyncio.gather(*(fail(transport, f"lb{n}") for n in range(5)))

    assert sum("sudo refused the password (tried once)" in text for text in said) == 1
    assert sum("it is not tried on other hosts" in text for text in said) == 4
    assert failures(tmp_path / "log") == [1]


async def test_a_password_that_another_host_has_taken_is_tried_on_each(new_island: NewIsland) -> None:
    good, bad = new_island(sudoers=WITH_PASSWORD), new_island(sudoers=WITH_PASSWORD, password="another")
    async with Transport(password=Password(PASSWORD)) as transport:
        first = await transport.session(host_of(good, "lb1"))
        assert (await first.run("id -un")).text == "root\n"
        second = await transport.session(host_of(bad, "lb2"))
        with pytest.raises(TransportError, match=r"cannot become root on lb2@.*sudo refused the password .tried once"):
            await second.run("id")
        assert (await first.run("id -un")).text == "root\n"


@pytest.mark.parametrize("password", [None, Password(PASSWORD)])
@pytest.mark.parametrize(
    ("sudoers", "words"),
    [
        ("root ALL=(ALL:ALL) ALL\n", "not in the sudoers file"),
        ("Defaults requiretty\nops ALL=(ALL:ALL) NOPASSWD: ALL\n", "must have a tty.*requiretty"),
        ("ops ALL=(ALL:ALL) NOPASSWD: /bin/true\n", "not allowed to execute"),
    ],
)
async def test_what_sudo_itself_says_is_passed_on(
    new_island: NewIsland, sudoers: str, words: str, password: Password | None
) -> None:
    server = new_island(sudoers=sudoers)
    async with Transport(password=password) as transport:
        session = await transport.session(host_of(server))
        with pytest.raises(TransportError, match=rf"cannot become root on lb1@.*({words}|sudo prompts for a password)"):
            await session.run("id")


NOISE = 'echo "Welcome to $HOSTNAME"; echo "sudo: a password is required" >&2; echo "mesg: ttyname failed" >&2\n'


@pytest.mark.parametrize("sudoers", [NO_PASSWORD, WITH_PASSWORD])
async def test_a_noisy_profile_is_neither_sudo_nor_the_script(new_island: NewIsland, sudoers: str) -> None:
    server = new_island(sudoers=sudoers, shell="/bin/bash", home={".bashrc": NOISE})
    async with Transport(password=Password(PASSWORD)) as transport:
        session = await transport.session(host_of(server))
        output = await session.run("echo script; exit 1")
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        if sudoers == WITH_PASSWORD:
            with pytest.raises(TransportError, match="sudo prompts for a password"):
                await session.run("id")

    assert output.rc == 1
    assert output.text.startswith("Welcome to ")
    assert output.text.endswith("\nscript\n")
    assert output.stderr == b""


async def test_a_shell_that_lets_nobody_in_is_said(new_island: NewIsland) -> None:
    server = new_island(shell="/usr/sbin/nologin")
    async with Transport() as transport:
        session = await transport.session(host_of(server))
        with pytest.raises(TransportError, match=r"exit code 1 before sudo started.*currently not available"):
            await session.run("id")


def test_what_cannot_be_a_password() -> None:
    for text in ("", "two\nlines", "nul\0"):
        with pytest.raises(ValueError, match="cannot use the password"):
            Password(text)


def test_nothing_is_left_on_this_machine(new_island: NewIsland) -> None:
    new_island()
    assert subprocess.run(["id", USER], check=False, capture_output=True).returncode == 1
