"""The two streams of a command: stdout for the result, stderr for everything else.

The only place that writes. The live line at the bottom of a terminal is cleared before any output; its owner
writes it again at the next tick.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from typing import Any, TextIO
from unicodedata import east_asian_width

from ..printable import one_line
from .redact import Redactor
from .style import Style, is_terminal, style_for

_CLEAR = "\r\x1b[2K"
_COLUMNS = 80
_CONTENT = " " * 10  # the indent of lines of a file in a plan
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BEYOND_ASCII = re.compile(r"[^\n -~]")


def wrapped(line: str, width: int) -> list[str]:
    """A line in parts of at most `width` characters, broken between words; colours take no space.

    Commands (`hacore ...` after a colon) and the content of files (deeply indented) stay whole, to be copied.
    """
    if _columns_of(line) <= width or line.startswith(_CONTENT):
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    head, colon, command = line.partition(": hacore ")
    words = [*head.split(" "), *([f"hacore {command}"] if colon else [])]
    if colon:
        words[-2] += ":"
    parts, length = [words[0]], _columns_of(words[0])
    for word in words[1:]:
        size = _columns_of(word)
        if length + 1 + size > width and parts[-1].strip():
            parts.append(indent + word)
            length = len(indent) + size
        else:
            parts[-1] += f" {word}"
            length += 1 + size
    return parts


def _columns_of(text: str) -> int:
    """The columns that a text takes on a terminal: none for colours, two for wide characters (UAX #11)."""
    plain = _COLOUR.sub("", text)
    return len(plain) if plain.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in plain)


def _json_escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


class Terminal:
    """stdout and stderr of a command: secrets are masked, and what is not printable is shown as its code.

    That holds for all that any command writes, whatever the renderers have done: text of hosts, stacks and states
    cannot move the cursor, colour, reorder or hide anything (see `hacore.printable`).
    """

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
        self._write(self._out, self._shown(self._out, self.out_style, text) + "\n")

    def say_json(self, value: Any, *, line: bool = False) -> None:
        """A JSON value to stdout, indented, or as one line of a stream."""
        masked = self.redactor.data(value)
        layout = {"separators": (",", ":")} if line else {"indent": 2}
        text = json.dumps(masked, ensure_ascii=False, default=str, **layout)
        self._write(self._out, _BEYOND_ASCII.sub(_json_escaped, text) + "\n")

    def hand_over(self, text: str) -> None:
        """A value that the user asked for by its name, for a script: unchanged, secrets included.

        On a terminal it is neutralised as all else, since there a person reads it.
        """
        self._write(self._out, self.out_style.finished(text) if is_terminal(self._out) else text)

    def tell(self, text: str) -> None:
        """A message to stderr."""
        self._write(self._err, self._shown(self._err, self.err_style, text) + "\n")

    def ask(self, text: str) -> None:
        """A question to stderr, without a newline."""
        self._write(self._err, self.err_style.finished(self.redactor.text(text)))

    def live(self, text: str) -> None:
        """Set the live line; empty clears it. Only on a terminal."""
        if not self.watched or (not text and not self._live):
            return
        line = one_line(self.redactor.text(text).split("\n")[0]) if text else ""
        self._live = line[: self._columns() - 1]
        self._err.write(_CLEAR + self.err_style.finished(self.err_style("dim", self._live)))
        self._err.flush()

    def _shown(self, stream: TextIO, style: Style, text: str) -> str:
        """Text with masked secrets, neutralised, and broken into lines of a terminal."""
        return self._fit(stream, style.finished(self.redactor.text(text)))

    def _columns(self, stream: TextIO | None = None) -> int:
        try:
            return os.get_terminal_size((stream or self._err).fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    def _fit(self, stream: TextIO, text: str) -> str:
        """On a terminal, lines broken between words; elsewhere the text is unchanged."""
        if not is_terminal(stream):
            return text
        width = self._columns(stream)
        return "\n".join(part for line in text.split("\n") for part in wrapped(line, width))

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
