"""Parts of what is stored, as JSON and back: hosts, and the lifecycle of an instance. Pure.

Each key is a literal here, in the order in which it is written: a rename of a field in Python changes nothing on
disk. Keys that an earlier version did not write have the default of that version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from ..model import JSON, Connection, Host, Lifecycle


def host_to_json(host: Host, *, variables: bool = False) -> dict[str, JSON]:
    """A host as in a state and a saved plan; its variables, which may be secrets, only with `variables`."""
    return {
        "name": host.name,
        "address": host.address,
        "groups": list(host.groups),
        **({"vars": dict(host.vars)} if variables else {}),
        "connection": {
            "transport": host.connection.transport,
            "user": host.connection.user,
            "port": host.connection.port,
            "become": host.connection.become,
            "identity_file": host.connection.identity_file,
            "connect_timeout": host.connection.connect_timeout,
            "reconnect_timeout": host.connection.reconnect_timeout,
        },
    }


def host_from_json(data: Mapping[str, Any]) -> Host:
    """A host from `host_to_json`.

    A host with invalid values keeps them, so that messages can name it; its `refusal` is the reason why hacore
    does not connect to it.
    """
    data = _mapping(data)
    try:
        return _host(data, Host, Connection)
    except ValidationError:
        return _host(data, Host.model_construct, Connection.model_construct)


def _host(data: Mapping[str, Any], host: Callable[..., Host], connection: Callable[..., Connection]) -> Host:
    by = _mapping(data.get("connection"))
    return host(
        name=data.get("name", ""),
        address=data.get("address", ""),
        groups=tuple(data.get("groups", ())),
        vars=dict(_mapping(data.get("vars"))),
        connection=connection(
            transport=by.get("transport", "ssh"),
            user=by.get("user"),
            port=by.get("port"),
            become=by.get("become", "none"),
            identity_file=by.get("identity_file"),
            connect_timeout=by.get("connect_timeout", 10.0),
            reconnect_timeout=by.get("reconnect_timeout", 120.0),
        ),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def lifecycle_to_json(lifecycle: Lifecycle) -> dict[str, JSON]:
    """The lifecycle of an instance; `lifecycle_from_json` reverses it."""
    return {
        "prevent_destroy": lifecycle.prevent_destroy,
        "ignore_changes": list(lifecycle.ignore_changes),
        "on_delete": lifecycle.on_delete,
        "keep_on_failure": lifecycle.keep_on_failure,
    }


def lifecycle_from_json(data: Mapping[str, Any]) -> Lifecycle:
    """The lifecycle from `lifecycle_to_json`; raises TypeError or ValueError when it is not valid."""
    return Lifecycle(
        prevent_destroy=data.get("prevent_destroy", False),
        ignore_changes=tuple(data.get("ignore_changes", ())),
        on_delete=data.get("on_delete", "restore"),
        keep_on_failure=data.get("keep_on_failure", False),
    )


__all__ = ["host_from_json", "host_to_json", "lifecycle_from_json", "lifecycle_to_json"]
