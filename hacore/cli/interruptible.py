"""Running the engine from a command: progress, and the effect of Ctrl-C.

Before a run has started a signal ends the command. After that the first signal (SIGINT, SIGTERM, SIGHUP) lets
running tasks finish and starts no new ones; the second one aborts, and the run is incomplete.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from .. import __version__
from ..events import EVENTS_VERSION, Event, Listener
from ..render.progress import Progress
from ..render.terminal import Terminal
from .exit_codes import Interrupted

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TICK = 0.25  # seconds between two updates of the live line
STOPPING = "Interrupted: finishing running tasks, starting no new ones. Press Ctrl-C again to abort."
ABORTED = "Aborted. The run is incomplete: use `hacore apply --resume` or `hacore rollback`."


class Stopper:
    """The effect of signals. `touching` is set once hosts may be changed."""

    def __init__(self, terminal: Terminal) -> None:
        self.event = asyncio.Event()
        self.touching = False
        self.code = 0
        self._terminal = terminal
        self._work: asyncio.Task[object] | None = None

    def watch(self, work: asyncio.Task[object]) -> None:
        """Handle signals while `work` is running."""
        self._work = work
        loop = asyncio.get_running_loop()
        for number in (n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN):  # nohup(1)
            loop.add_signal_handler(number, self.signal, int(number))

    def leave(self) -> None:
        """Restore the previous signal handlers."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def signal(self, number: int) -> None:
        """Handle a signal."""
        if self.code:
            with suppress(OSError):
                self._terminal.live("")
                self._terminal.tell(ABORTED if self.touching else "Aborted.")
            os._exit(128 + number)
        self.code = 128 + number
        if self.touching:
            self.event.set()
            with suppress(OSError):  # after SIGHUP the terminal may be closed
                self._terminal.tell(STOPPING)
        elif self._work is not None:
            self._work.cancel()


def run(
    terminal: Terminal,
    work: Callable[[Stopper], Awaitable[T]],
    *,
    progress: Progress | None = None,
    stopper: Stopper | None = None,
) -> T:
    """Run `work` to its end. Raises Interrupted when a signal ended it before any host was touched."""
    stopper = stopper or Stopper(terminal)

    async def whole() -> T:
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
    """A listener that never ends a run: once hosts may be changed, a closed output is ignored."""

    def listen(event: Event) -> None:
        try:
            listener(event)
        except OSError:
            if not stopper.touching:
                raise

    return listen


def quietly(progress: Progress) -> Callable[[Event], None]:
    """A listener for commands that only read: warnings and the live line."""

    def listen(event: Event) -> None:
        if event.type in ("warning", "host_connecting", "host_ready", "host_unreachable"):
            progress(event)

    return listen


def as_lines(terminal: Terminal) -> Callable[[Event], None]:
    """A listener that writes each event as a line of JSON to stdout, after a line with the version of the format."""
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
    """From the first event of the run on, signals let it end in order."""

    def listen(event: Event) -> None:
        if event.type == "run_started":
            stopper.touching = True
        listener(event)

    return lasting(listen, stopper)


__all__ = ["ABORTED", "STOPPING", "Stopper", "as_lines", "lasting", "quietly", "run", "touching"]
