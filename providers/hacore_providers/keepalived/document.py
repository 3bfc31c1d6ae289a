"""The values that the reader returns: statements with their words, blocks, and places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Comment", "Document", "Fault", "Files", "Place", "Statement", "Word", "no_files"]

Files = Callable[[str, str], Sequence[tuple[str, bytes]]]
"""What an `include` reads: (pattern, folder of the including file) -> (path, content) of each file that matches."""


def no_files(pattern: str, folder: str) -> Sequence[tuple[str, bytes]]:  # noqa: ARG001 - the type is Files
    """The files of a configuration without includes."""
    return ()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; `line` and `column` begin at 1, `column` counts characters."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        """As compilers and editors write it: file:line:column."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Word:
    """One word, without its quotes."""

    text: str
    at: Place
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A keyword with its values, and its block if it has one.

    `raw` is the line as keepalived keeps it: without comments, definitions replaced. Commands are read from it,
    because their quotes follow other rules (`command`).
    """

    words: tuple[Word, ...]
    raw: str
    at: Place
    block: tuple[Statement, ...] | None = None
    end: Place | None = None

    @property
    def keyword(self) -> str:
        """The first word; empty if an unclosed quote left none."""
        return self.words[0].text if self.words else ""

    @property
    def values(self) -> tuple[str, ...]:
        """The words after the keyword."""
        return tuple(word.text for word in self.words[1:])

    @property
    def value(self) -> str:
        """The first value; empty if there is none."""
        return self.words[1].text if len(self.words) > 1 else ""

    def all(self, *keywords: str) -> Iterator[Statement]:
        """The statements of the block with one of these keywords, in their order."""
        return (inner for inner in self.block or () if inner.keyword in keywords)

    def last(self, *keywords: str) -> Statement | None:
        """The last statement of the block with one of these keywords: it is the one that counts."""
        found = None
        for inner in self.all(*keywords):
            found = inner
        return found


@dataclass(frozen=True, slots=True)
class Comment:
    """The text from # or ! to the end of its line, with that character."""

    text: str
    at: Place


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the text that keepalived cannot read, or reads as something else; `rule` names the kind."""

    rule: str
    message: str
    at: Place


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration: all that its files contain for the host with this `config_id`.

    `ids`: the names after @ and @^, with the place of the first: lines for some hosts only.
    `files`: all files that were read, in their order, the first one first; `includes`: the patterns.
    """

    statements: tuple[Statement, ...]
    faults: tuple[Fault, ...] = ()
    comments: tuple[Comment, ...] = ()
    ids: dict[str, Place] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    includes: tuple[tuple[str, Place], ...] = ()

    def all(self, *keywords: str) -> Iterator[Statement]:
        """The statements outside of blocks with one of these keywords, in their order."""
        return (statement for statement in self.statements if statement.keyword in keywords)
