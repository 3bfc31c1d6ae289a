"""Which fields of an instance hold a secret, by their values, and which of them must not.

A kind's `resolve` may copy a value to another field, and a secret may stand in a field without an expression. So
after all instances are evaluated, each field is searched for the secrets of the whole stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Provider
from ..errors import ProviderError
from ..secrets import SHORTEST, Secrets
from .problems import Problems
from .stack import Instance

NUMBER = "must not use a sensitive value: the state stores numbers and booleans in clear text"
ARGUMENT = "must not use a sensitive value: all users of the host can read the arguments of a program"
NAME = "must not use a sensitive value: it names something on the host that hacore records and shows"


def hidden(
    instances: Mapping[Address, Instance],
    providers: Mapping[str, Provider[Any]],
    secrets: Secrets,
    problems: Problems,
) -> dict[Address, Instance]:
    """The instances with all of their sensitive fields; a secret that cannot be hidden becomes a problem."""
    found = dict(instances)
    if not secrets.values and not any(instance.sensitive for instance in instances.values()):
        return found
    for address, instance in instances.items():
        provider = providers[address.kind]
        try:
            names = _names(provider, instance)
            body = provider.recorded(instance.spec).model_dump(mode="json", exclude_defaults=True)
        except ProviderError:
            continue  # reported by the plan
        for field in _in_arguments(provider, instance, secrets):
            problems.add(instance.position, f"{field} {ARGUMENT}; {provider.arguments[field]}", str(address))
        more: set[str] = set()
        for path, value in _leaves(body, ()):
            dotted = ".".join(path)
            if path[0] in provider.plain:
                continue  # a mistake, reported where it was evaluated
            stands = any(dotted == field or dotted.startswith(f"{field}.") for field in instance.sensitive)
            if stands and isinstance(value, bool | int | float) and path[-1] != "sensitive":
                problems.add(instance.position, f"{dotted} {NUMBER}", str(address))
            elif isinstance(value, str) and stands and _is_named(value, names):
                problems.add(instance.position, f"{dotted} {NAME}", str(address))
            elif isinstance(value, str) and not stands and secrets.holds(value) and not _is_named(value, names):
                more.add(dotted)
        if more:
            found[address] = replace(instance, sensitive=instance.sensitive | more)
    return found


def _names(provider: Provider[Any], instance: Instance) -> frozenset[str]:
    """What the engine knows the instance by: its claims, and the sources that it names."""
    claims = (claim.token.partition(":")[2] for claim in provider.claims(instance.spec) if claim.mode != "use")
    triggers = (trigger.source for trigger in provider.triggers(instance.spec, instance.address))
    return frozenset((*claims, *provider.needs(instance.spec), *triggers))


def _in_arguments(provider: Provider[Any], instance: Instance, secrets: Secrets) -> Iterator[str]:
    """The fields that become arguments and hold a secret, other than those of which an expression names one."""
    for name, info in type(instance.spec).model_fields.items():
        field = info.alias or name
        if field not in provider.arguments or any(path.partition(".")[0] == field for path in instance.sensitive):
            continue
        if secrets.holds(instance.spec.model_dump(mode="json", include={name})):
            yield field


def _is_named(value: str, names: frozenset[str]) -> bool:
    return value in names or (len(value) >= SHORTEST and any(value in name for name in names))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, str(index)))
    elif path:
        yield path, value
