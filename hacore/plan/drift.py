"""Drift: how a host differs from what is recorded of it."""

from __future__ import annotations

from typing import Any

from ..contract import Observed
from ..diff import compare, same
from ..model import Row
from .sealing import Seal, seal_attrs
from .types import Drift


def drift_of(row: Row, observed: Observed | None, seal: Seal) -> Drift | None:
    """How a host differs from its row; None when it does not. The row's sensitive attrs are compared by HMAC."""
    now = seal_attrs(None if observed is None else observed.attrs, row.sensitive, seal)
    ignored = row.lifecycle.ignore_changes
    if same(now, row.attrs, ignored):
        return None
    attrs = compare(row.attrs, _governed(now, row), sensitive=row.sensitive, ignore=ignored)
    again = observed is not None and row.attrs is None
    reason = "was deleted" if observed is None else ("exists again" if again else "")
    return Drift(row.address, attrs, reason, row.address.host, gone=observed is None, again=again)


def _governed(now: dict[str, Any] | None, row: Row) -> dict[str, Any] | None:
    if now is None or row.attrs is None:
        return now
    return {key: now.get(key) for key in row.attrs}
