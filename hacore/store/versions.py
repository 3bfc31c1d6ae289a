"""Versions of the schema: which one this hacore writes, and which ones it reads as they are."""

from __future__ import annotations

from ..errors import StoreError

HEAD = "0002"
READABLE = frozenset({"0001", "0002"})
WITH_HISTORY = "0002"  # the first that keeps what was before


def check_readable(found: str, name: str) -> None:
    """Raise StoreError that tells what to do when `found` cannot be read as it is."""
    if found in READABLE:
        return
    if found < HEAD:
        raise StoreError(
            f"cannot read the state {name}: an older hacore wrote it (schema {found}); the next apply upgrades it"
        )
    raise newer(found, name)


def newer(found: str, name: str) -> StoreError:
    """The error for a schema that this hacore does not know."""
    return StoreError(
        f"cannot use the state {name}: a newer hacore wrote it (schema {found}, known is {HEAD}); update hacore"
    )
