"""Calls into kinds: an exception or a wrong result of a provider becomes a ProviderError that names it.

A contained provider has the interface of the original, and checks the result of each method. A fault names
method, kind, package, address and source line. So callers rely on the contract alone, and a fault ends in
the plan's error or in its own task.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePath
from traceback import extract_tb
from types import TracebackType
from typing import Any

from ..address import Address
from ..contract import Change, Discover, Discovery, Guard, Maintenance, Provider, Spec, Step, View, Work
from ..errors import HacoreError, ProviderError
from .shapes import SHAPES, Misshapen, images

_DATA = ("api", "kind", "spec", "schema_version", "hosts", "plain", "arguments", "confidential", "whole", "discover")


class Contained(Provider[Any]):
    """A provider with checked results. Methods that it inherits from the contract are inherited here as well."""

    inner: Provider[Any]
    package: str

    def __getattr__(self, name: str) -> Any:
        """Attributes outside of the contract."""
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)


def contained(provider: Provider[Any], package: str = "") -> Provider[Any]:
    """The provider with checked results; `package` is its distribution, by default its module."""
    if isinstance(provider, Contained):
        return provider
    made = type(provider)
    own = [name for name in SHAPES if _defines(provider, name)]
    space: dict[str, Any] = {name: _behind(name) for name in own}
    space |= {name: getattr(provider, name) for name in _DATA if hasattr(provider, name)}
    door: Any = ABCMeta(made.__name__, (Contained,), {**space, "__module__": made.__module__})
    found: Contained = door()
    found.inner, found.package = provider, package or made.__module__
    if isinstance(provider.discover, Discover):
        find = provider.discover.find
        checked = _door(found, "discover", (), lambda facts: _discovery(find(facts)))
        door.discover = replace(provider.discover, find=checked)
    return found


def _discovery(value: object) -> Discovery:
    if not isinstance(value, Discovery):
        raise Misshapen(f"{type(value).__name__} and must return a Discovery")
    return value


def all_contained(providers: Mapping[str, Provider[Any]]) -> Mapping[str, Provider[Any]]:
    """The same kinds, all of them contained."""
    if all(isinstance(provider, Contained) for provider in providers.values()):
        return providers
    return {kind: contained(provider) for kind, provider in providers.items()}


def _defines(provider: Provider[Any], name: str) -> bool:
    return getattr(getattr(provider, name), "__func__", None) is not getattr(Provider, name)


def _behind(name: str) -> Callable[..., Any]:
    shape = SHAPES[name]

    def method(self: Contained, *args: Any, **more: Any) -> Any:
        try:
            value = shape(getattr(self.inner, name)(*args, **more), self.inner)
        except Exception as error:
            if _is_verdict(name, error):
                raise
            raise _fault(self, name, args, error) from error
        if name == "capture" and value is not None and value.parse is not None:
            return _with_parse(self, value, args)
        if name == "maintenance" and value is not None:
            return _with_effects(self, value, args)
        return _with_clear(self, value, args) if name == "guard" and value is not None else value

    method.__name__ = name
    return method


def _with_parse(door: Contained, step: Step, args: tuple[Any, ...]) -> Step:
    parse = step.parse
    assert parse is not None
    return replace(step, parse=_door(door, "capture's parse", args, lambda output: images(parse(output), door.inner)))


def _with_clear(door: Contained, guard: Guard, args: tuple[Any, ...]) -> Guard:
    return replace(guard, clear=_door(door, "guard's clear", args, lambda view: bool(guard.clear(view))))


def _with_effects(door: Contained, found: Maintenance, args: tuple[Any, ...]) -> Maintenance:
    return replace(
        found,
        drained=_door(door, "maintenance's drained", args, lambda view: bool(found.drained(view))),
        back=_door(door, "maintenance's back", args, lambda view: bool(found.back(view))),
    )


def _door(door: Contained, name: str, args: tuple[Any, ...], call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that a kind returned, contained as well."""

    def called(value: Any) -> Any:
        try:
            return call(value)
        except Exception as error:
            raise _fault(door, name, args, error) from error

    return called


def _is_verdict(name: str, error: Exception) -> bool:
    """Whether an error is a mistake in the stack, not a fault of the kind: in values and files, found while loading."""
    if isinstance(error, ProviderError):
        return True
    if name not in ("resolve", "validate"):
        return False
    from ..expressions import BrokenError

    return isinstance(error, BrokenError | HacoreError | ValueError | OSError)


def _fault(door: Contained, name: str, args: tuple[Any, ...], error: Exception) -> ProviderError:
    if isinstance(error, ProviderError):
        return error
    what = f"returned {error}" if isinstance(error, Misshapen) else f"raised {_quoted(error)}{_place(door, error)}"
    about = next((arg for arg in args if isinstance(arg, Spec)), None)
    return ProviderError(f"`{name}` of the kind {door.kind!r} ({door.package}) {what}", _addresses(args), about)


def _quoted(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _place(door: Contained, error: Exception) -> str:
    """The innermost source line of the kind's package in the traceback."""
    trace: TracebackType | None = error.__traceback__
    root = door.inner.__class__.__module__.partition(".")[0]
    for frame in reversed(extract_tb(trace)):
        parts = PurePath(frame.filename).parts
        if root in parts[:-1]:
            inside = len(parts) - 1 - parts[::-1].index(root)
            return f" at {'/'.join(parts[inside:])}:{frame.lineno}"
        if PurePath(frame.filename).stem == root:
            return f" at {parts[-1]}:{frame.lineno}"
    return ""


def _addresses(args: Iterable[Any]) -> tuple[Address, ...]:
    for arg in args:
        match arg:
            case View() | Change():
                return (arg.address,)
            case Work():
                return tuple(change.address for change in arg.changes)
            case Address():
                return (arg,)
    return ()


@contextmanager
def naming(*specs: Iterable[tuple[Address, Spec]]) -> Iterator[None]:
    """Add the addresses of a spec to a fault of a method that got the spec alone."""
    try:
        yield
    except ProviderError as error:
        if error.addresses or error.spec is None:
            raise
        found = tuple(address for known in specs for address, spec in known if spec is error.spec)
        raise ProviderError(error.brief, found[:3], error.spec) from error


__all__ = ["Contained", "all_contained", "contained", "naming"]
