"""Hosts that are named on the command line, without a stack: [USER@]HOST[:PORT]."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ..errors import InputError, UsageError
from ..model import Connection, Host
from .interruptible import run
from .runtime import Runtime

if TYPE_CHECKING:
    from ..contract import Ask, Facts

__all__ = ["ask_hosts", "host_of"]


def host_of(text: str, *, sudo: bool = False) -> Host:
    """A host from its text; an IPv6 address with a port is in brackets. Raises UsageError."""
    user, _, place = text.rpartition("@")
    address, port = place, ""
    if place.startswith("[") and "]" in place:
        address, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        address, _, port = place.partition(":")
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"cannot reach {text!r}: the port must be 1 to 65535")
    try:
        connection = Connection(user=user or None, port=int(port) if port else None, become="sudo" if sudo else "none")
        return Host(name=address, address=address, connection=connection)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"cannot reach {text!r}: {first['msg'].removeprefix('Value error, ')}") from error


def ask_hosts(runtime: Runtime, asks: Mapping[str, Sequence[Ask]], *, sudo: bool = False) -> dict[str, Facts]:
    """The answers of hosts by their text, in one exec each. Raises InputError that names each host without answers."""
    from ..engine.connections import Hosts
    from ..events import silent
    from ..transport import Transport
    from .prompts import become_password

    hosts = {text: host_of(text, sudo=sudo) for text in asks}
    password = become_password(runtime) if sudo else None

    async def asked() -> dict[str, Facts]:
        pool = Hosts(Transport(password=password), silent)
        try:
            pool.connect(hosts)
            statuses = await pool.probe(asks, list(hosts))
        finally:
            await asyncio.shield(pool.close())
        failed = [status.error for status in statuses.values() if status.error or status.facts is None]
        if failed:
            raise InputError("\n".join(failed))
        return {name: status.facts for name, status in statuses.items() if status.facts is not None}

    return run(runtime.terminal, lambda _: asked())
