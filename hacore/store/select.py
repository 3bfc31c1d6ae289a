"""The recorded addresses that a selector matches."""

from __future__ import annotations

from collections.abc import Collection

from ..address import Address
from ..errors import UsageError


def matching(recorded: Collection[Address], selector: Address) -> list[Address]:
    """The recorded addresses that a selector matches, in order; raises UsageError, with a guess, for none."""
    found = sorted(address for address in recorded if selector.selects(address))
    if found:
        return found
    from difflib import get_close_matches

    known = sorted({text for a in recorded for text in (str(a), str(a.at(None)), a.resource)})
    close = get_close_matches(str(selector), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`hacore state list` shows all addresses"
    raise UsageError(f"cannot find {selector}: it is not recorded; {hint}")
