"""`--log`: the program's own log, to stderr, with secrets taken out."""

from __future__ import annotations

import logging

from .runtime import Runtime


class _Handler(logging.Handler):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. What is secret is found out before the first one is written."""
        self._runtime.learn_secrets()
        self._runtime.terminal.tell(self.format(record))


def start_log(runtime: Runtime, level: str) -> None:
    """Log from `level` (debug, info, warning) on; libraries below warning only with debug."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Handler(runtime)], force=True)
    logging.getLogger("hacore").setLevel(level.upper())
    if level == "debug":
        logging.getLogger("asyncssh").setLevel(logging.INFO)
