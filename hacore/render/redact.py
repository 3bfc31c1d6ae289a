"""Redaction: the last filter before output.

Sensitive values are masked where they are known as such (plans show "(sensitive)"). This filter is for the rest:
the output of a program in an error, a log line, a traceback.
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
"""Shorter secrets are not masked: they would match in every text."""
_LINE = 8  # each line of at least this length in a secret of several lines is a secret, too
_KEY = re.compile(r"[a-z_]+\Z")  # keys of our own JSON formats


class Redactor:
    """Replaces secrets in all output; `add` them as they become known."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these as well, in each form in which they could be printed."""
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
        """Mask the strings within JSON, and keys that are not part of a format."""
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
