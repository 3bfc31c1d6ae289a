"""The surroundings of a command: streams, arguments, environment, secrets."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..render.terminal import Terminal
from ..urls import url_secrets

if TYPE_CHECKING:
    from ..transport import Password

_VARIABLE = "HACORE_VAR_"
BECOME_PASSWORD = "HACORE_BECOME_PASSWORD"  # noqa: S105 - the variable's name


@dataclass
class Runtime:
    """One invocation.

    `learn` returns the secrets of the stack; it may be slow and may fail, so it is called only before
    unforeseen output. `json`: errors are also printed as JSON, to stdout. `password`: of sudo, once it is known.
    """

    terminal: Terminal
    argv: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    json: bool = False
    ask_become_pass: bool = False
    password: Password | None = None
    learn: Callable[[], Iterable[str]] | None = None

    @classmethod
    def of_process(cls, argv: Sequence[str]) -> Runtime:
        """With the streams and the environment of this process."""
        terminal = Terminal(sys.stdout, sys.stderr, os.environ)
        terminal.redactor.add(os.environ.get(name, "") for name in ("HACORE_KEY", "PGPASSWORD", BECOME_PASSWORD))
        terminal.redactor.add(url_secrets(os.environ.get("HACORE_STATE", "")))
        return cls(terminal, tuple(argv), os.environ)

    def learn_secrets(self) -> None:
        """Mask the secrets of the stack from now on, as far as they can be known."""
        if self.learn is None:
            return
        learn, self.learn = self.learn, None
        with suppress(Exception):
            self.terminal.redactor.add(learn())
            return
        # the stack does not load: which variables are sensitive is not known, so all are masked
        given = [text.partition("=")[2] for text in self.argv]
        self.terminal.redactor.add([*given, *(v for k, v in self.environ.items() if k.startswith(_VARIABLE))])


class _Handler(logging.Handler):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. Secrets are found out before the first one."""
        self._runtime.learn_secrets()
        self._runtime.terminal.tell(self.format(record))


def start_log(runtime: Runtime, level: str) -> None:
    """Log from `level` (debug, info, warning) on; libraries below warning only with debug."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Handler(runtime)], force=True)
    logging.getLogger("hacore").setLevel(level.upper())
    if level == "debug":
        logging.getLogger("asyncssh").setLevel(logging.INFO)
