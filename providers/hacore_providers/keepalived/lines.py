"""The lines that keepalived parses, made of those that its files have.

    file -> comments removed -> @ID conditions -> $NAME= definitions -> ~SEQ, ~LST -> $NAME replaced -> include
         -> each { and } outside of "..." is a line of its own

Where lines come from, the first that has one: the rest of a line after a brace; the sequence that was begun last; the
further lines of a definition; the file. Measured and read with keepalived 2.2.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath

from .definitions import Definition, Sequence, defined, list_sequence, number_sequence, replaced, standard
from .document import Comment, Fault, Files, Place
from .text import BLANK, Text, decommented

__all__ = ["Lines"]

_INCLUDE = re.compile(r"include([rmwba]?)[ \t\f\v\r]+")
_BUFFER = 1023
"""Bytes of the longest line; keepalived reads the rest of a longer one as the next line."""
_MOST = 100_000
"""Lines that sequences and definitions may produce."""
_DEPTH = 20
"""Files that may include each other; keepalived ends at the number of open files."""
_BOM = "\ufeff"


@dataclass(slots=True)
class _File:
    """A file that is being read."""

    path: str
    lines: Iterator[tuple[int, int, str]]  # line, first column, text


@dataclass(slots=True)
class _Expansion:
    """The lines of a definition that are still to be read, and how many sequences had begun before it."""

    lines: list[Text]
    sequences: int


@dataclass(slots=True)
class Lines:
    """The lines of a configuration for the host with the id `config_id`; what was seen on the way is in the fields."""

    files: Files
    config_id: str | None
    faults: list[Fault] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    ids: dict[str, Place] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    includes: list[tuple[str, Place]] = field(default_factory=list)
    _definitions: dict[str, Definition] = field(default_factory=dict)
    _stack: list[_File] = field(default_factory=list)
    _sequences: list[Sequence] = field(default_factory=list)
    _expansions: list[_Expansion] = field(default_factory=list)
    _residue: Text | None = None
    _made: int = 0
    _defining: str = ""

    def of(self, path: str, data: bytes) -> Iterator[Text]:
        """All lines, each of them not empty; a brace outside of quotes is a line of its own."""
        self._definitions = standard(str(PurePath(path).parent))
        self._open(path, data)
        while (text := self._next()) is not None:
            if self._defining:
                self._define_more(text)
                continue
            ready = self._prepared(text)
            if ready is not None and not self._included(ready):
                yield self._split(ready)

    def fault(self, rule: str, message: str, at: Place) -> None:
        """Note a fault of the text."""
        self.faults.append(Fault(rule, message, at))

    def _open(self, path: str, data: bytes) -> None:
        self.read.append(path)
        self._stack.append(_File(path, self._physical(path, data)))

    def _physical(self, path: str, data: bytes) -> Iterator[tuple[int, int, str]]:
        """The lines of a file as fgets(3) gives them: a long one in parts, and nothing behind a NUL."""
        for number, raw in enumerate(data.split(b"\n"), 1):
            first, rest = 1, raw
            while True:
                part, rest = rest[:_BUFFER], rest[_BUFFER:]
                text = part.decode("utf-8", "surrogateescape")
                self._odd(text, Place(path, number, first))
                yield number, first, text.partition("\0")[0].rstrip("\r\n")
                first += len(text)
                if not rest:
                    break
                self.fault(
                    "line-too-long",
                    f"the line has {len(raw)} bytes: keepalived reads what follows the first {_BUFFER} as another line",
                    Place(path, number, first),
                )

    def _odd(self, text: str, at: Place) -> None:
        if "\0" in text:
            column = at.column + text.index("\0")
            message = "a NUL byte: keepalived ignores the rest of the line"
            self.fault("nul-byte", message, Place(at.file, at.line, column))
        if at.line == 1 and text.startswith(_BOM):
            message = "a byte order mark: keepalived reads it as part of the first keyword; save the file without it"
            self.fault("byte-order-mark", message, at)

    def _next(self) -> Text | None:
        """The next line that is not empty, from the first source that has one."""
        if self._residue is not None:
            text, self._residue = self._residue, None
            return text
        top = self._expansions[-1] if self._expansions else None
        if len(self._sequences) > (top.sequences if top else 0):
            return self._from_sequence()
        if top is not None:
            text = top.lines.pop(0)
            if not top.lines:
                self._expansions.pop()
            return text
        while self._stack:
            file = self._stack[-1]
            for number, first, line in file.lines:
                text = self._bare(Text.of_line(line, file.path, number, first))
                if text.chars or (self._defining and not line):
                    return text
            self._stack.pop()
            if self._stack:
                self._definitions["_PWD"] = Definition((str(PurePath(self._stack[-1].path).parent),))
        return None

    def _bare(self, text: Text) -> Text:
        bare, open_quote = decommented(text, lambda c: self.comments.append(Comment(c.chars, c.at(0))))
        if open_quote:
            last = bare.at(bare.chars.rfind('"'))
            self.fault("quote-not-closed", 'the quote does not end: close it with " in the same line', last)
        return bare

    def _from_sequence(self) -> Text:
        sequence = self._sequences[-1]
        values = next(sequence.values, None)
        self._made += 1
        if values is None or self._made > _MOST:
            if values is not None:
                self.fault("too-many-lines", f"more than {_MOST} lines come of sequences", sequence.text.at(0))
            self._sequences.pop()
            return sequence.text.cut(0, 0)
        self._definitions.update({name: Definition((value,)) for name, value in values.items()})
        return sequence.text

    def _define_more(self, text: Text) -> None:
        """A further line of a definition that ended with a backslash."""
        name, going_on = self._defining, text.chars.endswith("\\")
        line = text.chars[:-1].rstrip(BLANK) if going_on else text.chars
        lines = self._definitions[name].lines
        if line:
            lines = (*lines, line)
        self._definitions[name] = Definition(lines, multiline=bool(lines))
        if not going_on:
            self._defining = ""

    def _prepared(self, text: Text) -> Text | None:
        """The line with conditions and definitions carried out; None if nothing is left to parse."""
        while text.chars:
            if text.chars[0] == "@":
                chosen = self._conditional(text)
                if chosen is None:
                    return None
                text = chosen
            definition = defined(text)
            if definition is not None:
                name, value, more = definition
                self._definitions[name] = Definition((value,) if value or not more else (), multiline=more)
                self._defining = name if more else ""
                return None
            if text.chars.startswith(("~SEQ", "~LST")):
                self._begin(text)
                return None
            if text.chars[:1] == "~" or "$" not in text.chars:
                break
            new, found, too_often = replaced(text, self._definitions, partial(self._expand, text))
            if too_often:
                message = f"the line becomes too long with ${too_often}, which may contain itself: keepalived drops it"
                self.fault("definition-too-long", message, text.at(0))
                return None
            if not found:
                break
            text = self._bare(new)
            if text.chars[:1] != "@" and "$" not in text.chars:
                break
        return text if text.chars else None

    def _conditional(self, text: Text) -> Text | None:
        """The rest of a line @ID or @^ID if it is for this host."""
        match = re.match(r"@(\^?)([^ \t]*)[ \t]+", text.chars)
        if match is None:
            return None
        self.ids.setdefault(match[2], text.at(0))
        if (match[2] == self.config_id) == bool(match[1]):
            return None
        return text.cut(match.end())

    def _begin(self, text: Text) -> None:
        sequence = number_sequence(text, self._definitions) if text.chars[1] == "S" else list_sequence(text)
        if sequence is None:
            self.fault("bad-sequence", f"keepalived cannot read this {text.chars[:4]}, and drops the line", text.at(0))
        else:
            self._sequences.append(sequence)

    def _expand(self, use: Text, lines: tuple[str, ...]) -> None:
        self._made += len(lines)
        if self._made > _MOST:
            self.fault("too-many-lines", f"more than {_MOST} lines come of definitions", use.at(0))
        elif lines:
            column = use.at(0).column
            texts = [Text(line, (column,) * len(line), use.file, use.line) for line in lines]
            self._expansions.append(_Expansion(texts, len(self._sequences)))

    def _included(self, text: Text) -> bool:
        """Whether the line is an include; its files are read next."""
        match = _INCLUDE.match(text.chars)
        if match is None:
            return False
        pattern, at = text.chars[match.end() :], text.at(0)
        self.includes.append((pattern, at))
        found = list(self.files(pattern, str(PurePath(text.file).parent)))
        if not found:
            self.fault("include-missing", f"no file matches {pattern}", at)
        for path, data in reversed(found):
            if len(self._stack) >= _DEPTH or any(file.path == path for file in self._stack):
                self.fault("include-loop", f"{path} includes itself", at)
            else:
                self._open(path, data)
                self._definitions["_PWD"] = Definition((str(PurePath(path).parent),))
        return True

    def _split(self, text: Text) -> Text:
        """The part up to the next brace outside of "..."; the rest is the next line."""
        chars, i = text.chars, 0
        if chars[0] in "{}":
            self._keep(text.cut(1))
            return text.cut(0, 1)
        while i < len(chars):
            if chars[i] == '"':
                end = chars.find('"', i + 1)
                if end < 0:
                    break
                i = end
            elif chars[i] in "{}":
                self._keep(text.cut(i))
                return text.cut(0, i).stripped()
            i += 1
        return text.stripped()

    def _keep(self, rest: Text) -> None:
        rest = rest.stripped()
        self._residue = rest if rest.chars else None
