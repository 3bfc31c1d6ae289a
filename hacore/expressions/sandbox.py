"""The sandbox: names of mappings before methods, no private attributes, nothing undefined, nothing random."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from typing import Any

from jinja2 import StrictUndefined
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from ..errors import ExpressionError

LARGEST = 10_000_000
"""What one `*` or `**` of an expression may give."""


class BrokenError(ExpressionError):
    """An expression that rests on something whose own mistake is reported already: say nothing more."""


class NoSuchNameError(ExpressionError):
    """An expression names something that is not there or not allowed. It carries names only, so it may be shown."""


class Lookup(ABC):
    """An object whose parts are looked up when an expression asks for them."""

    __slots__ = ()

    @abstractmethod
    def lookup(self, name: object) -> Any:
        """The part called `name`; raises NoSuchNameError or BrokenError."""


class NoSuchPart(str):
    """What an UndefinedError says of a part that a value does not have: its name, and a hint at another one."""

    def __new__(cls, message: str, part: str, hint: str = "") -> NoSuchPart:
        """The message, with what it is about."""
        made = super().__new__(cls, message)
        made.part, made.hint = part, hint
        return made

    part: str
    hint: str


class Missing(StrictUndefined):
    """What is not defined: using it is an error that says what is there instead."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is missing:
            return f"nothing is named {name!r}"
        if isinstance(self._undefined_obj, Mapping):
            close = get_close_matches(str(name), [str(key) for key in self._undefined_obj], n=1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            return NoSuchPart(f"there is no {name!r} in it{hint}", str(name), hint)
        kind = type(self._undefined_obj).__name__
        return NoSuchPart(f"a value of type {kind} has no {name!r}", str(name))


class Broken(StrictUndefined):
    """Stands for a value that could not be had; using it raises BrokenError."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("rests on a mistake elsewhere", exc=_BrokenUndefinedError)


class _BrokenUndefinedError(UndefinedError):
    pass


def is_broken(error: BaseException) -> bool:
    """Whether an error comes from using a Broken value."""
    return isinstance(error, _BrokenUndefinedError | BrokenError)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 for stacks. The same input gives the same text: what is random is taken out."""

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
        self.filters["tojson"] = _tojson  # Jinja2's own escapes for HTML

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Nothing private, and of a Lookup nothing but what it looks up."""
        return not isinstance(obj, Lookup) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`*` and `**`, unless the result would fill the memory: `'a' * 3000000000`."""
        if _size(operator, left, right) > LARGEST:
            raise NoSuchNameError(f"the result of {operator} is larger than {LARGEST} characters, items or digits")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: an entry of a mapping comes before its methods (`var.items`)."""
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
        elif isinstance(obj, Lookup):
            return obj.lookup(attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: of a mapping only its entries."""
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
    """What a text may show: data, never an object of ours or a method that was not called."""
    if not isinstance(value, StrictUndefined) and (isinstance(value, Lookup) or callable(value)):
        raise NoSuchNameError("it shows something that is no value: name one of its parts, or call it")
    return value


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=False)
