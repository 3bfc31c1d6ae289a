"""Whether a sample has something in every field: what a codec loses then shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel


def left_at_their_default(sample: Any, kept: Collection[str] = ()) -> list[str]:
    """The fields of a dataclass or a model in which `sample` has the default; `kept`: those that may."""
    if isinstance(sample, BaseModel):
        defaults = {
            name: field.get_default(call_default_factory=True)
            for name, field in type(sample).model_fields.items()
            if not field.is_required()
        }
    else:
        defaults = {
            field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            for field in dataclasses.fields(sample)
            if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        }
    same = [name for name, default in defaults.items() if getattr(sample, name) == default]
    return sorted(set(same) - set(kept))


__all__ = ["left_at_their_default"]
