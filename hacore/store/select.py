"""The recorded addresses that a selector matches."""

from __future__ import annotations

from collections.abc import Collection

from ..address import Address
from ..errors import UsageError
from ..spelling import suggestion


def matching(recorded: Collection[Address], selector: Address) -> list[Address]:
    """The recorded addresses that a selector matches, in order; raises UsageError, with a guess, for none."""
    found = sorted(address for address in recorded if selector.selects(address))
    if found:
        return found
    known = sorted({text for a in recorded for text in (str(a), str(a.at(None)), a.resource)})
    hint = suggestion(str(selector), known, "`hacore state list` shows the recorded addresses")
    raise UsageError(f"cannot find {selector}: it is not recorded; {hint}")
