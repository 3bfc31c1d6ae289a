"""How two plans differ, address by address: what a saved plan is refused for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import JSON, canonical
from .sealing import sealed

_COUNTS = ("action", "desired", "hosts", "inherits", "disrupts")
"""Of a change, besides what was found and whether it can be undone. The rest is words for this."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference from the plan, and where: an address, or a host when all of it differs."""

    address: str
    why: str

    def __str__(self) -> str:
        return f"{self.address}: {self.why}"


def differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Two plans as `plan_to_json` has them, sealed by one key. What is volatile (notes, warnings) does not count."""
    found = [*_hosts(saved["hosts"], now["hosts"]), *_changes(saved, now)]
    if not found:
        found = list(_tasks(saved["tasks"], now["tasks"]))
    return tuple(found)


def _hosts(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*saved, *now}):
        before, after = saved.get(name), now.get(name)
        if before is None or after is None:
            yield Difference(name, "the host is not the plan's" if before is None else "nothing is on this host now")
        elif (before["facts"] is None) is not (after["facts"] is None):
            why = f"cannot be asked now: {after['error']}" if after["facts"] is None else "could not be asked then"
            yield Difference(name, why)
        elif before["facts"] is not None and before["facts"]["machine_id"] != after["facts"]["machine_id"]:
            yield Difference(name, "is another machine now: its machine-id has changed")


def _changes(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    planned = {c["address"]: c for c in saved["changes"]}
    current = {c["address"]: c for c in now["changes"]}
    for address in sorted({*planned, *current}):
        before, after = planned.get(address), current.get(address)
        if after is None:
            yield Difference(address, f"is now unchanged, planned was {before['action']}")  # type: ignore[index]
        elif before is None:
            was = saved["observed"].get(address)
            why = _found(was, after["observed"]) if address in saved["observed"] else ""
            text = f"is now {_a(after['action'])}, nothing was planned"
            yield Difference(address, f"{text} ({why})" if why else text)
        elif canonical(before["observed"]) != canonical(after["observed"]):
            why = _found(before["observed"], after["observed"])
            same = before["action"] == after["action"]
            yield Difference(address, why if same else f"{_other(before, after)} ({why})")
        elif bool(after["irreversible"]) and not before["irreversible"]:
            yield Difference(address, "it could not be undone now")
        elif any(canonical(before[key]) != canonical(after[key]) for key in _COUNTS):
            yield Difference(address, _other(before, after))


def _found(before: JSON, after: JSON) -> str:
    """What of an observation is another one."""
    if before is None or after is None:
        return "exists now" if before is None else "does not exist now"
    keys = [k for k in sorted({*before, *after}) if canonical(before.get(k)) != canonical(after.get(k))]
    return ", ".join(_said(key, before.get(key), after.get(key)) for key in keys)


def _said(key: str, before: Any, after: Any) -> str:
    if sealed(before) or sealed(after):
        return f"{key} has changed (sensitive)"
    return f"{key} was {_short(before)}, is {_short(after)}"


def _short(value: Any) -> str:
    text = "not there" if value is None else value if isinstance(value, str) else canonical(value)
    return text if len(text) <= 60 else text[:24] + "…"


def _a(action: str) -> str:
    """An action as a noun: "an update"."""
    return f"an {action}" if action[0] in "aeiou" else f"a {action}"


def _other(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if before["action"] != after["action"]:
        return f"is now {_a(after['action'])}, planned was {before['action']}"
    if canonical(before["desired"]) != canonical(after["desired"]):
        return "the desired state has another value on this host now"
    return "it would be changed in another way now"


def _tasks(saved: list[Any], now: list[Any]) -> Iterator[Difference]:
    """The same changes, but in another order or with other guards around them."""
    if canonical(saved) == canonical(now):
        return
    known, current = {canonical(t): t for t in saved}, {canonical(t): t for t in now}
    odd = [t for key, t in {**known, **current}.items() if not (key in known and key in current)]
    for address in sorted({a for task in odd for a in task["addresses"]}):
        yield Difference(address, "it would be done in another order, or otherwise guarded, now")
