"""All mistakes of a stack, each reported once and without secrets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from ..errors import Problem, StackError
from ..spelling import closest
from .stack import Position


class Problems:
    """Collects mistakes. The same mistake of several instances is one problem of their resource."""

    def __init__(self) -> None:
        self._found: dict[tuple[Position, str], list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, position: Position, message: str, address: str = "") -> None:
        """Add a mistake."""
        addresses = self._found.setdefault((position, message), [])
        if address not in addresses:
            addresses.append(address)

    def take(self, others: Problems, *, ignoring: str) -> None:
        """Add the mistakes of `others`, but for those of which the message has `ignoring`."""
        for (position, message), addresses in others._found.items():
            if ignoring not in message:
                for address in addresses:
                    self.add(position, message, address)

    def error(self, secrets: Iterable[str] = ()) -> StackError:
        """All of them as an error, with every secret masked."""
        mask = masker(secrets)
        return StackError(
            [
                Problem(where.file, where.line, where.column, mask(message), mask(_common(addresses)))
                for (where, message), addresses in self._found.items()
            ]
        )


def _common(addresses: list[str]) -> str:
    """One address for all: the only one, else their common resource, else the first."""
    if len(addresses) == 1:
        return addresses[0]
    stems = {re.split(r"[\[@]", address, maxsplit=1)[0] for address in addresses}
    return stems.pop() if len(stems) == 1 else addresses[0]


class masker:  # noqa: N801 - used as a function
    """Masks secrets in a text: those of three characters only as a word, shorter ones only in quotes.

    Short texts are part of every sentence: masked everywhere they would make it unreadable, and still be guessed.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # also as messages quote them
        forms = {form for secret in secrets for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]) if form}
        parts = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]
        self._pattern = re.compile("|".join(parts)) if parts else None

    def __call__(self, text: str) -> str:
        """The text with "(sensitive)" in place of each secret."""
        return text if self._pattern is None else self._pattern.sub("(sensitive)", text)


def _pattern(form: str) -> str:
    text = re.escape(form)
    if len(form) > 3:
        return text
    return rf"(?<!\w){text}(?!\w)" if len(form) == 3 else rf"(?:(?<=['\"`]){text}(?=['\"`]))"


def suggest(wrong: str, known: Iterable[str], what: str = "") -> str:
    """A correction: the closest known name, else the known names."""
    names = sorted(set(known))
    close = closest(wrong, names)
    if close is not None:
        return f"did you mean {close!r}?"
    if not names:
        return f"there are no {what}" if what else "none is known"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known {what} are {shown}" if what else f"known are {shown}"


def described(value: Any) -> str:
    """A value in words: its type, and itself if it is short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return f"the integer {value}"
        case float():
            return f"the number {value}" if math.isfinite(value) else f"{value}"
        case str():
            return f"the string {value!r}" if len(value) <= 60 else "a long string"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"a {type(value).__name__}"
