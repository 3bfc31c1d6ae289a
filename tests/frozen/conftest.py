"""A play for each test, as the engine's tests have it."""

from __future__ import annotations

from tests.frozen.today import play

__all__ = ["play"]
