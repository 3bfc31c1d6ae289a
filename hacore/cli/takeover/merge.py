"""What hosts have, as one stack: alike is written once, what differs is a variable of each host. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...contract import Discovered, Discovery, LeftOut, Secret
from ...errors import InputError
from .yaml_text import literal

__all__ = ["FoundHost", "Merged", "merge"]

_MISSING = object()


@dataclass(frozen=True, slots=True)
class FoundHost:
    """A host: its name in the stack, the text of the command line, and what each kind found."""

    name: str
    text: str
    found: Mapping[str, Discovery]


@dataclass(slots=True)
class Merged:
    """The parts of the stack. `secrets`: by variable, its value, which is written nowhere. `files`: by path."""

    resources: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    host_vars: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: list[tuple[str, LeftOut]] = field(default_factory=list)


def merge(hosts: Sequence[FoundHost], together: Iterable[str]) -> Merged:
    """The stack of all hosts. `together`: the kinds with one instance over all hosts. Raises InputError."""
    merged = Merged(host_vars={host.name: {} for host in hosts})
    places: dict[str, set[str]] = {}
    links: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    whole = set(together)
    for kind in dict.fromkeys(kind for host in hosts for kind in host.found):
        groups: dict[str, dict[str, Discovered]] = {}
        for host in hosts:
            discovery = host.found.get(kind, Discovery())
            merged.left_out += [(host.text, left) for left in discovery.left_out]
            for resource in discovery.resources:
                group = groups.setdefault(resource.name, {})
                if host.name in group:
                    raise InputError(f"cannot describe {host.text}: it has two of {kind} with the name {resource.name}")
                group[host.name] = resource
        for name, group in groups.items():
            first = next(iter(group.values()))
            places.setdefault(first.place, set()).add(f"{kind}.{name}")
            links[kind, name] = dict(first.links)
            body = _body(merged, kind, name, {first.name: first} if kind in whole else group)
            if kind not in whole and len(group) < len(hosts):
                body = {"hosts": list(group)} | body
            merged.resources.setdefault(kind, {})[name] = body
    for (kind, name), fields in links.items():
        for field_name, starts in fields.items():
            found = sorted(r for place, names in places.items() if _below(place, starts) for r in names)
            if found := [resource for resource in found if resource != f"{kind}.{name}"]:
                merged.resources[kind][name][field_name] = found
    return merged


def _below(place: str, starts: tuple[str, ...]) -> bool:
    return any(place == start or place.startswith(start if start.endswith(":") else f"{start}/") for start in starts)


def _body(merged: Merged, kind: str, name: str, group: Mapping[str, Discovered]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key in dict.fromkeys(key for resource in group.values() for key in resource.body):
        values = {host: _value(merged, host, resource.body.get(key, _MISSING)) for host, resource in group.items()}
        different = list(values.values())
        if isinstance(different[0], bytes):
            body[key] = _file(merged, next(iter(group.values())), f"{kind}-{name}", values)
        elif all(value == different[0] and type(value) is type(different[0]) for value in different):
            body[key] = different[0]
        else:
            variable = re.sub(r"\W", "_", f"{name}_{key}", flags=re.ASCII)
            while any(variable in known for known in merged.host_vars.values()):
                variable += "_"
            empty = next((type(v)() for v in different if isinstance(v, list | dict)), None)
            for host, value in values.items():
                merged.host_vars[host][variable] = empty if value is _MISSING else value
            body[key] = (
                f"{{{{ host.vars.{variable} }}}}"
                if not variable[0].isdigit()
                else (f"{{{{ host.vars['{variable}'] }}}}")
            )
    return body


def _value(merged: Merged, host: str, value: Any) -> Any:
    """Plain data with expressions: each secret is the name of a variable, each text means itself."""
    if isinstance(value, Secret):
        return f"{{{{ var.{_variable(merged, host, value)} }}}}"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Mapping):
        return {literal(key): _value(merged, host, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(merged, host, inner) for inner in value]
    return value


def _variable(merged: Merged, host: str, secret: Secret) -> str:
    """The variable of a secret: the same one for the same value, one of its own for a host that differs."""
    name = re.sub(r"\W", "_", secret.hint, flags=re.ASCII)
    name = f"v_{name}" if name[:1].isdigit() else name
    for candidate in (name, f"{name}_{re.sub(r'[^A-Za-z0-9]', '_', host)}"):
        if merged.secrets.setdefault(candidate, secret.value) == secret.value:
            return candidate
    raise InputError(f"cannot name the variable {name} for {host}: another secret has this name already")


def _file(merged: Merged, resource: Discovered, fallback: str, values: Mapping[str, Any]) -> str:
    """The path of a file of the stack's folder, one for all hosts or one for each."""
    place = resource.place if resource.place.startswith("/") else fallback
    parts = (re.sub(r"[^A-Za-z0-9_.@+-]", "_", part) for part in place.split("/"))
    path = "/".join(part for part in parts if part not in ("", ".", ".."))
    contents = list(values.values())
    if all(content == contents[0] for content in contents):
        merged.files[f"files/{path}"] = contents[0]
        return f"files/{path}"
    for host, content in values.items():
        merged.files[f"files/{host}/{path}"] = content
    return f"files/{{{{ host.name }}}}/{path}"
