"""Redaction: the last door before anything is printed.

What is sensitive is masked where it is known to be (plans say "(sensitive)"). This is for the rest:
a program's output in an error, a log line, a traceback.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote as url_quote

MASK = "(sensitive)"
SHORTEST = 4
"""Shorter secrets are not looked for: they would blot out half of every text."""
_LINE = 8  # of a secret of several lines, each line of at least this length is one, too
_KEY = re.compile(r"[a-z_]+\Z")  # keys of our own JSON formats


class Redactor:
    """Replaces secrets in whatever is shown; `add` them as they become known."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Look for these as well, in each form in which they could be printed."""
        before = len(self._forms)
        for secret in secrets:
            self._forms.update(form for form in _forms(secret) if len(form) >= SHORTEST)
        if len(self._forms) > before:
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(re.escape(form) for form in longest_first))

    def text(self, text: str) -> str:
        """The text with a mask in place of each secret."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def data(self, value: Any) -> Any:
        """The same for JSON: strings within it, and keys that are not a format's own."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {k if _KEY.match(k) else self.text(k): self.data(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield shlex.quote(secret)
    yield url_quote(secret, safe="")
    yield from (line.strip() for line in secret.splitlines() if len(line.strip()) >= _LINE)
