"""The kind `source_build`: programs that are built from source."""

from __future__ import annotations

from hacore_providers.source_build.provider import PROVIDER

__all__ = ["PROVIDER"]
