"""What would be lost with a keepalived.conf that hacore does not manage yet.

LVS and VRRP share one file, and hacore writes it as a whole: a plan that replaces the file of somebody else must not
end a service that it does not know. An instance with another name and the same addresses is not lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hacore.contract import Mistake, View

from ..facts.addresses import plain
from ..facts.keepalived import CONFIG, ConfigFile
from .companions import companions
from .config_text import addresses_in, render
from .raw_text import servers_in
from .spec import VrrpInstanceSpec


def lost_of_existing(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """Instances, addresses and virtual servers that the stack neither describes nor allows to be removed."""
    path, host = view.spec.config, view.host.name if view.host is not None else "the host"
    file = view.facts.get(CONFIG, path)
    if file is None or file.managed:
        return
    desired = companions(view)
    try:
        text = render(desired)
    except ValueError:
        return  # reported by itself
    kept = addresses_in(text) | servers_in(text)
    names = {spec.name for _, spec in desired}
    allowed = {plain(name) for _, spec in desired for name in spec.replace_existing}
    lost = [item for item in _items(file, kept, names) if allowed.isdisjoint(item.names)]
    if lost:
        yield Mistake.where(
            "config",
            f"is {path}, which exists on {host}, is not managed by hacore, and serves what the stack does not "
            f"describe: {'; '.join(item.words for item in lost)}. Describe it in the stack, or allow its removal with "
            f"replace_existing: [{', '.join(item.names[0] for item in lost)}]",
        )
    going = [item for item in _items(file, kept, names) if item not in lost]
    if going:
        yield Mistake.where(
            "config",
            f"is {path}, which exists on {host} and is not managed by hacore: replacing it removes "
            f"{'; '.join(item.words for item in going)}, as replace_existing allows",
            warning=True,
        )
    known = {name for item in _items(file, frozenset(), set()) for name in item.names}
    for name in view.spec.replace_existing:
        if plain(name) not in known:
            yield Mistake.where("replace_existing", f"names {name}, which {path} on {host} does not have", warning=True)


@dataclass(frozen=True, slots=True)
class _Item:
    """Something that the file serves: in words, and the names by which its removal is allowed, the first one shown."""

    words: str
    names: tuple[str, ...]


def _items(file: ConfigFile, kept: frozenset[str], names: set[str]) -> Iterator[_Item]:
    """What the file serves and the desired one does not: `kept` addresses and servers, instances of `names`."""
    for address in dict.fromkeys(file.addresses):
        if plain(address) not in kept:
            instance = file.instance_of.get(address)
            of = f" of instance {instance}" if instance is not None else ""
            yield _Item(f"{address}{of}", (plain(address), *((instance,) if instance is not None else ())))
    for instance in file.instances:
        if instance not in file.instance_of.values() and instance not in names:
            yield _Item(f"instance {instance}", (instance,))
    for server in file.servers:
        if server in kept:
            continue
        yield _Item(f"virtual server {server}", (server, server.partition(" ")[0]))


__all__ = ["lost_of_existing"]
