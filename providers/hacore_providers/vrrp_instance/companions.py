"""The instances that share a keepalived.conf: which they are, and how much of the file may be shown."""

from __future__ import annotations

from collections.abc import Iterable

from hacore.contract import Address, View

from ..facts.stat import sha256
from .config_text import Companions, render
from .spec import VrrpInstanceSpec


def alone(spec: VrrpInstanceSpec) -> Companions:
    """The instance as the only one of its file."""
    return ((Address("vrrp_instance", spec.name or "unnamed"), spec),)


def wanted(spec: VrrpInstanceSpec) -> str:
    """The hash of the file with this instance alone; empty for a recorded spec that no file can have."""
    try:
        return sha256(render(alone(spec)).encode())
    except ValueError:
        return ""


def companions(view: View[VrrpInstanceSpec]) -> Companions:
    """All instances of the host that share the file, with their addresses."""
    return view.companions or ((view.address, view.spec),)


def any_sensitive(view: View[VrrpInstanceSpec]) -> bool:
    """Whether one of the instances in the file is sensitive."""
    return any(spec.sensitive for _, spec in companions(view))


def any_hidden(view: View[VrrpInstanceSpec]) -> bool:
    """Whether no text of the file may be shown, because of one of its instances."""
    return any(hidden(spec) for _, spec in companions(view))


def hidden(spec: VrrpInstanceSpec) -> bool:
    """Whether more than the password is sensitive: then no text of the file is shown."""
    return spec.sensitive and not spec.password_only


def password_only(fields: Iterable[str]) -> bool:
    """Whether the sensitive fields are the password and nothing else."""
    found = list(fields)
    return bool(found) and all(field in ("authentication", "authentication.password") for field in found)
