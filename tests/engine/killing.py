"""Really killed: a forked child runs the engine over machines in memory, and gets SIGKILL at a chosen point.

A point is the moment before and after every operation on a machine and every transaction of the
state. The child saves its machines as it dies; the parent goes on with those and with the state file.
"""

from __future__ import annotations

import asyncio
import faulthandler
import mmap
import os
import pickle
import signal
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hacore.store import session
from hacore.testing import Machine, World
from tests.forking import fork

SIZE = 1 << 20
HANGS = 120.0  # seconds after which a child tells where it is and ends
_LENGTH = 8


class Grave:
    """Memory that outlives a child: what it left there as it ended."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, SIZE)

    def put(self, value: Any) -> None:
        """Called in the child. Pickling plain values holds the interpreter's lock: it is of one moment."""
        data = pickle.dumps(value)
        assert len(data) < SIZE - _LENGTH
        self.memory[_LENGTH : _LENGTH + len(data)] = data
        self.memory[:_LENGTH] = len(data).to_bytes(_LENGTH, "little")

    def take(self) -> Any:
        """Called in the parent, after the child's end."""
        length = int.from_bytes(self.memory[:_LENGTH], "little")
        assert length, "the child left nothing"
        self.memory[:_LENGTH] = bytes(_LENGTH)
        return pickle.loads(self.memory[_LENGTH : _LENGTH + length])

    def close(self) -> None:
        """Give the memory back."""
        self.memory.close()


def state_of(world: World) -> dict[str, Any]:
    """Plain values only."""
    machines = {m.name: (m.data, m.units, m.drained, m.lock, m.markers) for m in world}
    return {"machines": machines, "holders": world.holders}


def set_state(world: World, state: dict[str, Any]) -> None:
    """The machines as they were."""
    copied = pickle.loads(pickle.dumps(state))
    world.holders = copied["holders"]
    for name, (data, units, drained, lock, markers) in copied["machines"].items():
        machine = world[name]
        machine.data, machine.units, machine.drained, machine.lock = data, units, drained, lock
        machine.markers = markers


class Clock:
    """Counts points in the child, and kills it at one of them."""

    def __init__(self, world: World, grave: Grave, at: int) -> None:
        self.world, self.grave, self.at, self.now = world, grave, at, 0

    def tick(self, _what: object = None) -> None:
        """One point."""
        self.now += 1
        if self.now == self.at:
            self.end(killed=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self, *, killed: bool, error: str = "") -> None:
        """Leave the machines to the parent."""
        self.grave.put({**state_of(self.world), "points": self.now, "killed": killed, "error": error})

    def wire(self) -> None:
        """In the child only: nothing of this is taken back."""
        for machine in self.world:
            machine.on("*", self.tick, times=None)
            machine.on("*", self.tick, times=None, after=True)
        inner, tick = session.WriterSession.transaction, self.tick

        @contextmanager
        def transaction(own: Any) -> Iterator[Any]:
            tick()
            with inner(own) as work:
                yield work
            tick()

        session.WriterSession.transaction = transaction  # type: ignore[method-assign,assignment]


def run_killed(
    world: World,
    grave: Grave,
    work: Callable[[], Awaitable[Any]],
    at: int,
    before: Callable[[World], None] = lambda _world: None,
) -> dict[str, Any]:
    """Run `work` in a child that dies at point `at` (0: lives); the machines are then as it left them.

    `before` is done in the child only: rules that make operations fail.
    """
    with tempfile.TemporaryFile() as stacks:
        child = fork()
        if child == 0:
            faulthandler.dump_traceback_later(HANGS, exit=True, file=stacks)
            clock = Clock(world, grave, at)
            try:
                before(world)
                clock.wire()
                asyncio.run(work())  # type: ignore[arg-type]
                clock.end(killed=False)
            except BaseException:
                clock.end(killed=False, error=traceback.format_exc())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        stacks.seek(0)
        assert not (told := stacks.read().decode()), f"the child hangs:\n{told}"
    left: dict[str, Any] = grave.take()
    assert not left["error"], left["error"]
    set_state(world, left)
    return left


__all__ = ["Grave", "Machine", "run_killed", "set_state", "state_of"]
