"""Drift: how a host differs from what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract import Desired, Observed
from ..diff import compare, same
from ..model import Row
from .sealing import Seal, seal_attrs
from .types import Drift


def drift_of(row: Row, observed: Observed | None, seal: Seal, desired: Desired | None = None) -> Drift | None:
    """How a host differs from its row; None when it does not. The row's sensitive attrs are compared by HMAC.

    `desired`: has the text behind an attribute that is as recorded, for hunks; a state has hashes only.
    """
    now = seal_attrs(None if observed is None else observed.attrs, row.sensitive, seal)
    ignored = row.lifecycle.ignore_changes
    if same(now, row.attrs, ignored):
        return None
    texts = recorded_texts(row, desired, seal)
    attrs = compare(
        row.attrs,
        _governed(now, row),
        before_texts=texts,
        after_texts=_found_texts(observed, texts),
        sensitive=row.sensitive,
        masked=texts.keys(),
        ignore=ignored,
    )
    again = observed is not None and row.attrs is None
    reason = "was deleted" if observed is None else ("exists again" if again else "")
    changed = None if observed is None else observed.info.get("mtime")
    return Drift(
        row.address,
        attrs,
        reason,
        row.address.host,
        gone=observed is None,
        again=again,
        changed=float(changed) if isinstance(changed, int | float) else None,
    )


def recorded_texts(row: Row, desired: Desired | None, seal: Seal) -> dict[str, str]:
    """The texts of what is recorded: those of a desired state that has the recorded value, and is not sensitive.

    Where secrets are masked in the text the value cannot be compared: a recorded spec has their HMAC.
    """
    if desired is None or desired.attrs is None or row.attrs is None:
        return {}
    values = seal_attrs(desired.attrs, row.sensitive, seal) or {}
    return {
        key: text
        for key, text in desired.texts.items()
        if key in desired.masked
        or (key not in row.sensitive and key in values and key in row.attrs and values[key] == row.attrs[key])
    }


def _found_texts(observed: Observed | None, texts: Mapping[str, str]) -> dict[str, str]:
    return {} if observed is None else {key: text for key, text in observed.texts.items() if key in texts}


def _governed(now: dict[str, Any] | None, row: Row) -> dict[str, Any] | None:
    if now is None or row.attrs is None:
        return now
    return {key: now.get(key) for key in row.attrs}
