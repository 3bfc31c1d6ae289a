"""The kind `package`: packages of apt and dnf."""

from __future__ import annotations

from hacore_providers.package.provider import PROVIDER

__all__ = ["PROVIDER"]
