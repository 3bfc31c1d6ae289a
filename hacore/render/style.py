"""Colour on terminals, unless NO_COLOR is set (no-color.org) or the terminal is dumb."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

Name = Literal["bold", "dim", "red", "green", "yellow", "cyan"]

_CODES: Mapping[Name, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Style:
    """Colours text, or leaves it unchanged."""

    colour: bool = False

    def __call__(self, name: Name, text: str) -> str:
        """`text` in a colour or weight (ECMA-48, SGR)."""
        return f"\x1b[{_CODES[name]}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Style()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def style_for(stream: TextIO | None, environ: Mapping[str, str]) -> Style:
    """Colour for a terminal that can show it, unless NO_COLOR is set."""
    return Style(is_terminal(stream) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb")
