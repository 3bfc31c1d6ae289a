"""The secrets of a stack, by their values: what must not be stored, sent as an event, or shown.

Two doors use it: `scrub` for free text (messages, the output of programs), `holds` for values of rows that are then
stored as a keyed HMAC. The secrets are the values of sensitive variables, and of each expression that names one: what
a filter or a concatenation made of it, without the literal text around the expression.

A value of less than `SHORTEST` characters is not searched for in other text: `80`, `true` or `root` as a password
would destroy it, and could be guessed all the same. It is hidden where it stands, by the path of its field.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

MASK = "(sensitive)"
SHORTEST = 6
"""Characters of the shortest secret that is masked within other text."""
_LINE = 8
"""Each line of at least this length in a secret of several lines is a secret as well: programs quote lines."""
_KEY = re.compile(r"[a-z_]+\Z")  # keys of our own JSON formats


class Secrets:
    """A growing set of secrets, and what to do about them in a text."""

    __slots__ = ("_forms", "_pattern", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Mask these as well, in each form in which they could be printed."""
        fresh = {value for value in values if value} - self._values
        if not fresh:
            return
        self._values |= fresh
        forms = {form for value in fresh for form in _forms(value) if len(form) >= SHORTEST}
        if not forms <= self._forms:
            self._forms |= forms
            self._pattern = None

    def _compiled(self) -> re.Pattern[str] | None:
        if self._pattern is None and self._forms:
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(re.escape(form) for form in longest_first))
        return self._pattern

    @property
    def values(self) -> frozenset[str]:
        """The secrets themselves, short ones included."""
        return frozenset(self._values)

    def scrub(self, text: str) -> str:
        """The text with a mask in place of each secret. Cut a text only afterwards: half a secret is not found."""
        pattern = self._compiled()
        return text if pattern is None else pattern.sub(MASK, text)

    def scrub_data(self, value: Any) -> Any:
        """The same for all strings within JSON, and for keys that are not part of a format of ours."""
        if self._compiled() is None:
            return value
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, Mapping):
            return {k if _KEY.match(k) else self.scrub(k): self.scrub_data(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.scrub_data(item) for item in value]
        return value

    def holds(self, value: Any) -> bool:
        """Whether a secret is in some string of a value."""
        pattern = self._compiled()
        if pattern is None:
            return False
        if isinstance(value, str):
            return pattern.search(value) is not None
        if isinstance(value, Mapping):
            return any(self.holds(key) or self.holds(item) for key, item in value.items())
        return isinstance(value, list | tuple) and any(map(self.holds, value))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield shlex.quote(secret)
    yield quote(secret, safe="", errors="replace")
    yield from (line.strip() for line in secret.splitlines() if len(line.strip()) >= _LINE)


def masked(values: Mapping[str, Any], sensitive: Collection[str]) -> dict[str, Any]:
    """The values by name, with a mask in place of the sensitive ones."""
    return {name: MASK if name in sensitive else value for name, value in values.items()}


def strings_in(value: Any) -> Iterator[str]:
    """All strings and numbers in a value, as strings; true, false and null reveal nothing."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from strings_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from strings_in(entry)
