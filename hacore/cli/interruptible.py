"""Running the engine from a command: progress, and what Ctrl-C means.

Before a run has begun a signal ends the command. Once it has begun, the first one (SIGINT, SIGTERM,
SIGHUP) lets what is running end and starts nothing new; the second one leaves at once, and the run
is unfinished.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from .. import __version__
from ..events import EVENTS_VERSION, Event, Listener
from ..render.progress import Progress
from ..render.terminal import Terminal
from .exit_codes import Interrupted

if TYPE_CHECKING:
    from ..engine import Means

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TICK = 0.25  # seconds between two looks at the live line
STOPPING = "stopping: what is running ends, nothing new begins; once more to leave at once"


class Stopper:
    """What a signal does. `touching` is set once hosts may be touched."""

    def __init__(self, terminal: Terminal, words: str = STOPPING) -> None:
        self.event = asyncio.Event()
        self.touching = False
        self.code = 0
        self._terminal = terminal
        self._words = words
        self._work: asyncio.Task[object] | None = None

    def watch(self, work: asyncio.Task[object]) -> None:
        """Listen to signals while `work` lasts."""
        self._work = work
        loop = asyncio.get_running_loop()
        for number in (n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN):  # nohup(1)
            loop.add_signal_handler(number, self.signal, int(number))

    def leave(self) -> None:
        """Leave signals to whoever had them."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def signal(self, number: int) -> None:
        """A signal came."""
        if self.code:
            with suppress(OSError):
                self._terminal.live("")
                self._terminal.tell("left at once" + (": the run is unfinished" if self.touching else ""))
            os._exit(128 + number)
        self.code = 128 + number
        if self.touching:
            self.event.set()
            with suppress(OSError):  # whoever hung up took the terminal along
                self._terminal.tell(self._words)
        elif self._work is not None:
            self._work.cancel()


def run(
    terminal: Terminal,
    work: Callable[[Stopper], Awaitable[T]],
    *,
    progress: Progress | None = None,
    words: str = STOPPING,
) -> T:
    """Run `work` to its end. Raises Interrupted when a signal ended it before it touched anything."""

    async def whole() -> T:
        stopper = Stopper(terminal, words)
        task = asyncio.ensure_future(work(stopper))
        stopper.watch(task)
        ticker = asyncio.create_task(_ticking(progress)) if progress is not None else None
        try:
            return await task
        except asyncio.CancelledError:
            if stopper.code:
                raise Interrupted(stopper.code) from None
            raise
        finally:
            stopper.leave()
            if ticker is not None and progress is not None:
                ticker.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await ticker
                with suppress(OSError):
                    progress.end()

    return asyncio.run(whole())


async def _ticking(progress: Progress) -> None:
    while True:
        progress.tick()
        await asyncio.sleep(_TICK)


def lasting(listener: Listener, stopper: Stopper) -> Listener:
    """A listener that ends no run: once hosts may be touched, whoever reads our output may leave."""

    def listen(event: Event) -> None:
        try:
            listener(event)
        except OSError:
            if not stopper.touching:
                raise

    return listen


def quietly(progress: Progress) -> Callable[[Event], None]:
    """A listener for commands that only look: warnings and the live line, nothing else."""

    def listen(event: Event) -> None:
        if event.type in ("warning", "host_connecting", "host_ready", "host_unreachable"):
            progress(event)

    return listen


def as_lines(terminal: Terminal) -> Callable[[Event], None]:
    """A listener that writes each event as a line of JSON to stdout, after one that says in which format."""
    terminal.say_json({"type": "version", "format_version": EVENTS_VERSION, "hacore": __version__}, line=True)

    def listen(event: Event) -> None:
        value = {
            "type": event.type,
            "at": round(event.at, 3),
            "message": event.message,
            "host": event.host,
            "task": event.task,
            "addresses": list(event.addresses),
            "data": dict(event.data),
        }
        empty: tuple[object, ...] = ("", None, [], {})
        terminal.say_json({k: v for k, v in value.items() if v not in empty}, line=True)

    return listen


def touching(listener: Listener, stopper: Stopper) -> Listener:
    """From the run's first event on a signal must let it end in order."""

    def listen(event: Event) -> None:
        if event.type == "run_started":
            stopper.touching = True
        listener(event)

    return lasting(listen, stopper)


def stoppable(means: Means, stopper: Stopper) -> Means:
    """Means of a command that changes hosts, for which a signal means to stop in order."""
    return replace(means, listener=touching(means.listener, stopper), stop=stopper.event)


__all__ = ["STOPPING", "Stopper", "as_lines", "lasting", "quietly", "run", "stoppable", "touching"]
