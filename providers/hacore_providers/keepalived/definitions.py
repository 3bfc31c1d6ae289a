"""Definitions ($NAME=TEXT) and sequences (~SEQ, ~LST) of keepalived.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .text import BLANK, Text

__all__ = ["Definition", "Sequence", "defined", "list_sequence", "number_sequence", "replaced", "standard"]

_DEFINES = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_USES = re.compile(
    r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)((?: *[0-9][0-9 ]*(?<! ))?)\}|([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|\Z))"
)
_NUMBER = re.compile(r"[ \t]*([+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+))?[ \t]*")
_LIMIT = 1024
"""Bytes of the longest line, after its definitions were replaced."""
_REPLACEMENTS = 1000
"""A definition that names itself would be replaced for ever."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a name stands for: one line, or several if its definition ended with a backslash.

    `parameters`: it may be used as ${NAME 1 2}.
    """

    lines: tuple[str, ...]
    multiline: bool = False
    parameters: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """A line that is read once for each set of values, which become definitions."""

    text: Text
    values: Iterator[Mapping[str, str]]


def standard(folder: str) -> dict[str, Definition]:
    """The definitions that always exist. The values that only a running keepalived knows are left open."""
    return {
        "_PWD": Definition((folder,)),
        "_INSTANCE": Definition(("",)),
        "_RANDOM": Definition(("0",), parameters=True),
        "_HASH": Definition(("#",)),
        "_BANG": Definition(("!",)),
    }


def defined(text: Text) -> tuple[str, str, bool] | None:
    """The name and the value if the line is a definition, and whether the next line belongs to it, too."""
    match = _DEFINES.match(text.chars)
    if match is None:
        return None
    value = text.chars[match.end() :]
    if value.endswith("\\"):
        return match[1], value[:-1].rstrip(BLANK), True
    return match[1], value, False


def replaced(
    text: Text, definitions: Mapping[str, Definition], expand: Callable[[tuple[str, ...]], None]
) -> tuple[Text, bool, str]:
    """The line with its definitions replaced, whether there were any, and a name that was replaced too often.

    Of a definition of several lines the first one is put in; `expand` gets the others, which are read next. Such a
    definition can only end a line.
    """
    start, count, found = 0, 0, False
    while (start := text.chars.find("$", start)) >= 0:
        match = _USES.match(text.chars, start)
        name = (match[1] or match[3]) if match else ""
        definition = definitions.get(name)
        if match is None or definition is None or (match[2] and not definition.parameters):
            start += 1
            continue
        if definition.multiline and match.end() != len(text.chars):
            start += 1
            continue
        value = definition.lines[0] if definition.lines else ""
        count += 1
        if count > _REPLACEMENTS or len(text.chars) + len(value) > _LIMIT:
            return text, found, name
        found = True
        text = text.replaced(match.start(), match.end(), value)
        if definition.multiline:
            expand(definition.lines[1:])
        if value.lstrip(BLANK).startswith("~"):
            break
    return text, found, ""


def number_sequence(text: Text, definitions: Mapping[str, Definition]) -> Sequence | None:
    """~SEQ(var, [start, [step,]] end) TEXT, ~SEQx for hexadecimal numbers; None if it is not one."""
    match = re.match(r"~SEQ(x?)[ \t]*\([ \t]*([^ \t,)]+)[ \t]*,[ \t]*", text.chars)
    end = text.chars.find(")", match.end()) if match else -1
    if match is None or end < 0:
        return None
    inside, _, _ = replaced(text.cut(match.end(), end + 1), definitions, lambda _: None)
    numbers = [_NUMBER.fullmatch(part) for part in inside.chars[:-1].split(",")]
    if not inside.chars.endswith(")") or not all(numbers) or len(numbers) > 3:
        return None
    given = [_integer(number[1]) for number in numbers if number is not None]
    if len(given) == 1:
        last = given[0]
        first, step = (-1 if last < 0 else 1), (-1 if last < 1 else 1)
    elif len(given) == 2:
        first, last = given
        step = 1 if first <= last else -1
    else:
        first, step, last = given
        if not step or (first < last and step < 0) or (first > last and step > 0):
            return None
    if match[1] and (first < 0 or last < 0):
        return None
    write = (lambda n: f"{n:x}") if match[1] else str
    values = ({match[2]: write(n)} for n in _counted(first, step, last))
    return Sequence(text.cut(end + 1).stripped(), values)


def _integer(text: str | None) -> int:
    """A number as strtol(3) reads it with base 0: 0x is hexadecimal, 0 octal; a missing one is 0."""
    if text is None:
        return 0
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-")
    if digits[:2].lower() == "0x":
        return sign * int(digits, 16)
    if digits.startswith("0"):
        octal = re.match("[0-7]*", digits)
        return sign * int((octal[0] if octal else "") or "0", 8)
    return sign * int(digits[:20])


def _counted(first: int, step: int, last: int) -> Iterator[int]:
    yield first
    number = first + step
    while (step > 0 and number <= last) or (step < 0 and number >= last):
        yield number
        number += step


def list_sequence(text: Text) -> Sequence | None:
    """~LST(var, value, ...) TEXT or ~LST({var, ...}, {value, ...}, ...) TEXT; None if it is not one."""
    opening = re.match(r"~LST[ \t]*\([ \t]*", text.chars)
    if opening is None:
        return None
    names, at = _set(text.chars, opening.end(), "")
    if not names or text.chars[at : at + 1] != ",":
        return None
    sets: list[dict[str, str]] = []
    while text.chars[at : at + 1] == ",":
        values, at = _set(text.chars, at + 1, ")")
        if values is None or len(values) > len(names):
            return None
        sets.append(dict(zip(names, [*values, *[""] * (len(names) - len(values))], strict=True)))
    if text.chars[at : at + 1] != ")":
        return None
    return Sequence(text.cut(at + 1).stripped(), iter(sets))


def _set(chars: str, at: int, end: str) -> tuple[list[str] | None, int]:
    """One word, or several in braces, from `at` on; and the index behind them and the blanks after them."""
    match = re.compile(r"[ \t]*\{([^}]*)\}[ \t]*").match(chars, at)
    if match is not None:
        return [part.strip(BLANK) for part in match[1].split(",")], match.end()
    match = re.compile(rf"[ \t]*([^ \t,}}{re.escape(end)}]*)[ \t]*").match(chars, at)
    return ([match[1]], match.end()) if match is not None else (None, at)
