"""The route to a host: over its jump hosts, if ssh_config(5) has ProxyJump."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from ..errors import UnreachableError
from ..model import Connection, Host
from .settings import Target, resolve

HOPS = 8
"""Jump hosts of one route at most: more is a loop."""


def route(host: Host, config: tuple[str, ...]) -> tuple[Target, ...]:
    """All connections to make, the outermost first and the host itself last.

    As in ssh(1), only the first of several jump hosts may have a jump host itself. Reads files;
    raises UnreachableError.
    """
    targets: list[Target] = []
    wanted = host.name
    while True:
        target = replace(resolve(host, config), wanted=wanted)
        targets.insert(0, target)
        if not target.jump:
            return tuple(targets)
        first, *others = (_hop(text.strip(), host) for text in target.jump.split(","))
        targets[:0] = (replace(resolve(hop, config), wanted=wanted) for hop in others)
        if len(targets) > HOPS:
            raise UnreachableError(f"cannot reach {targets[-1].label}: its jump hosts form a loop")
        host = first


def _hop(text: str, host: Host) -> Host:
    """A jump host, `[user@]host[:port]`, as a host."""
    user, _, place = text.removeprefix("ssh://").rpartition("@")
    address, port = place, ""
    if place.startswith("["):
        address, _, rest = place[1:].partition("]")
        port = rest.removeprefix(":")
    elif place.count(":") == 1:
        address, port = place.split(":")
    if port and not port.isdecimal():
        raise UnreachableError(f"cannot reach {host.name}: ssh_config's ProxyJump {text!r} has an invalid port")
    timeout = host.connection.connect_timeout
    try:
        connection = Connection(user=user or None, port=int(port) if port else None, connect_timeout=timeout)
        return Host(name=address, address=address, connection=connection)
    except ValidationError as error:
        why = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UnreachableError(f"cannot reach {host.name}: ssh_config's ProxyJump {text!r}: {why}") from None
