"""An open guard block is continued by the next one of its host, or its host is undrained first."""

from __future__ import annotations

import pytest

from hacore.address import Address
from hacore.journal import RunningTask
from hacore.journal.block import Block, continue_block
from hacore.model import Op, Status
from hacore.plan import PlanTask

OPS = {"d": Op.DRAIN, "v": Op.VERIFY, "u": Op.UNDRAIN}


def tasks(text: str, status: Status = Status.DO) -> list[RunningTask]:
    """`name@host[:needs]`; the first letter of the name is the op (d, v, u, else a change), all of one group."""
    found = []
    for word in text.split():
        rest, _, needs = word.partition(":")
        id, _, host = rest.partition("@")
        wanted = tuple(need for need in needs.split(",") if need)
        address = Address.parse(f"gate.g@{host}")
        op = OPS.get(id[0], Op.CHANGE)
        found.append(RunningTask(PlanTask(id, op, "gate", host, (address,), needs=wanted, group="g"), status))
    return found


def shown(lives: list[RunningTask]) -> str:
    return " ".join(
        f"{live.id}@{live.task.host}" + (f":{','.join(live.task.needs)}" if live.task.needs else "") for live in lives
    )


OPEN = "d1@a x1@a:d1"


@pytest.mark.parametrize(
    ("new", "kept", "joined"),
    [
        # nothing more is to be done there
        ("c@a", OPEN, "n@a:d1,x1 c@a"),
        # the other host waits until this one serves
        ("d2@b x2@b:d2 v2@b:x2 u2@b:v2", OPEN, "n@a:d1,x1 d2@b:n x2@b:d2 v2@b:x2 u2@b:v2"),
        # the next block of the host continues it: its verify waits for what was done before, too
        ("d2@a x2@a:d2 v2@a:x2 u2@a:v2", OPEN, "x2@a:d1 v2@a:x1,x2 u2@a:v2"),
        # its new drain waits for something: so does the old one
        ("s@a d2@a:s x2@a:d2 v2@a:x2 u2@a:v2", "d1@a:s x1@a:d1", "s@a x2@a:d1 v2@a:x1,x2 u2@a:v2"),
        # the next block waits for another host of the group
        (
            "d3@b x3@b:d3 v3@b:x3 u3@b:v3 d2@a x2@a:d2,u3 v2@a:x2 u2@a:v2",
            OPEN,
            "n@a:d1,x1 d3@b:n x3@b:d3 v3@b:x3 u3@b:v3 d2@a:n x2@a:d2,u3 v2@a:x2 u2@a:v2",
        ),
        # the next block waits for what depends on the open one
        (
            "s@a:x1 d2@a:s x2@a:d2 v2@a:x2 u2@a:v2",
            OPEN,
            "n@a:d1,x1 s@a:x1 d2@a:n,s x2@a:d2 v2@a:x2 u2@a:v2",
        ),
    ],
)
def test_an_open_block_is_continued_or_closed(new: str, kept: str, joined: str) -> None:
    before = tasks(kept, Status.DONE)
    after, found = continue_block(Block.of("d1", before), before, tasks(new), "n")
    assert shown(found) == joined
    drain = next(live for live in after if live.id == "d1")
    if found[0].id == "n":
        assert found[0].task.op is Op.UNDRAIN
        assert (drain.status, shown(after)) == (Status.DONE, kept)
    else:
        assert (drain.status, drain.intent) == (Status.DO, True)
        assert drain.task.needs == tuple(need for live in tasks(new) if live.id == "d2" for need in live.task.needs)
