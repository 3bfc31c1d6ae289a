"""Values as text: short, on one line."""

from __future__ import annotations

import json
import re
from typing import Any

from ..model import Unknown
from .words import clean, cut

WIDEST = 110
"""Characters of a value on one line."""
LINES = 12
"""Lines that are shown of a longer value or of a new text."""
_ENCODE = json.JSONEncoder(ensure_ascii=False, default=str).encode  # made once: a plan has many values
_HEX = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b")


def show(value: Any) -> str:
    """A value as one line of JSON, shortened hashes, cut at WIDEST characters."""
    if isinstance(value, Unknown):
        return str(value)
    if value is None:
        return "null"
    text = clean(_HEX.sub(r"\1…", _ENCODE(value)))
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}… ({len(text)} characters)"


def show_lines(value: Any) -> list[str]:
    """A value as of `show`; a long list or mapping in several lines, its bracket in the first."""
    if not isinstance(value, list | tuple | dict) or len(show(value)) <= WIDEST:
        return [show(value)]
    lines = clean(json.dumps(value, ensure_ascii=False, indent=2, default=str)).splitlines()
    return cut(lines, LINES)
