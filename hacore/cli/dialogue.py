"""What the user of a run sees and answers: its plan, the question, its progress, and what Ctrl-C means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Cancelled, UsageError
from ..render.progress import Progress
from .interruptible import Stopper, as_lines, run, touching
from .prompts import ask_yes

if TYPE_CHECKING:
    from ..events import Listener
    from .runtime import Runtime

T = TypeVar("T")


class Dialogue:
    """The dialogue of one run: text with a live line, or with `as_json` a stream of JSON lines.

    `command` names the run in "apply cancelled". With `asks` False nothing is asked, as for a saved plan. Raises
    UsageError when a question would have to be asked in a stream of JSON.
    """

    def __init__(self, runtime: Runtime, command: str, *, auto_approve: bool, as_json: bool, asks: bool = True) -> None:
        if as_json and asks and not auto_approve:
            raise UsageError("cannot ask for approval with --json: add --auto-approve")
        self.command = command
        self.as_json = as_json
        self._auto_approve = auto_approve
        self._terminal = runtime.terminal
        runtime.json = as_json
        self._progress = Progress(self._terminal)
        self._stopper = Stopper(self._terminal)
        self.listener: Listener = touching(as_lines(self._terminal) if as_json else self._progress, self._stopper)

    @property
    def stop(self) -> asyncio.Event:
        """Set by the first signal of a run: start no new tasks."""
        return self._stopper.event

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` to its end, with progress and signals."""
        progress = None if self.as_json else self._progress
        return run(self._terminal, lambda _: work(), progress=progress, stopper=self._stopper)

    def note(self, text: str) -> None:
        """A line before the plan, to stderr."""
        self._pause()
        self._terminal.tell(self._terminal.err_style("yellow", text))

    def show_plan(self, text: Callable[[], str], value: Callable[[], Mapping[str, Any]]) -> None:
        """Show the plan in the form of this dialogue."""
        self._pause()
        if self.as_json:
            self._terminal.say_json(value(), line=True)
        else:
            self._terminal.say(text() + "\n")

    async def approve(self, question: str, details: str = "") -> bool:
        """Ask for a literal yes, unless --auto-approve was given. Raises Cancelled for any other answer."""
        if not self._auto_approve and not await ask_yes(self._terminal, question, details):
            raise Cancelled(f"{self.command} cancelled")
        self._progress.paused = False
        self._stopper.touching = True
        return True

    def report(self, text: Callable[[], str], value: Callable[[], Any]) -> None:
        """Show the result."""
        if self.as_json:
            self._terminal.say_json(value(), line=True)
        else:
            self._terminal.say(text())

    def _pause(self) -> None:
        """Hosts are not touched while the user reads: a signal ends the command then."""
        self._stopper.touching = False
        self._progress.paused = True
        self._terminal.live("")


__all__ = ["Dialogue"]
