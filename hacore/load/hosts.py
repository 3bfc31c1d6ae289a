"""Hosts, their groups, the connection and the bystanders of a stack file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..address import NAME
from ..expressions import Broken, Path
from ..model import Connection, Host
from .models import BystanderBody, HostBody
from .problems import suggest
from .pydantic_errors import Translator
from .stack import Bystander, Position
from .values import Run
from .world import World
from .yaml_nodes import Node

M = TypeVar("M", bound=BaseModel)
_ONLY_VAR = frozenset(("var",))
_DEEP = frozenset(("vars", "connection"))


def load_hosts(section: Node, connection: Node | None, world: World) -> World:
    """The world with the hosts of the stack; a host with mistakes keeps its name."""
    if connection is not None and _checked(connection, Connection, world, "connection")[0] is None:
        connection = None
    hosts: dict[str, Host] = {}
    views: dict[str, Any] = {}
    secret: set[Path] = set()
    groups: dict[str, list[str]] = {}
    for name, node in section.map.items():
        address = f"hosts.{name}"
        if not NAME.match(name) or name == "all":
            world.problems.add(section.key(name), f"{name!r} is not a valid host name", address)
        whole = _with_connection(node, connection)
        body, tainted, data = _checked(whole, HostBody, world, address)
        secret.update(path for steps in tainted for path in (("host", *steps), ("hosts", name, *steps)))
        host, view = _host(name, body, data)
        hosts[name], views[name] = host, view
        for group in host.groups:
            groups.setdefault(group, []).append(name)
    _check_groups(section, groups, hosts, world)
    members = {group: tuple(names) for group, names in groups.items()}
    return world.with_hosts(hosts, members, views, frozenset(secret))


def override_hosts(section: Node, over: Node | None) -> Node:
    """The hosts with the overrides of an environment; `vars` and `connection` are merged by entry."""
    if over is None:
        return section
    found = section
    for name, node in over.map.items():
        below = section.map.get(name)
        merged = below.merged(node, _DEEP) if below is not None and below.map else node
        found = found.merged(Node({name: merged}, over.position, {} if below else {name: over.key(name)}))
    return found


def _with_connection(node: Node, connection: Node | None) -> Node:
    if connection is None or not isinstance(node.value, dict):
        return node
    below = Node({"connection": connection}, node.position)
    return below.merged(node, frozenset(("connection",)))


def _host(name: str, body: HostBody | None, data: Any) -> tuple[Host, dict[str, Any]]:
    if body is not None:
        host = Host.model_construct(  # validated before: the body just now, the name by `load_hosts`
            name=name,
            address=body.address,
            groups=tuple(body.groups),
            vars=body.vars,
            connection=body.connection,
            twin=body.twin,
        )
        return host, {"name": name, "address": host.address, "groups": list(host.groups), "vars": host.vars}
    given = data if isinstance(data, dict) else {}
    groups = given.get("groups", [])
    groups = [g for g in groups if isinstance(g, str)] if isinstance(groups, list) else []
    address = given.get("address")
    variables = given.get("vars", {})
    view = {
        "name": name,
        "address": address if isinstance(address, str) else Broken(),
        "groups": groups,
        "vars": variables if isinstance(variables, dict) else Broken(),
    }
    known = address if isinstance(address, str) else name
    return Host.model_construct(name=name, address=known, groups=tuple(groups)), view


def _checked(node: Node, model: type[M], world: World, address: str) -> tuple[M | None, frozenset[Path], Any]:
    """A body with expressions over variables only: the model, its sensitive paths and its data."""
    value = world.compiler(_ONLY_VAR, address, "in " + re.split(r"\.", address)[0]).value(node)
    run = Run(world.scope(), world.fail(address))
    data = value.get(run)
    try:
        body = model.model_validate(data)
    except ValidationError as error:
        Translator(world.problems, node, data, address, value.tainted).report(error, model)
        return None, value.tainted, data
    return (None if run.broken else body), value.tainted, data


def _check_groups(section: Node, groups: Mapping[str, Iterable[str]], hosts: Mapping[str, Host], world: World) -> None:
    for group, names in groups.items():
        for name in names:
            node = section.map[name]
            if not NAME.match(group) or group == "all":
                world.problems.add(node.at(["groups"]), f"{group!r} is not a valid group name", f"hosts.{name}")
            elif group in hosts:
                message = f"{group!r} is a host: rename the group"
                world.problems.add(node.at(["groups"]), message, f"hosts.{name}")


def select_hosts(names: Iterable[tuple[str, Position]], world: World, address: str) -> tuple[str, ...]:
    """The hosts for names of hosts, groups or `all`, in that order, each once."""
    found: dict[str, None] = {}
    for name, where in names:
        if name == "all":
            found.update(dict.fromkeys(world.hosts))
        elif name in world.groups:
            found.update(dict.fromkeys(world.groups[name]))
        elif name in world.hosts:
            found[name] = None
        else:
            known = [*world.hosts, *world.groups, "all"]
            world.problems.add(where, f"no such host or group {name!r}: {suggest(name, known, 'names')}", address)
    return tuple(found)


def load_bystanders(section: Node | None, world: World) -> tuple[Bystander, ...]:
    """The machines that exist only for twins and rehearsals."""
    found = []
    for name, node in section.map.items() if section else ():
        if section and (not NAME.match(name) or name in world.hosts):
            world.problems.add(section.key(name), f"{name!r} is not a valid bystander name", f"bystanders.{name}")
        body, _, _ = _checked(node, BystanderBody, world, f"bystanders.{name}")
        if body is not None:
            found.append(Bystander(name, body.address, body.serve.port, body.serve.status, body.serve.body))
    return tuple(found)
