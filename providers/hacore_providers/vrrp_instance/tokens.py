"""The tokens of keepalived.conf: the only way from a value into the file.

keepalived.conf(5) has no escapes. What was measured with keepalived 2.2.7:

    outside of quotes   a blank ends a word; # and ! begin a comment, also within a word; { and } are blocks
    within "..."        all of these are text; the quote ends at the next ", also at one after a backslash
    everywhere          $NAME and ${NAME} are replaced by a definition ($_PWD and ${_INSTANCE} always exist)
    first in a line     @ID makes the line conditional; $NAME= defines; include reads another file
    a backslash at the end continues the line

So a value that would be anything but the word or the quoted text that it is meant to be is refused: by the rules
of a stack (check_text.py), where its position is known, and again by each function here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

__all__ = [
    "UnsafeTextError",
    "command_fault",
    "line_fault",
    "number",
    "outside_quotes",
    "quoted",
    "quoted_fault",
    "raw_faults",
    "word",
    "word_fault",
    "words",
]

_BARE = re.compile(r"[\s\"'\\{}#!$]")
_DEFINITION = re.compile(r"\$[A-Za-z_{]")
_SHELL = re.compile(r"(?:^|\s)(&&|\|\|?|&|;|(?:\d|&)?>>?(?:&?\d|/\S*)?|<)(?=\s|$)")
"""What only a shell reads as more than an argument: operators and redirections that stand alone."""

_SEQUENCE = re.compile(r"~(SEQ|LST)\b")
_INCLUDE = re.compile(r"include\w*\Z")


class UnsafeTextError(ValueError):
    """A value that keepalived.conf cannot hold: keepalived would read something else."""


def word_fault(text: str) -> str:
    """Why `text` cannot be one word, as a clause without the value (it may be secret); empty if it can.

    A word is printable and has no blank, quote, backslash, brace, `#`, `!` or `$`. It does not begin with `@`.
    """
    if not text:
        return "it is empty; write one word"
    for character in text:
        if _BARE.match(character) or not character.isprintable():
            return f"keepalived.conf cannot contain {_name(character)} in a word; remove it"
    if text.startswith("@"):
        return "keepalived reads @ at the beginning as a condition; remove it"
    return _sequence_fault(text)


def line_fault(text: str, *, most: int = 0) -> str:
    """Why `text` cannot be words with single spaces between them (at most `most`, if given); empty if it can."""
    parts = text.split(" ")
    if most and len(parts) > most:
        return f"it has {len(parts)} words; write at most {most}"
    for part in filter(None, parts):
        fault = word_fault(part)
        if fault:
            return fault
    if "" in parts:
        return "write one or several words with single spaces between them"
    if _INCLUDE.match(parts[0]):
        return f"keepalived would read another file; remove the word {parts[0]}"
    return ""


def quoted_fault(text: str) -> str:
    """Why `text` cannot be one text in double quotes, as a clause without the value; empty if it can."""
    if not text:
        return "it is empty; write a text"
    for character in text:
        if character in '"\\' or not character.isprintable():
            return f"keepalived.conf cannot contain {_name(character)} in a quoted text; remove it"
    if _DEFINITION.search(text):
        return "keepalived replaces $NAME itself; move the command into a script file"
    return _sequence_fault(text)


def command_fault(text: str) -> str:
    """The same for a command: an absolute path and its arguments; single quotes keep an argument together."""
    if not text.startswith("/"):
        return "write an absolute path and its arguments"
    if text.count("'") % 2:
        return "a single quote does not end; close it with '"
    shell = _SHELL.search(re.sub(r"'[^']*'", "''", text))
    if shell:
        return f"keepalived starts it without a shell, so {shell[1]} is an argument; move it into a script file"
    return quoted_fault(text)


def _sequence_fault(text: str) -> str:
    return "keepalived expands ~SEQ and ~LST; write each value" if _SEQUENCE.search(text) else ""


def raw_faults(lines: Iterable[str], closes: str = "the block of the instance") -> Iterator[str]:
    """Why raw lines are not lines within one block, as predicates of a sentence.

    Quotes and comments are read as keepalived reads them: a brace in one of them is not a brace. `closes` names what
    a brace too many would close.
    """
    depth = 0
    for position, line in enumerate(lines, 1):
        where = f"has a line {position}, {line.strip()!r}, "
        if not line.replace("\t", " ").isprintable():
            yield f"{where}with a control character or an invisible one: remove it"
            return
        bare, closed = outside_quotes(line)
        if not closed:
            yield f'{where}with a quote that does not end: close it with "'
            return
        if line.rstrip().endswith("\\"):
            yield f"{where}that ends with a backslash, which would continue it: write it as one line"
            return
        first = line.lstrip()
        if first.startswith(("@", "$", "~")):
            yield f"{where}that begins with {first[0]}: hacore writes the file of each host; remove it"
            return
        for character in bare:
            depth += {"{": 1, "}": -1}.get(character, 0)
            if depth < 0:
                yield f"{where}with a }} that closes {closes}: unbalanced braces"
                return
    if depth:
        yield f"has unbalanced braces: {depth} more {{ than }}"


def outside_quotes(line: str, *, keep: bool = False) -> tuple[str, bool]:
    """The part of a line that is neither in quotes nor in a comment, and whether the last quote is closed.

    `keep` keeps quotes and their texts, with _ for what would be a blank, a brace or a comment outside of them.
    """
    bare, inside = "", False
    for character in line:
        if character == '"':
            inside = not inside
            bare += character if keep else ""
        elif inside:
            bare += ("_" if _BARE.match(character) else character) if keep else ""
        else:
            if character in "#!":
                break
            bare += character
    return bare, not inside


def _name(character: str) -> str:
    named = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a carriage return"}
    if character in named:
        return named[character]
    return character if character.isprintable() else f"U+{ord(character):04X}"


def word(text: str) -> str:
    """`text` as one word. Raises UnsafeTextError if it cannot be one."""
    return _checked(text, word_fault(text))


def words(text: str) -> str:
    """`text` as the words of one line. Raises UnsafeTextError if it cannot be that."""
    return _checked(text, line_fault(text))


def quoted(text: str) -> str:
    """`text` in double quotes. Raises UnsafeTextError if it cannot be written so."""
    return f'"{_checked(text, quoted_fault(text))}"'


def number(value: float) -> str:
    """A number in its shortest form. Raises UnsafeTextError for infinity and NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UnsafeTextError(f"cannot write a value into keepalived.conf: {value} is not a number")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _checked(text: str, fault: str) -> str:
    if fault:
        raise UnsafeTextError(f"cannot write a value into keepalived.conf: {fault}")
    return text
