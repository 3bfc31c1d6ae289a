"""Text that a terminal only shows: no character of it moves the cursor, changes colours, reorders or hides others.

What a host, a stack, a state or a person's file contains may have been written to deceive the reader of a plan:
terminal escapes (ECMA-48), bidirectional controls (CVE-2021-42574), characters of no width, tags. Each of them is
shown as its code: `\\x1b`, `\\u202e`, `\\U000e0041`.
"""

from __future__ import annotations

import re

__all__ = ["one_line", "printable", "unprintable_in"]

_PLAIN = re.compile(r"[\t\n -~]*\Z")


def printable(text: str) -> str:
    """`text` with each character that is not printable as its code; tabs and line breaks stay.

    Printable is what `str.isprintable` means: no control, format, surrogate, private or unassigned character, no
    separator but the space.
    """
    if _PLAIN.match(text) or text.isprintable():
        return text
    return "".join(c if c in "\t\n" or c.isprintable() else _code(c) for c in text)


def one_line(text: str) -> str:
    """The same for text that belongs into one line: tabs and line breaks, too, are shown as their code."""
    return printable(text).replace("\t", "\\t").replace("\n", "\\n")


def unprintable_in(text: str) -> str:
    """The first character that `printable` would replace; empty if there is none."""
    return next((c for c in text if c not in "\t\n" and not c.isprintable()), "")


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
