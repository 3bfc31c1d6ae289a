"""Database URLs without their secrets, and the secrets in them; the paths of file URLs.

A password without percent-encoding ends at the last `@`, even if the database parses it in another way:
too much is masked rather than too little.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, unquote_plus, urlsplit

_USERINFO = re.compile(r"(://[^:/?@]*):(.*)@", re.DOTALL)
_QUERY = re.compile(r"([?&]\w*password=)([^&]*)")  # libpq reads `password` and `sslpassword` there as well


def shown_url(url: str) -> str:
    """A database URL without its passwords."""
    return _QUERY.sub(r"\1***", _USERINFO.sub(r"\1:***@", url))


def url_secrets(url: str) -> frozenset[str]:
    """The passwords in a database URL, as written and decoded."""
    written = {match[2] for pattern in (_USERINFO, _QUERY) for match in pattern.finditer(url)}
    return frozenset({*written, *map(unquote, written), *map(unquote_plus, written)} - {""})


def file_of(url: str) -> Path:
    """The path that a `file:` URL names (RFC 8089)."""
    return Path(unquote(urlsplit(url).path))
