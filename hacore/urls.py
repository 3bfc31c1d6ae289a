"""Database URLs: what of them may be shown, and what in them is secret.

A password that was written without percent-encoding ends at the last `@`, whatever the database's
own reading: better too much is masked than too little.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

_USERINFO = re.compile(r"(://[^:/?@]*):(.*)@", re.DOTALL)
_QUERY = re.compile(r"([?&]\w*password=)([^&]*)")  # libpq takes `password` and `sslpassword` there, too


def shown_url(url: str) -> str:
    """A database URL without its passwords."""
    return _QUERY.sub(r"\1***", _USERINFO.sub(r"\1:***@", url))


def url_secrets(url: str) -> frozenset[str]:
    """The passwords in a database URL, as they are written there and as they are meant."""
    written = {match[2] for pattern in (_USERINFO, _QUERY) for match in pattern.finditer(url)}
    return frozenset({*written, *map(unquote, written), *map(unquote_plus, written)} - {""})
