"""The writer: statements to text that keepalived reads as the same statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .document import Statement

__all__ = ["write"]

_SPECIAL = re.compile(r"@|~(?:SEQ|LST)|\$[A-Za-z_][A-Za-z0-9_]*[ \t]*=|include[rmwba]?[ \t\f\v\r]")
"""The beginnings of lines that are carried out, not parsed."""


def write(statements: Iterable[Statement]) -> str:
    """One statement in a line, blocks indented by four spaces, an empty line between those outside of blocks.

    Definitions, conditions, sequences and includes are carried out already: the text needs no other file.
    """
    return "\n".join("".join(f"{line}\n" for line in _lines(statement, "")) for statement in statements)


def _lines(statement: Statement, indent: str) -> Iterator[str]:
    raw, open_quote = _escaped(statement.raw)
    if _SPECIAL.match(raw):
        raw = f"\f{raw}"  # white space that is not removed before the line is parsed
    continues = raw.endswith("\\") and not open_quote
    if continues:
        raw += " #"  # at the end of a line the backslash would join what is before it with the next line
    if statement.block is None:
        yield f"{indent}{raw}"
        return
    if continues or open_quote or raw.count('"') % 2:  # the brace would be a comment, or text
        yield from (f"{indent}{raw}", f"{indent}{{")
    else:
        yield f"{indent}{raw} {{"
    for inner in statement.block:
        yield from _lines(inner, f"{indent}    ")
    yield f"{indent}}}"


def _escaped(raw: str) -> tuple[str, bool]:
    """With a backslash before # and ! outside of quotes, which the reader has removed; whether a quote is open."""
    out, quote, i = "", False, 0
    while i < len(raw):
        character = raw[i]
        if character == "\\" and i + 1 < len(raw):
            out += raw[i : i + 2] if raw[i + 1] not in "#!" or quote else f"\\\\\\{raw[i + 1]}"
            i += 2
            continue
        if character == '"':
            quote = not quote
        out += f"\\{character}" if character in "#!" and not quote else character
        i += 1
    return out, quote
