"""The kind `service`: units of systemd and init scripts."""

from __future__ import annotations

from hacore_providers.service.provider import PROVIDER

__all__ = ["PROVIDER"]
