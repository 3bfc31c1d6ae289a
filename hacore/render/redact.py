"""Redaction: the last filter before output.

Sensitive values are masked where they are known as such (plans show "(sensitive)"), and the engine scrubs what it
stores and reports (`hacore.secrets`). This filter is for the rest: a log line, a traceback.
"""

from __future__ import annotations

from typing import Any

from ..secrets import MASK, SHORTEST, Secrets

__all__ = ["MASK", "SHORTEST", "Redactor"]


class Redactor(Secrets):
    """Replaces secrets in all output; `add` them as they become known."""

    __slots__ = ()

    def text(self, text: str) -> str:
        """The text with a mask in place of each secret."""
        return self.scrub(text)

    def data(self, value: Any) -> Any:
        """The same for the strings within JSON."""
        return self.scrub_data(value)
