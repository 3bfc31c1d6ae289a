"""How an instance becomes a row: redacted, sealed, with all that is needed without its stack."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Desired, Observed, Provider
from ..load.stack import Instance
from ..model import JSON, Attrs, Unknown, canonical
from ..secrets import Secrets

Seal = Callable[[str], str]  # a value's text to its keyed HMAC


def seal_attrs(attrs: Attrs | None, sensitive: Collection[str], seal: Seal) -> dict[str, JSON] | None:
    """Attrs as the state keeps them: sensitive ones as an HMAC. Unknown is never stored."""
    if attrs is None:
        return None
    return {
        key: seal(canonical(value)) if key in sensitive and not sealed(value) else value
        for key, value in attrs.items()
        if not isinstance(value, Unknown)
    }


def with_secrets(desired: Desired, fields: Collection[str], secrets: Secrets) -> Desired:
    """The desired state with every attr marked as sensitive that stands for a sensitive field, or holds a secret.

    Its free texts, which plans and runs keep, are scrubbed.
    """
    if not (fields or secrets.values):
        return desired
    desired = _scrubbed(desired, secrets)
    if desired.attrs is None:
        return desired
    texts = {key: text for key, text in desired.texts.items() if key not in desired.masked}
    held = {key for key, text in texts.items() if secrets.holds(text)}  # the attr may be a hash of it
    found = {key for key, value in desired.attrs.items() if key in fields or secrets.holds(value)} | held
    found -= desired.sensitive
    if not found:
        return desired
    texts = {key: text for key, text in desired.texts.items() if key not in found}
    return replace(desired, texts=texts, sensitive=desired.sensitive | found)


def _scrubbed(desired: Desired, secrets: Secrets) -> Desired:
    other = desired.replace_effect
    return replace(
        desired,
        effect=secrets.scrub(desired.effect),
        irreversible=secrets.scrub(desired.irreversible),
        replace_effect=None if other is None else replace(other, text=secrets.scrub(other.text)),
    )


def opened(observed: Observed | None, desired: Desired, seal: Seal) -> Observed | None:
    """The observed state with the desired value in place of its HMAC, where a host has the one and it is of the other.

    A kind that keeps a digest of something secret on a host keeps it as the state does (`Change.sealed`).
    """
    if observed is None or desired.attrs is None:
        return observed
    attrs = dict(observed.attrs)
    for key in desired.sensitive & attrs.keys() & desired.attrs.keys():
        value = desired.attrs[key]
        if sealed(attrs[key]) and not isinstance(value, Unknown) and attrs[key] == seal(canonical(value)):
            attrs[key] = value
    return observed if attrs == observed.attrs else replace(observed, attrs=attrs)


def sealed(value: Any) -> bool:
    """Whether a value is an HMAC already."""
    return isinstance(value, str) and value.startswith("hmac:")


def recorded_spec(provider: Provider[Any], instance: Instance, seal: Seal) -> JSON:
    """The spec as the state keeps it: without bulk, and with an HMAC in place of each secret."""
    spec = provider.recorded(instance.spec)
    value: JSON = spec.model_dump(mode="json", exclude_defaults=True)
    for field in instance.sensitive:
        value = _redact(value, field.split("."), seal)
    return value


def _redact(value: JSON, path: list[str], seal: Seal) -> JSON:
    if not path:
        return value if value is None or sealed(value) else _seal_leaves(value, seal)
    head, rest = path[0], path[1:]
    if isinstance(value, dict) and head in value:
        return {**value, head: _redact(value[head], rest, seal)}
    if isinstance(value, list) and head.isdigit() and int(head) < len(value):
        return [_redact(item, rest, seal) if i == int(head) else item for i, item in enumerate(value)]
    return value


def _seal_leaves(value: JSON, seal: Seal) -> JSON:
    """Structures keep their shape, so that the recorded spec still loads."""
    if isinstance(value, dict):
        return {key: _seal_leaves(item, seal) for key, item in value.items()}
    if isinstance(value, list):
        return [_seal_leaves(item, seal) for item in value]
    return seal(canonical(value)) if isinstance(value, str) else value


def addresses(values: Collection[Address]) -> tuple[str, ...]:
    """Addresses as text, sorted."""
    return tuple(sorted(str(v) for v in values))
