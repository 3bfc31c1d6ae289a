"""The last part of loading: instances with their edges, the checks of the kinds, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..address import Address
from ..errors import ProviderError, UsageError
from ..model import digest
from .blocks import Block
from .built import Built
from .edges import Edges
from .instances import Instances
from .stack import Instance, Position
from .values import Run
from .world import World
from .yaml_nodes import Node, Step

_OUTPUT = frozenset(("var", "hosts", "groups"))


@dataclass(frozen=True, slots=True)
class Assembled:
    """The instances of a stack and a digest of their content, without sensitive values."""

    instances: Mapping[Address, Instance]
    digest: str


def assemble(instances: Instances, world: World) -> Assembled:
    """All instances; mistakes become problems."""
    built = instances.all()
    edges = Edges(instances.blocks, world)
    found: dict[Address, Instance] = {}
    content: list[Any] = []
    for block in instances.blocks.values():
        for address, slot in block.slots.items():
            made = built[address]
            needs = edges.of(block, slot, made)
            if made is None:
                continue
            found[address] = Instance(
                address=address,
                spec=made.spec,
                host=address.host,
                hosts=made.hosts,
                position=block.position,
                needs=needs,
                lifecycle=block.lifecycle,
                sensitive=made.sensitive,
                files=made.files,
            )
            content.append((_parts(address), _public(made), [_parts(need.selector) for need in needs]))
        _validate(block, built, world)
    return Assembled(found, digest(content))


def _parts(address: Address) -> tuple[str | None, ...]:
    return (address.kind, address.name, address.key, address.host)


def _public(built: Built) -> Any:
    """A spec as JSON text without its sensitive fields."""
    if not built.sensitive:
        return built.spec.model_dump_json()
    hidden = {path.split(".", 1)[0] for path in built.sensitive}
    return built.spec.model_dump_json(exclude=hidden)


def _validate(block: Block, built: Mapping[Address, Built | None], world: World) -> None:
    """Let the kind check each resource over all its members, unless a member has mistakes already."""
    provider = block.provider
    if provider is None or block.broken:
        return
    by_key: dict[str | None, list[Address]] = {}
    for address, slot in block.slots.items():
        by_key.setdefault(slot.key, []).append(address)
    for addresses in by_key.values():
        made = {address: built[address] for address in addresses}
        members: dict[str, Built] = {}
        for result in made.values():
            if result is not None:
                members.update(dict.fromkeys(result.hosts, result))
        if any(result is None for result in made.values()):
            continue
        hosts = {name: world.hosts[name] for name in members}
        try:
            mistakes = list(provider.validate({name: b.spec for name, b in members.items()}, hosts, block.lifecycle))
        except ProviderError as error:
            world.problems.add(block.position, error.brief, block.address)
            continue
        except (ValueError, UsageError) as error:
            world.problems.add(block.position, str(error), block.address)
            continue
        for host, mistake in mistakes:
            result = members.get(host)
            node = result.node if result is not None and result.node is not None else block.node
            where = _field(node, mistake.field, block.position)
            address = addresses[0] if block.together else addresses[0].at(host)
            world.problems.add(where, str(mistake), str(address))


def _field(node: Node, dotted: str, fallback: Position) -> Position:
    """The position of a field: as deep as its dotted path exists."""
    parts = dotted.split(".") if dotted else []
    position = fallback
    while parts:
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            step: Step = int(name) if isinstance(node.value, list) and name.isdigit() else name
            child = node.child(step)
            if child is not None:
                node, position, parts = child, child.position, parts[length:]
                break
        else:
            break
    return position


def load_outputs(section: Node | None, world: World) -> tuple[dict[str, Any], frozenset[str]]:
    """The outputs' values, and the names of those that are sensitive."""
    values: dict[str, Any] = {}
    sensitive = set()
    for name, node in section.map.items() if section else ():
        address = f"outputs.{name}"
        value = world.compiler(_OUTPUT, address, "in outputs").value(node)
        values[name] = value.get(Run(world.scope(), world.fail(address)))
        if value.tainted:
            sensitive.add(name)
    return values, frozenset(sensitive)
