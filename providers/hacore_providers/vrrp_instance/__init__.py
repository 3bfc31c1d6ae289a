"""The kind `vrrp_instance`: keepalived's VRRP instances and its configuration."""

from __future__ import annotations

from hacore_providers.vrrp_instance.provider import PROVIDER

__all__ = ["PROVIDER"]
