"""What a host answers to the script of its lock, and what an operator is shown of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from hacore.contract import Output
from hacore.errors import LockedError, TransportError
from hacore.model import Host
from hacore.probe.lock import NOT_ALONE
from hacore.walk import Holder, acquire, release
from hacore.walk.hostlock import describe

LB1 = Host(name="lb1", address="192.0.2.1")
MINE = Holder("mine", {"who": "me@desk"})
HELD = b'old\n{"pid": 7, "stack": "web", "what": "apply", "who": "you@laptop"}'


@dataclass
class Answers:
    """A host that gives these answers, one for each script."""

    outputs: list[Output]
    host: Host = LB1
    scripts: list[str] = field(default_factory=list)

    async def shell(self, script: str) -> Output:
        self.scripts.append(script)
        return self.outputs.pop(0)


async def locked(*outputs: Output, **more: Any) -> tuple[str, list[str], Answers]:
    """The boot id, what was reported, and the host."""
    link, said = Answers(list(outputs)), list[str]()
    return await acquire(cast("Any", link), MINE, say=said.append, **more), said, link


async def test_the_boot_id_and_the_warnings_of_a_host() -> None:
    output = Output(0, b"0b7a\n", b"warning: /run/hacore is a link\nnoise\nwarning: old\xff\n")
    assert (await locked(output))[:2] == (
        "0b7a",
        ["lb1@192.0.2.1: /run/hacore is a link", "lb1@192.0.2.1: old\N{REPLACEMENT CHARACTER}"],
    )


async def test_warnings_need_no_listener() -> None:
    link = Answers([Output(4, b"apt 12\n"), Output(0, b"0b7a\n", b"warning: x\n")])
    assert await acquire(cast("Any", link), MINE) == "0b7a"


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        (Output(1, b"", b" no flock here\n"), TransportError, "cannot lock lb1@192.0.2.1: no flock here"),
        (Output(7), TransportError, "cannot lock lb1@192.0.2.1: exit code 7"),
        (
            Output(5, b"run 7 of web\n"),
            LockedError,
            "cannot lock lb1@192.0.2.1: it waits for the confirmation of run 7 of web, or reverts automatically",
        ),
        (
            Output(3, HELD),
            LockedError,
            "cannot lock lb1@192.0.2.1: it is held by you@laptop (apply, pid 7, stack web)",
        ),
        # what another program, or a newer version, wrote there
        (
            Output(3, b"old\nnot json"),
            LockedError,
            "cannot lock lb1@192.0.2.1: it is held by another run (run, pid ?, stack ?)",
        ),
        (Output(3, b"old"), LockedError, "cannot lock lb1@192.0.2.1: it is held by another run (run, pid ?, stack ?)"),
        (
            Output(3, b"old\n[1]"),
            LockedError,
            "cannot lock lb1@192.0.2.1: it is held by another run (run, pid ?, stack ?)",
        ),
    ],
)  # fmt: skip
async def test_why_a_host_is_not_locked(output: Output, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as found:
        await locked(output)
    assert str(found.value) == message


async def test_a_job_that_is_waited_for_is_reported_once() -> None:
    waits = [Output(4, b"apt 12\n"), Output(4, b"apt 12\n"), Output(4, b"make 13\n"), Output(4, b"make 13\n")]
    boot, said, _ = await locked(*waits, Output(0, b"0b7a\n"))
    assert (boot, said) == (
        "0b7a",
        [
            "waiting for a job of an earlier run on lb1@192.0.2.1: apt 12",
            "waiting for a job of an earlier run on lb1@192.0.2.1: make 13",
        ],
    )


async def test_the_lock_of_a_dead_holder_is_freed_by_its_token_and_taken() -> None:
    asked: list[dict[str, Any]] = []
    boot, _, link = await locked(
        Output(3, HELD), Output(0), Output(0, b"0b7a\n"), alive=lambda info: bool(asked.append(info))
    )
    assert (boot, [info["who"] for info in asked]) == ("0b7a", ["you@laptop"])
    taken, freed, again = link.scripts
    assert '[ "$now" = old ] || return 0' in freed
    assert taken == again


async def test_a_living_holder_keeps_its_lock() -> None:
    with pytest.raises(LockedError, match="held by you@laptop"):
        await locked(Output(3, HELD), alive=lambda _info: True)


async def test_a_lock_that_others_keep_taking_is_given_up_after_the_second_try() -> None:
    outputs = [Output(3, HELD), Output(0), Output(3, HELD), Output(0)]
    with pytest.raises(LockedError, match=r"^cannot lock lb1: other runs keep taking the lock$"):
        await locked(*outputs, alive=lambda _info: False)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (Output(NOT_ALONE, b"", b"another process has it\n"), "cannot unlock lb1@192.0.2.1: another process has it"),
        (Output(1, b"", b"no space\n"), "cannot mark lb1@192.0.2.1: no space"),
        (Output(9), "cannot mark lb1@192.0.2.1: exit code 9"),
    ],
)
async def test_why_a_host_is_not_unlocked(output: Output, message: str) -> None:
    with pytest.raises(TransportError) as found:
        await release(cast("Any", Answers([output])), "mine")
    assert str(found.value) == message


async def test_what_is_to_be_run_before_a_host_is_unlocked_is_part_of_the_script() -> None:
    link = Answers([Output(0)])
    await release(cast("Any", link), "mine", "touch /run/parting")
    assert "touch /run/parting" in link.scripts[0].rpartition('rm -f "$HACORE_RUN/lock"')[0]


def test_a_holder_in_words() -> None:
    assert describe({"who": "you", "what": "apply", "pid": 7, "stack": "web"}) == "you (apply, pid 7, stack web)"
    assert describe({}) == "another run (run, pid ?, stack ?)"
