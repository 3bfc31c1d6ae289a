"""A line of text of which each character knows its column, also after definitions were replaced in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .document import Place

__all__ = ["BLANK", "WHITE", "Text", "decommented", "split_words"]

BLANK = " \t"
WHITE = " \t\f\n\r\v"
"""The characters between words."""


@dataclass(frozen=True, slots=True)
class Text:
    """`chars` with the column of each, in a line of a file."""

    chars: str
    columns: tuple[int, ...]
    file: str
    line: int

    @classmethod
    def of_line(cls, chars: str, file: str, line: int, first: int = 1) -> Text:
        """A line, or the rest of one that begins at the column `first`."""
        return cls(chars, tuple(range(first, first + len(chars))), file, line)

    def at(self, index: int) -> Place:
        """The place of a character; of the end of the line for an index behind the last."""
        if index < len(self.columns):
            return Place(self.file, self.line, self.columns[index])
        return Place(self.file, self.line, self.columns[-1] + 1 if self.columns else 1)

    def cut(self, start: int, stop: int | None = None) -> Text:
        """A part of it."""
        return Text(self.chars[start:stop], self.columns[start:stop], self.file, self.line)

    def without(self, indexes: Iterable[int]) -> Text:
        """All but some characters."""
        gone = set(indexes)
        kept = [i for i in range(len(self.chars)) if i not in gone]
        return Text("".join(self.chars[i] for i in kept), tuple(self.columns[i] for i in kept), self.file, self.line)

    def stripped(self, chars: str = BLANK) -> Text:
        """Without these characters at both ends."""
        start = len(self.chars) - len(self.chars.lstrip(chars))
        stop = max(start, len(self.chars.rstrip(chars)))
        return self.cut(start, stop)

    def replaced(self, start: int, stop: int, new: str) -> Text:
        """With `new` for a part; its characters are where the part began."""
        column = self.columns[start] if start < len(self.columns) else 1
        return Text(
            self.chars[:start] + new + self.chars[stop:],
            self.columns[:start] + (column,) * len(new) + self.columns[stop:],
            self.file,
            self.line,
        )

    def with_backslash(self, whole: Text) -> Text:
        """With the last character of `whole`, a backslash."""
        return Text(self.chars + "\\", (*self.columns, whole.columns[-1]), self.file, self.line)


def decommented(text: Text, comment: Callable[[Text], None] = lambda _: None) -> tuple[Text, bool]:
    """The line without its comment and outer blanks, and whether a quote is open at its end.

    # and ! begin a comment unless within "..."; a backslash before one of them makes it text, and is removed. A
    quote after a backslash neither begins nor ends a text. A backslash at the end stays: it continues a definition.
    """
    text = text.stripped()
    chars, quote, start, gone, i = text.chars, False, None, [], 0
    while i < len(chars):
        character = chars[i]
        if character == '"' and start is None:
            quote = not quote
        elif character == "\\":
            if i + 1 == len(chars):
                break
            if not quote and start is None and chars[i + 1] in "#!":
                gone.append(i)
            i += 1
        elif character in "#!" and not quote and start is None:
            start = i
        i += 1
    continued = i == len(chars) - 1 and chars[i] == "\\"
    if start is not None:
        comment(text.cut(start))
    kept = text.cut(0, i if continued and start is None else start).without(gone).stripped()
    # a comment hides its own end, but not that the line continues
    return (kept.with_backslash(text) if continued else kept), quote


def split_words(text: Text) -> tuple[list[tuple[Text, bool]], bool]:
    """The words of a line, each with whether it was in "...", and whether a quote did not end (the rest is lost)."""
    found: list[tuple[Text, bool]] = []
    chars, i = text.chars, 0
    while True:
        while i < len(chars) and chars[i] in WHITE:
            i += 1
        if i == len(chars):
            return found, False
        if chars[i] == '"':
            end = chars.find('"', i + 1)
            if end < 0:
                return found, True
            found.append((text.cut(i + 1, end), True))
            i = end + 1
        else:
            end = i
            while end < len(chars) and chars[end] not in WHITE and chars[end] != '"':
                end += 1
            found.append((text.cut(i, end), False))
            i = end
