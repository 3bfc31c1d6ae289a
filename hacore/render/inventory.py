"""The hosts of a stack as an inventory of Ansible: the JSON of a dynamic one, or the content of a static file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..model import Host

Json = dict[str, Any]
_LONG = 4
"""Characters from which on a secret is also searched inside of a value: shorter ones are in too many words."""


def dynamic(hosts: Mapping[str, Host], groups: Mapping[str, tuple[str, ...]], secrets: Collection[str]) -> Json:
    """What `--list` of an inventory script prints (Ansible, Developing dynamic inventory).

    A variable with a secret in its value is left out; see `left_out`.
    """
    named = {name: {"hosts": list(members)} for name, members in _own(groups)}
    variables = {name: _variables(host, secrets) for name, host in hosts.items()}
    return {"_meta": {"hostvars": variables}, "all": {"hosts": list(hosts), "children": list(named)}, **named}


def static(hosts: Mapping[str, Host], groups: Mapping[str, tuple[str, ...]], secrets: Collection[str]) -> Json:
    """The content of a file hosts.yaml: JSON is YAML, too."""
    children: Json = {name: {"hosts": {member: {} for member in members}} for name, members in _own(groups)}
    variables = {name: _variables(host, secrets) for name, host in hosts.items()}
    return {"all": {"hosts": variables, "children": children}}


def left_out(hosts: Mapping[str, Host], secrets: Collection[str]) -> list[str]:
    """`HOST: NAME` of each variable that is not in the inventory, because its value has a secret."""
    return [
        f"{name}: {key}" for name, host in hosts.items() for key, value in host.vars.items() if _has(value, secrets)
    ]


def _own(groups: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The groups without `all`, which Ansible has itself."""
    return ((name, members) for name, members in groups.items() if name != "all")


def _variables(host: Host, secrets: Collection[str]) -> Json:
    by = host.connection
    found: Json = {"ansible_host": host.address}
    if by.transport == "local":
        found = {"ansible_connection": "local"}
    if by.user is not None:
        found["ansible_user"] = by.user
    if by.port is not None:
        found["ansible_port"] = by.port
    if by.identity_file is not None:
        found["ansible_ssh_private_key_file"] = str(by.identity_file)
    if by.become == "sudo":
        found |= {"ansible_become": True, "ansible_become_method": "sudo"}
    return found | {key: value for key, value in host.vars.items() if not _has(value, secrets)}


def _has(value: Any, secrets: Collection[str]) -> bool:
    """Whether a value is a secret, or has one in it."""
    if isinstance(value, Mapping):
        return any(_has(part, secrets) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return any(_has(part, secrets) for part in value)
    text = str(value)
    return any(text == secret or (len(secret) >= _LONG and secret in text) for secret in secrets if secret)
