"""Strings and integers that a stack may hold: those that UTF-8 can encode and that can be printed.

What fails here would fail later, with no place to name: in the state's JSON, in a script, in a message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DIGITS = 1000
"""Digits of an integer at most. Python itself prints 4300 (CVE-2020-10735); nothing on a host has that many."""

_BITS = math.floor(DIGITS * math.log2(10))


def scalar_fault(value: object) -> str:
    """Why a string or an integer cannot be used, as the predicate of a sentence; empty when it can be.

    An escape (`"\\ud800"`) or a byte of the command line that is not UTF-8 gives a lone surrogate.
    """
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                code = ord(value[error.start])
                return f"cannot be encoded in UTF-8: character {error.start + 1} is the lone surrogate U+{code:04X}"
    elif isinstance(value, int) and value.bit_length() > _BITS:
        return f"is too large: an integer has at most {DIGITS} digits"
    return ""


def data_fault(value: Any) -> str:
    """The same for all strings (keys as well) and integers in a JSON value: the first fault."""
    if isinstance(value, Mapping):
        return next((fault for item in (*value, *value.values()) if (fault := data_fault(item))), "")
    if isinstance(value, list | tuple):
        return next((fault for item in value if (fault := data_fault(item))), "")
    return scalar_fault(value)
