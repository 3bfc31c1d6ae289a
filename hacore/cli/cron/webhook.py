"""A POST of JSON to a webhook."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ...errors import HacoreError, UsageError

PATIENCE = 10.0  # seconds


def checked_url(url: str) -> str:
    """A URL that can be posted to; raises UsageError. It may contain a secret, so it is never printed."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("cannot post to the webhook: the URL must start with http:// or https://")
    return url


def post(url: str, data: Any) -> None:
    """POST `data` as JSON; raises HacoreError that names the host unless the answer is a 2xx."""
    body = json.dumps(data, ensure_ascii=False, default=str).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "hacore"}
    host = urlsplit(url).hostname
    try:
        urlopen(Request(url, body, headers), timeout=PATIENCE).close()  # noqa: S310 - the scheme is checked
    except HTTPError as error:
        error.close()
        raise HacoreError(f"cannot post to the webhook at {host}: HTTP status {error.code}") from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise HacoreError(f"cannot post to the webhook at {host}: {reason}") from None
