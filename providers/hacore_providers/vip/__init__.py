"""The kind `vip`: the virtual IP that a VRRP instance carries."""

from __future__ import annotations

from hacore_providers.vip.provider import PROVIDER

__all__ = ["PROVIDER"]
