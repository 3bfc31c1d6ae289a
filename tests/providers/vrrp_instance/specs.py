"""Specs for tests, made as a stack file would make them."""

from __future__ import annotations

from typing import Any

from hacore.address import Address
from hacore.contract import Facts, View
from hacore.model import Host
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec

HOSTS = {
    "lb1": Host(name="lb1", address="192.168.1.166"),
    "lb2": Host(name="lb2", address="192.168.1.173"),
}
CHECK = {"script": "/usr/local/src/check_nginx_pid.sh", "interval": 2, "weight": -2}


def spec(**changes: Any) -> VrrpInstanceSpec:
    """The pair's first member, with changes."""
    body: dict[str, Any] = {
        "name": "VI_1",
        "state": "MASTER",
        "interface": "eth1",
        "virtual_router_id": 66,
        "priority": 100,
        "router_id": "nginx_master",
        "authentication": {"password": "1111"},
        "addresses": ["192.168.1.200"],
        "track_scripts": {"chk_http_port": CHECK},
    }
    return VrrpInstanceSpec.model_validate({k: v for k, v in (body | changes).items() if v is not ...})


def pair(
    one: dict[str, Any] | None = None, two: dict[str, Any] | None = None, **both: Any
) -> dict[str, VrrpInstanceSpec]:
    """Both members: changes for both, then for each."""
    second = {"state": "BACKUP", "interface": "eth2", "priority": 99, "router_id": "nginx_backup"}
    return {"lb1": spec(**(both | (one or {}))), "lb2": spec(**(second | both | (two or {})))}


def address(name: str = "VI_1", host: str = "lb1") -> Address:
    """Where an instance lives."""
    return Address("vrrp_instance", name, host=host)


def view(one: VrrpInstanceSpec, facts: Facts = Facts(), *others: tuple[Address, VrrpInstanceSpec]) -> View[Any]:  # noqa: B008
    """A view of an instance and of others in the same file."""
    own = (address(one.name), one)
    return View(own[0], one, HOSTS["lb1"], facts, {"lb1": (one, facts)}, (own, *others))
