"""Colour on terminals, unless NO_COLOR is set (no-color.org) or the terminal is dumb."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

from ..printable import printable

Name = Literal["bold", "dim", "red", "green", "yellow", "cyan"]

_CODES: Mapping[Name, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Style:
    """Colours text, or leaves it unchanged.

    `mark`: a number that nobody else knows, in each code that this style makes. `finished` removes it, and shows any
    other escape as text: nothing that a host or a stack contains can colour what the terminal shows.
    """

    colour: bool = False
    mark: str = ""

    def __call__(self, name: Name, text: str) -> str:
        """`text` in a colour or weight (ECMA-48, SGR)."""
        if not self.colour or not text:
            return text
        return f"\x1b[{_CODES[name]}{self.mark}m{text}\x1b[0{self.mark}m"

    def finished(self, text: str) -> str:
        """`text` as it is written to the terminal: only printable characters, and the codes of this style."""
        if not self.colour:
            return printable(text)
        parts = re.split(rf"\x1b\[([0-9]+){self.mark}m", text)
        return "".join(f"\x1b[{part}m" if i % 2 else printable(part) for i, part in enumerate(parts))


PLAIN = Style()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def style_for(stream: TextIO | None, environ: Mapping[str, str]) -> Style:
    """Colour for a terminal that can show it, unless NO_COLOR is set."""
    colour = is_terminal(stream) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Style(colour, f";{secrets.randbelow(10**12)}" if colour else "")
