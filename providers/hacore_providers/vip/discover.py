"""The virtual addresses of a pair that runs, as resources of a new stack."""

from __future__ import annotations

from hacore.contract import Ask, Discover, Discovered, Discovery, Facts

from ..facts.addresses import plain
from ..facts.keepalived_files import KEEPALIVED_FILES, PLACES, configuration
from ..keepalived import read

__all__ = ["DISCOVER"]


def _find(facts: Facts) -> Discovery:
    """The first address of each instance: the others of an instance move with it."""
    known = configuration(facts)
    if known is None:
        return Discovery()
    path, found = known
    name = facts.host.hostname.partition(".")[0] or None
    document = read(found.files[path], path, files=found.included, config_id=name)
    resources = []
    for instance in document.all("vrrp_instance"):
        entries = [e for block in instance.all("virtual_ipaddress") for e in block.block or ()]
        if entries and instance.last("virtual_router_id") is not None:
            body = {"instance": instance.value, "address": plain(entries[0].keyword)}
            resources.append(Discovered(instance.value, body, links={"needs": ("unit:keepalived",)}))
    return Discovery(tuple(resources))


DISCOVER = Discover(tuple(Ask(KEEPALIVED_FILES, path) for path in PLACES), _find)
