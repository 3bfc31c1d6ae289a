"""The two streams of a command: stdout for the result, stderr for everything else.

The only place that writes. The live line at the bottom of a terminal is cleared before any output; its owner
writes it again at the next tick.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from typing import Any, TextIO

from .redact import Redactor
from .style import Style, is_terminal, style_for

_CLEAR = "\r\x1b[2K"
_COLUMNS = 80


class Terminal:
    """stdout and stderr of a command, with secrets masked."""

    def __init__(self, out: TextIO, err: TextIO, environ: Mapping[str, str], redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self.out_style: Style = style_for(out, environ)
        self.err_style: Style = style_for(err, environ)
        self.watched = is_terminal(err) and environ.get("TERM") != "dumb"
        self._out = out
        self._err = err
        self._live = ""

    def say(self, text: str) -> None:
        """A part of the result: one or several lines to stdout."""
        self._write(self._out, self.redactor.text(text) + "\n")

    def say_json(self, value: Any, *, line: bool = False) -> None:
        """A JSON value to stdout, indented, or as one line of a stream."""
        masked = self.redactor.data(value)
        layout = {"separators": (",", ":")} if line else {"indent": 2}
        self._write(self._out, json.dumps(masked, ensure_ascii=False, default=str, **layout) + "\n")

    def tell(self, text: str) -> None:
        """A message to stderr."""
        self._write(self._err, self.redactor.text(text) + "\n")

    def ask(self, text: str) -> None:
        """A question to stderr, without a newline."""
        self._write(self._err, self.redactor.text(text))

    def live(self, text: str) -> None:
        """Set the live line; empty clears it. Only on a terminal."""
        if not self.watched or (not text and not self._live):
            return
        self._live = self.redactor.text(text).splitlines()[0][: self._columns() - 1] if text else ""
        self._err.write(_CLEAR + self.err_style("dim", self._live))
        self._err.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._err.fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    def _write(self, stream: TextIO, text: str) -> None:
        self.live("")
        try:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                encoding = stream.encoding or "ascii"
                stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        except OSError as error:
            if error.errno == errno.EIO:  # the terminal was closed, tty(4)
                raise BrokenPipeError(*error.args) from None
            raise
