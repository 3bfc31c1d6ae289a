"""Checks of the results of providers: one for each method of the contract.

A check returns the result, sequences as tuples, or raises Misshapen with a text that continues "returned".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType
from typing import Any, get_args

from ..address import Address
from ..contract import (
    Ask,
    Check,
    Claim,
    Daemon,
    Desired,
    Disrupts,
    Effect,
    FailOver,
    Guard,
    Held,
    Image,
    Maintenance,
    Mistake,
    Network,
    Observed,
    Provider,
    Served,
    Step,
    Trigger,
    Unknown,
)

DISRUPTS = get_args(Disrupts)

Shape = Callable[[Any, Provider[Any]], Any]


class Misshapen(Exception):  # noqa: N818 - a verdict on a value
    """A value that the contract does not allow."""


def json_fault(value: Any, path: str) -> str:
    """Why a value is not JSON, with its path; "" when it is."""
    if value is None or isinstance(value, str | bool | int):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{path}, which is {value} and not a JSON number"
    if isinstance(value, list):
        return next((fault for i, item in enumerate(value) if (fault := json_fault(item, f"{path}[{i}]"))), "")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"{path} with the key {key!r}: keys of JSON are strings"
            if fault := json_fault(item, f"{path}.{key}"):
                return fault
        return ""
    return f"{path}, which is a {type(value).__name__} and not JSON: use strings, numbers, booleans, null, lists, dicts"


def _need(value: Any, wanted: type | tuple[type, ...], words: str, where: str = "") -> None:
    if not isinstance(value, wanted):
        raise Misshapen(f"{where + ' that is ' if where else ''}a {type(value).__name__}, and must be {words}")


def _attrs(value: Any, where: str, *, unknown: bool = False) -> None:
    _need(value, Mapping, "a mapping", where)
    for key, item in value.items():
        if type(key) is str and type(item) in _PLAIN:  # the usual case, a hundred thousand times a plan
            continue
        _need(key, str, "a string", f"a key of {where}")
        if unknown and isinstance(item, Unknown):
            continue
        if fault := json_fault(item, f"{where}[{key!r}]"):
            raise Misshapen(fault)


_PLAIN = frozenset((str, int, bool, type(None)))


def _texts(value: Any) -> None:
    _need(value, Mapping, "a mapping", "texts")
    for item in value.values():
        _need(item, str, "a string", "a text")


def spec(value: Any, provider: Provider[Any]) -> Any:
    """A spec of the kind."""
    _need(value, provider.spec, f"a {provider.spec.__name__}")
    return value


def observed(value: Any, _: Provider[Any]) -> Any:
    """The current state: JSON."""
    if value is not None:
        _need(value, Observed, "an Observed or None")
        _attrs(value.attrs, "attrs")
        _attrs(value.info, "info")
        if value.texts:
            _texts(value.texts)
    return value


def desired(value: Any, _: Provider[Any]) -> Any:
    """The desired state: JSON, or Unknown."""
    _need(value, Desired, "a Desired")
    if value.attrs is not None:
        _attrs(value.attrs, "attrs", unknown=True)
    if value.texts:
        _texts(value.texts)
    for name in ("sensitive", "replace_on"):
        if type(names := getattr(value, name)) is not frozenset:
            _need(names, Set, "a frozenset of names", name)
    for name in ("irreversible", "effect"):
        _need(getattr(value, name), str, "a string", name)
    _disrupts(value.disrupts)
    if value.replace_effect is not None:
        effect(value.replace_effect, _)
    return value


def effect(value: Any, _: Provider[Any]) -> Any:
    """The effect of a delete or a replace."""
    _need(value, Effect, "an Effect")
    _need(value.text, str, "a string", "text")
    _disrupts(value.disrupts)
    return value


def _disrupts(value: Any) -> None:
    if value not in DISRUPTS:
        raise Misshapen(f"disrupts = {value!r}, and must be one of {', '.join(DISRUPTS)}")


def image(value: Any, _: Provider[Any]) -> Any:
    """A before-image: JSON and bytes."""
    _need(value, Image, "an Image")
    if fault := json_fault(value.data, "data"):
        raise Misshapen(fault)
    _need(value.blobs, Mapping, "a mapping", "blobs")
    for blob in value.blobs.values():
        _need(blob, bytes, "bytes", "a blob")
    return value


def images(value: Any, provider: Provider[Any]) -> dict[Address, Image]:
    """The result of a capture's parse."""
    _need(value, Mapping, "a mapping of Address to Image")
    for address, item in value.items():
        _need(address, Address, "an Address", "a key")
        image(item, provider)
    return dict(value)


def step(value: Any, _: Provider[Any] | None = None) -> Any:
    """One step."""
    _need(value, Step, "a Step")
    _need(value.script, str, "a string", "script")
    _need(value.deadline, (int, float), "a number of seconds", "deadline")
    for blob in value.blobs.values():
        _need(blob, bytes, "bytes", "a blob")
    _disrupts(value.disrupts)
    return value


def steps(value: Any, _: Provider[Any]) -> tuple[Step, ...]:
    """Steps in order."""
    return tuple(step(item) for item in many(value, Step))


def maybe_step(value: Any, _: Provider[Any]) -> Any:
    """A capture."""
    return None if value is None else step(value)


def guard(value: Any, _: Provider[Any]) -> Any:
    """A guard, or none."""
    if value is None:
        return None
    _need(value, Guard, "a Guard or None")
    return replace(value, drain=step(value.drain), undrain=step(value.undrain))


def many(value: Any, wanted: type) -> tuple[Any, ...]:
    """Items of one type; generators run here, where their exceptions are attributed to the kind."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise Misshapen(f"a {type(value).__name__}, and must be a sequence of {wanted.__name__}")
    found = tuple(value)
    for item in found:
        _need(item, wanted, f"of {wanted.__name__}", "an item")
    return found


def _all(wanted: type) -> Shape:
    return lambda value, _: many(value, wanted)


def _asks(value: Any, _: Provider[Any]) -> Sequence[Ask]:
    found = many(value, Ask)
    for ask in found:
        _need(ask.arg, str, "a string", "an Ask with an arg")
        _need(ask.wanted, str, "a string", "an Ask with a `wanted`")
    return found


def _by_host(value: Any, _: Provider[Any]) -> tuple[tuple[str, Mistake], ...]:
    found = many(value, tuple)
    for item in found:
        if len(item) != 2 or not isinstance(item[0], str) or not isinstance(item[1], Mistake):
            raise Misshapen(f"{item!r}, and must be pairs of a host's name and a Mistake")
    return found


def _by_address(value: Any, _: Provider[Any]) -> tuple[tuple[Address, Mistake], ...]:
    found = many(value, tuple)
    for item in found:
        if len(item) != 2 or not isinstance(item[0], Address) or not isinstance(item[1], Mistake):
            raise Misshapen(f"{item!r}, and must be pairs of an Address and a Mistake")
    return found


def _contents(value: Any, _: Provider[Any]) -> Mapping[str, bytes]:
    _need(value, Mapping, "a mapping of path to bytes")
    for path, content in value.items():
        _need(path, str, "a string", "a mapping with a path")
        _need(content, bytes, "bytes", "a mapping with a content")
    return dict(value)


def _is(wanted: type | tuple[type, ...], words: str) -> Shape:
    def check(value: Any, _: Provider[Any]) -> Any:
        _need(value, wanted, words)
        return value

    return check


_NAME = _is((str, type(None)), "a string or None")


def _agreement(value: Any, _: Provider[Any]) -> dict[str, Any]:
    """Names with values that can be compared and hashed."""
    _need(value, Mapping, "a mapping")
    for name, item in value.items():
        _need(name, str, "a string", "a key")
        try:
            hash(item)
        except TypeError:
            raise Misshapen(f"a {type(item).__name__} for {name!r}, which cannot be hashed") from None
    return dict(value)


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "resolve": spec,
        "validate": _by_host,
        "claims": _all(Claim),
        "needs": _all(str),
        "triggers": _all(Trigger),
        "aggregate": _NAME,
        "daemon": _is(str, "a string"),
        "network": _is((Network, type(None)), "a Network or None"),
        "recorded": spec,
        "facts": _asks,
        "observe": observed,
        "desire": desired,
        "examine": _all(Mistake),
        "examine_all": _by_address,
        "contents": _contents,
        "invalidates": _all(str),
        "exclusive": _NAME,
        "agreement": _agreement,
        "guard": guard,
        "fail_over": _is((FailOver, type(None)), "a FailOver or None"),
        "maintenance": _is((Maintenance, type(None)), "a Maintenance or None"),
        "checks": _all(Check),
        "serving_facts": _asks,
        "served": _all(Served),
        "daemons": _all(Daemon),
        "held": _is((Held, type(None)), "a Held or None"),
        "prepare": steps,
        "capture": maybe_step,
        "apply": steps,
        "undo": steps,
        "delete": steps,
        "absent": image,
        "delete_effect": effect,
        "delete_irreversible": _is(str, "a string"),
        "trigger": steps,
        "loads": _is(bool, "true or false"),
        "patience": _is((int, float), "a number of seconds"),
    }
)
"""By method; the engine calls no others."""


__all__ = ["SHAPES", "Misshapen", "images"]
