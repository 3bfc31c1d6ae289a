"""Versions of the schema: the one that this hacore writes, and those that it reads."""

from __future__ import annotations

from ..errors import StoreError

HEAD = "0003"
READABLE = frozenset({"0001", "0002", "0003"})
WITH_HISTORY = "0002"  # the first with a history
WITH_STATE_ID = "0003"  # the first of which a database has many states


def check_readable(found: str, name: str) -> None:
    """Raise StoreError that names the next step when `found` cannot be read."""
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
