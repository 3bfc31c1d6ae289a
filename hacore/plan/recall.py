"""What a plan compares: what is there and what is wanted, or (--no-refresh) what is recorded in place of the first.

A recorded secret is an HMAC, so what is wanted of it is made one, too. Of what is known only once a
host is asked, nothing can be said without asking: it is taken to be as recorded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..contract import Desired, Observed, Provider, View
from ..model import Row, Unknown, canonical
from .sealing import Seal


def observe(provider: Provider[Any], view: View[Any], row: Row | None, *, recall: Seal | None) -> Observed | None:
    """What is there by the facts; with `recall` what the row says."""
    if recall is None:
        return provider.observe(view)
    return None if row is None or row.attrs is None else Observed(dict(row.attrs))


def desire(provider: Provider[Any], view: View[Any], row: Row | None, *, recall: Seal | None) -> Desired:
    """What should be there, in the form in which it can be compared; `recall` is the state's seal."""
    desired = provider.desire(view)
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
