"""The sandbox: keys of mappings before methods, no private attributes, no undefined names, no random values."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any

from jinja2 import StrictUndefined
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from ..errors import ExpressionError
from ..spelling import closest
from .notes import FILTER, note_result

LARGEST = 10_000_000
"""What one `*` or `**` of an expression may give."""


class BrokenError(ExpressionError):
    """An expression that depends on a value with a mistake, which is reported already: not reported again."""


class NoSuchNameError(ExpressionError):
    """An expression uses a name that does not exist or is not allowed. It quotes names only, so it can be shown."""


class Lookup(ABC):
    """An object with parts that are looked up when an expression uses them."""

    __slots__ = ()

    @abstractmethod
    def lookup(self, name: object) -> Any:
        """The part called `name`; raises NoSuchNameError or BrokenError."""


class NoSuchPart(str):
    """The message of an UndefinedError for a missing part of a value: with its name and a hint."""

    def __new__(cls, message: str, part: str, hint: str = "") -> NoSuchPart:
        """The message, with the part's name."""
        made = super().__new__(cls, message)
        made.part, made.hint = part, hint
        return made

    part: str
    hint: str


class Missing(StrictUndefined):
    """An undefined value: using it is an error with a hint."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is missing:
            return f"{name!r} is undefined"
        if isinstance(self._undefined_obj, Mapping):
            close = closest(str(name), [str(key) for key in self._undefined_obj])
            hint = f": did you mean {close!r}?" if close is not None else ""
            return NoSuchPart(f"{name!r} is undefined{hint}", str(name), hint)
        kind = type(self._undefined_obj).__name__
        return NoSuchPart(f"a value of type {kind} has no {name!r}", str(name))


class Broken(StrictUndefined):
    """A placeholder for a value with a mistake; using it raises BrokenError."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("depends on another mistake", exc=_BrokenUndefinedError)


class _BrokenUndefinedError(UndefinedError):
    pass


def is_broken(error: BaseException) -> bool:
    """Whether an error comes from using a Broken value."""
    return isinstance(error, _BrokenUndefinedError | BrokenError)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 for stacks. The same input gives the same text: functions with random results are removed."""

    intercepted_binops = frozenset(("*", "**"))

    def __init__(self, **options: Any) -> None:
        super().__init__(
            undefined=Missing,
            autoescape=False,
            keep_trailing_newline=True,
            trim_blocks=True,
            finalize=_shown,
            **options,
        )
        self.globals.pop("lipsum", None)
        self.filters.pop("random", None)
        self.filters[FILTER] = note_result
        self.filters["tojson"] = _tojson  # Jinja2's own escapes for HTML

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """No private attributes, and no attributes of a Lookup except those it looks up."""
        return not isinstance(obj, Lookup) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`*` and `**`, unless the result would fill the memory: `'a' * 3000000000`."""
        if _size(operator, left, right) > LARGEST:
            raise NoSuchNameError(f"the result of {operator} is larger than {LARGEST} characters, items or digits")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: an entry of a mapping has precedence over its methods (`var.items`)."""
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
        elif isinstance(obj, Lookup):
            return obj.lookup(attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: only entries of a mapping."""
        if isinstance(obj, dict):
            if isinstance(argument, Hashable) and argument in obj:
                return obj[argument]
            return self.undefined(obj=obj, name=argument)
        if isinstance(obj, Lookup):
            return obj.lookup(argument)
        return super().getitem(obj, argument)


def _size(operator: str, left: Any, right: Any) -> int:
    """Characters, items or (at least as many as) digits of a product or a power."""
    if isinstance(left, int) and isinstance(right, int):
        return left.bit_length() * abs(right) if operator == "**" else 0
    for repeated, times in ((left, right), (right, left)):
        if isinstance(repeated, str | list | tuple) and isinstance(times, int):
            return len(repeated) * times
    return 0


def _shown(value: Any) -> Any:
    """Values in a text: data, not an object of the loader or a method that was not called."""
    if not isinstance(value, StrictUndefined) and (isinstance(value, Lookup) or callable(value)):
        raise NoSuchNameError("the result is not data: use one of its parts, or call it")
    return value


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=False)
