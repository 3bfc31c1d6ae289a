"""Parts of what is stored, as JSON and back: hosts, and the lifecycle of an instance. Pure.

Each key is written out here, in the order in which it is written: what a field is called in Python is
nobody's business on disk. Keys that a version before did not write have the default that held then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import JSON, Host, Lifecycle


def host_to_json(host: Host, *, variables: bool = False) -> dict[str, JSON]:
    """A host as a state and a plan keep it; its variables, which may be secrets, only with `variables`."""
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
    """A host from `host_to_json`; raises KeyError for what is none.

    One whose values are not allowed is there all the same, and its `refusal` says why it is not connected to.
    """
    connection: Mapping[str, Any] = data.get("connection", {})
    return Host.recorded(
        {
            "name": data["name"],
            "address": data["address"],
            "groups": tuple(data.get("groups", ())),
            "vars": dict(data.get("vars", {})),
            "connection": {
                "transport": connection.get("transport", "ssh"),
                "user": connection.get("user"),
                "port": connection.get("port"),
                "become": connection.get("become", "none"),
                "identity_file": connection.get("identity_file"),
                "connect_timeout": connection.get("connect_timeout", 10.0),
                "reconnect_timeout": connection.get("reconnect_timeout", 120.0),
            },
        }
    )


def lifecycle_to_json(lifecycle: Lifecycle) -> dict[str, JSON]:
    """The rules about an instance; `lifecycle_from_json` is the way back."""
    return {
        "prevent_destroy": lifecycle.prevent_destroy,
        "ignore_changes": list(lifecycle.ignore_changes),
        "on_delete": lifecycle.on_delete,
        "keep_on_failure": lifecycle.keep_on_failure,
    }


def lifecycle_from_json(data: Mapping[str, Any]) -> Lifecycle:
    """The rules from `lifecycle_to_json`; raises TypeError or ValueError for what is none."""
    return Lifecycle(
        prevent_destroy=data.get("prevent_destroy", False),
        ignore_changes=tuple(data.get("ignore_changes", ())),
        on_delete=data.get("on_delete", "restore"),
        keep_on_failure=data.get("keep_on_failure", False),
    )


__all__ = ["host_from_json", "host_to_json", "lifecycle_from_json", "lifecycle_to_json"]
