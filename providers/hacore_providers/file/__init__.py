"""The kind `file`: files, directories and links."""

from __future__ import annotations

from hacore_providers.file.provider import PROVIDER

__all__ = ["PROVIDER"]
