"""The two sides that a plan compares: observed and desired, or (--no-refresh) recorded and desired.

A recorded secret is an HMAC, so its desired value is made one, too. A value that only a probe can
supply is assumed to be the recorded one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ..contract import Desired, Observed, Provider, View
from ..model import Row, Unknown, canonical
from ..secrets import Secrets
from .sealing import Seal, with_secrets


def observe(provider: Provider[Any], view: View[Any], row: Row | None, *, recall: Seal | None) -> Observed | None:
    """The observed state by the facts; with `recall` that of the row."""
    if recall is None:
        return provider.observe(view)
    return None if row is None or row.attrs is None else Observed(dict(row.attrs))


def desire(
    provider: Provider[Any],
    view: View[Any],
    row: Row | None,
    *,
    recall: Seal | None,
    secret: tuple[Collection[str], Secrets],
) -> Desired:
    """The desired state, in the form in which it is compared; `recall` is the state's seal.

    `secret`: the sensitive fields of the instance, and the secrets of its stack.
    """
    desired = with_secrets(provider.desire(view), *secret)
    if recall is None or desired.attrs is None:
        return desired
    recorded = row.attrs if row is not None and row.attrs is not None else {}
    attrs: dict[str, Any] = {}
    for key, value in desired.attrs.items():
        if isinstance(value, Unknown):
            attrs[key] = recorded.get(key, value)
        else:
            attrs[key] = recall(canonical(value)) if key in desired.sensitive else value
    return replace(desired, attrs=attrs, effect=desired.effect if row is None else "", irreversible="")
