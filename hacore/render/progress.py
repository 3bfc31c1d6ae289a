"""The progress of a run on stderr: a line for each task that ended or takes long, and a live line.

[  12s] lb1  source_build.nginx: building nginx 1.22.1
[  41s] lb1  source_build.nginx: created in 32s
[  41s] lb2  reload service.nginx: failed after 0.4s
        cannot reload: exit code 1: ...
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..events import Event
from .style import Style
from .terminal import Terminal
from .words import clean, listed, span

QUIET = 10.0
"""Seconds without output after which a log names the running tasks."""
LONG = 1.0
"""Seconds after which a step gets a line of its own."""
_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "reduce": "reduced",
    "adopt": "adopted",
    "forget": "forgotten",
    "noop": "checked",
    "ensure": "unchanged",
    "change": "applied",
    "restore": "restored",
    "reload": "reloaded",
    "restart": "restarted",
    "drain": "out of service",
    "verify": "verified",
    "undrain": "back in service",
}
_GUARDS = ("drain", "verify", "undrain")


@dataclass
class _Running:
    what: str
    host: str
    since: float
    doing: str = ""
    doing_since: float = 0.0
    shown: bool = True


class Progress:
    """A Listener that writes. Call `tick` regularly: it updates the live line."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._style: Style = terminal.err_style
        self._clock = clock
        self._began = clock()
        self._last_output = self._began
        self._running: dict[str, _Running] = {}
        self._connecting: dict[str, None] = {}
        self._width = 0
        self.paused = False

    def __call__(self, event: Event) -> None:
        """Show an event."""
        handler = getattr(self, f"_on_{event.type}", None)
        if event.host is not None:
            self._width = max(self._width, len(event.host))
        if handler is not None:
            handler(event)

    def tick(self) -> None:
        """Show the running tasks: on a terminal in the live line, in a log after a silence."""
        now = self._clock()
        for task in self._running.values():
            if not task.shown and now - task.doing_since >= LONG:
                task.shown = True
                self._line(task.host, f"{task.what}: {task.doing}")
        if self._terminal.watched:
            self._terminal.live("" if self.paused else self._live(now))
        elif now - self._last_output >= QUIET:
            for task in self._running.values():
                doing = f": {task.doing}" if task.doing else ""
                self._line(task.host, f"{task.what}: still running after {span(now - task.since)}{doing}")

    def end(self) -> None:
        """Clear the live line."""
        self._running.clear()
        self._connecting.clear()
        self._terminal.live("")

    def _live(self, now: float) -> str:
        if self._running:
            return f"{self._elapsed(now)} {self._all(now)}"
        if self._connecting:
            return f"{self._elapsed(now)} checking {listed(self._connecting)}"
        return ""

    def _all(self, now: float) -> str:
        return "; ".join(
            f"{task.host} {task.what} ({span(now - task.since)}){': ' + task.doing if task.doing else ''}".strip()
            for task in self._running.values()
        )

    # -- events, by their type

    def _on_host_connecting(self, event: Event) -> None:
        self._connecting[str(event.host)] = None

    def _on_host_ready(self, event: Event) -> None:
        self._connecting.pop(str(event.host), None)

    def _on_host_unreachable(self, event: Event) -> None:
        self._connecting.pop(str(event.host), None)

    def _on_warning(self, event: Event) -> None:
        self._line(event.host, self._style("yellow", f"warning: {clean(event.message)}"))

    def _on_run_started(self, _: Event) -> None:
        self._connecting.clear()
        self._began = self._last_output = self._clock()

    def _on_run_finished(self, _: Event) -> None:
        self.end()

    def _on_task_started(self, event: Event) -> None:
        self._running[str(event.task)] = _Running(_what(event), event.host or "", self._clock())

    def _on_task_undo_started(self, event: Event) -> None:
        self._running[str(event.task)] = _Running(f"undo {_what(event)}", event.host or "", self._clock())

    def _on_task_progress(self, event: Event) -> None:
        task = self._running.get(str(event.task))
        message = clean(event.message)
        if task is None or task.doing == message:
            return
        task.doing, task.doing_since, task.shown = message, self._clock(), False

    def _on_task_done(self, event: Event) -> None:
        words = "/".join(_DONE.get(part, part) for part in _op(event).split("/"))
        self._ended(event, self._style("green", words), "in")

    def _on_task_failed(self, event: Event) -> None:
        self._ended(event, self._style("red", "failed"), "after", event.message)

    def _on_task_held(self, event: Event) -> None:
        self._ended(event, "not started", "")

    def _on_task_undone(self, event: Event) -> None:
        self._ended(event, self._style("yellow", "undone"), "in")

    def _on_task_undo_failed(self, event: Event) -> None:
        self._ended(event, self._style("red", "could not be undone"), "after", event.message)

    # -- writing

    def _ended(self, event: Event, words: str, preposition: str, details: str = "") -> None:
        task = self._running.pop(str(event.task), None)
        took = ""
        if task is not None and preposition:
            took = f" {preposition} {span(self._clock() - task.since)}"
        self._line(event.host, f"{_what(event)}: {words}{took}")
        for line in clean(details).strip().splitlines():
            self._terminal.tell(f"        {line}")

    def _line(self, host: str | None, text: str) -> None:
        self._last_output = self._clock()
        self._terminal.tell(f"{self._stamp(self._last_output)} {host or '':<{self._width}}  {text}")

    def _stamp(self, now: float) -> str:
        return self._style("dim", self._elapsed(now))

    def _elapsed(self, now: float) -> str:
        return f"[{span(now - self._began, whole=True):>6}]"


def _op(event: Event) -> str:
    return str(event.data.get("op", ""))


def _what(event: Event) -> str:
    """`source_build.nginx`, `reload service.nginx`, `drain`: the host has a column of its own."""
    op = _op(event)
    names = listed(dict.fromkeys(_on_host(address, event.host) for address in event.addresses), 3)
    if op in _GUARDS:
        return op
    return f"{op} {names}" if op in ("reload", "restart") else names


def _on_host(address: str, host: str | None) -> str:
    return address.removesuffix(f"@{host}") if host else address


__all__ = ["QUIET", "Progress"]
