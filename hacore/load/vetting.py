"""Requirements on a provider, checked by its class before any of its code is called."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from ..contract import Provider, Spec
from ..contract.former import API, MEMBERS

PAGE = "see docs/providers.md"


def fault_of(provider: object, kind: str, where: str) -> str:
    """Why a provider that is registered as `kind` cannot be used, with the correction; "" when it can be used."""
    if not isinstance(provider, Provider):
        return f"{where} is not a Provider: name an instance of a class that derives from hacore.contract.Provider"
    if fault := _api_fault(provider):
        return fault
    if getattr(provider, "kind", None) != kind:
        return f"its provider has kind = {getattr(provider, 'kind', None)!r} and must have kind = {kind!r}"
    spec = getattr(provider, "spec", None)
    if not (isinstance(spec, type) and issubclass(spec, Spec)):
        return "its provider must have as `spec` a class that derives from hacore.contract.Spec"
    return "; ".join(_faults(type(provider)))


def _api_fault(provider: Provider[Any]) -> str:
    """The changes that a provider for another version needs, all at once."""
    declared = getattr(provider, "api", None)
    former = [f"rename `{old}` to `{new}`" for old, new in MEMBERS.items() if hasattr(provider, old)]
    if declared == API and type(declared) is int:
        return f"it has members of an earlier api: {', '.join(former)}; {PAGE}" if former else ""
    written = f"it is written for api {1 if declared is None else declared!r}"
    if isinstance(declared, int) and declared > API:
        return f"{written}, and this hacore has api {API}: install a newer hacore"
    return f"{written}: {', '.join([*former, f'declare `api = {API}`'])}; {PAGE}"


def _faults(made: type[Provider[Any]]) -> Iterator[str]:
    """The faults of its methods."""
    ours = {name for name in vars(Provider) if _overridden(made, name)}
    missing = [name for name in ("capture", "undo") if name not in ours]
    if "apply" in ours and missing:
        names = " and ".join(f"`{name}`" for name in missing)
        yield f"it has `apply` without {names}: a rollback could not restore what it changes; {PAGE}"
    for name in sorted(ours):
        function, needed = getattr(made, name), getattr(Provider, name)
        if isinstance(function, FunctionType) and not _takes(function, needed.__code__.co_argcount):
            words = ", ".join(needed.__code__.co_varnames[1 : needed.__code__.co_argcount])
            yield f"its `{name}` must take ({words}); {PAGE}"


def _overridden(made: type[Provider[Any]], name: str) -> bool:
    base = vars(Provider)[name]
    return isinstance(base, FunctionType) and not name.startswith("_") and getattr(made, name) is not base


def _takes(function: FunctionType, count: int) -> bool:
    """Whether a function accepts `count` positional arguments. Decorated functions are not checked."""
    if hasattr(function, "__wrapped__"):
        return True
    code = function.__code__
    least = code.co_argcount - len(function.__defaults__ or ())
    return least <= count and (count <= code.co_argcount or bool(code.co_flags & 0x04))


__all__ = ["fault_of"]
