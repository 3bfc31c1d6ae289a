"""What a plan says that a delete does on the host: true of each kind, made by hacore or found."""

from __future__ import annotations

from typing import Any

import pytest

import hacore_command
from hacore.address import Address
from hacore.contract import Facts, Found, HostFacts, Lifecycle, Provider, View
from hacore_providers.file import provider as file
from hacore_providers.package import provider as package
from hacore_providers.service import provider as service
from hacore_providers.source_build import provider as source_build
from hacore_providers.vip import provider as vip
from hacore_providers.vrrp_instance import provider as vrrp_instance

UNIT = "[Service]\nExecStart=/bin/x\n"
PAIR = {"name": "VI_1", "interface": "eth0", "priority": 100, "virtual_router_id": 1, "addresses": ["192.0.2.9/24"]}
BUILD = {"source": "http://x/x.tgz", "sha256": "0" * 64, "binary": "/opt/x/bin/x"}


def effect(provider: Provider[Any], body: dict[str, Any], found: Found, on_delete: Any = "restore") -> str:
    spec = provider.spec.model_validate(body)
    facts = Facts(HostFacts(family="debian"))
    view = View(Address(provider.kind, "it", None, "h"), spec, None, facts, lifecycle=Lifecycle(on_delete=on_delete))
    return provider.delete_effect(view, found).text


@pytest.mark.parametrize(
    ("provider", "body", "made", "found"),
    [
        (file, {"path": "/etc/x", "content": "x"}, "remove /etc/x", "restore the original /etc/x"),
        (
            file,
            {"path": "/srv/x", "ensure": "directory"},
            "remove /srv/x if it is empty",
            "restore the original /srv/x",
        ),
        (file, {"path": "/etc/x", "ensure": "absent"}, "", "restore the original /etc/x"),
        (
            package,
            {"names": {"debian": ["gcc", "make"], "redhat": ["gcc-c++"]}},
            "remove packages gcc, make",
            "restore the original state of packages gcc, make",
        ),
        (package, {"name": "nginx"}, "remove package nginx", "restore the original state of package nginx"),
        (
            package,
            {"name": "nginx", "ensure": "absent"},
            "restore the original state of package nginx",
            "restore the original state of package nginx",
        ),
        (
            service,
            {"unit": "x.service", "running": True, "enabled": True, "definition": UNIT},
            "stop x, disable x, remove /etc/systemd/system/x.service",
            "restore the original state of x",
        ),
        (service, {"unit": "x.service", "running": True}, "stop x", "restore the original state of x"),
        (
            source_build,
            BUILD,
            "remove the files that the build of /opt/x/bin/x installed",
            "restore the files that the build of /opt/x/bin/x replaced",
        ),
        (
            vrrp_instance,
            PAIR,
            "remove VRRP instance VI_1 from /etc/keepalived/keepalived.conf",
            "remove VRRP instance VI_1 from /etc/keepalived/keepalived.conf; "
            "with the last one, restore the original file and reload keepalived",
        ),
        (vip, {"instance": "VI_1"}, "", ""),
        (hacore_command, {"check": "true", "do": "x", "undo": "a\nb"}, "run a; b", "run a; b"),
        (hacore_command, {"check": "true", "do": "x", "irreversible": "gone"}, "", ""),
    ],
)
def test_what_a_delete_does(provider: Any, body: dict[str, Any], made: str, found: str) -> None:
    assert effect(provider.PROVIDER, body, "absent") == made
    assert effect(provider.PROVIDER, body, "different") == found
    assert effect(provider.PROVIDER, body, "different", "remove") == made
