"""Compiled expressions and templates: compiled once, evaluated for each instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError, TemplateNotFound, TemplateSyntaxError, UndefinedError

from ..errors import ExpressionError, HacoreError
from ..scalars import scalar_fault
from .sandbox import BrokenError, Lookup, NoSuchNameError, NoSuchPart, is_broken
from .syntax import Path

Scope = Mapping[str, Any]

_PLAIN = (str, int, float, bool, type(None))


def mentions(text: str) -> bool:
    """Whether a text contains an expression."""
    return "{{" in text or "{%" in text


@dataclass(frozen=True, slots=True)
class Expression:
    """A scalar with expressions. `typed`: it is a single expression, and its value keeps its type.

    `roots` are the outermost names that it needs, `paths` all paths that it names.
    """

    source: str
    typed: bool
    roots: frozenset[str]
    paths: frozenset[Path]
    run: Callable[[Scope], Any]

    def evaluate(self, scope: Scope) -> Any:
        """The value, plain JSON; raises ExpressionError (NoSuchNameError, BrokenError)."""
        try:
            return plain(self.run(scope))
        except Exception as error:
            raise translated(error, self.paths) from error


@dataclass(frozen=True, slots=True)
class Template:
    """A template file. `opaque`: it includes files by computed names, so it can use any name."""

    name: str
    roots: frozenset[str]
    paths: frozenset[Path]
    opaque: bool
    compiled: jinja2.Template

    def render(self, scope: Scope, *, withhold: str = "") -> str:
        """The text; raises ExpressionError that names the template and, if known, the line.

        `withhold` replaces the text of errors that could quote a value.
        """
        try:
            return str(plain("".join(self.compiled.root_render_func(self.compiled.new_context(dict(scope))))))
        except Exception as error:
            wrong = translated(error, self.paths)
            if isinstance(wrong, BrokenError):
                raise wrong from error
            if withhold and not isinstance(wrong, NoSuchNameError):
                raise ExpressionError(f"{self._where(error)}: {withhold}") from None
            raise type(wrong)(f"{self._where(error)}: {wrong}") from error

    def _where(self, error: BaseException) -> str:
        """The innermost template and line of a traceback."""
        here = self.name
        trace = error.__traceback__
        while trace is not None:
            template = trace.tb_frame.f_globals.get("__jinja_template__")
            if isinstance(template, jinja2.Template):
                here = f"{template.name or self.name}:{template.get_corresponding_lineno(trace.tb_lineno)}"
            trace = trace.tb_next
        return here


def plain(value: Any) -> Any:
    """A value as plain JSON data; raises for undefined values and for objects that are not data."""
    kind = type(value)
    if kind in _PLAIN:
        if kind is not bool and (fault := scalar_fault(value)):
            raise NoSuchNameError(f"the {'string' if kind is str else 'integer'} {fault}")
        return value
    if isinstance(value, StrictUndefined):
        value._fail_with_undefined_error()
    if isinstance(value, Mapping):
        return {_key(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, str):  # Markup
        return str.__str__(value)
    if isinstance(value, list | tuple | range | set | frozenset) or hasattr(value, "__next__") or _is_view(value):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Lookup):
        raise ExpressionError("the result is not data: use one of its parts")
    raise ExpressionError(f"the result is a {kind.__name__}, not data: use one of its parts, or call it")


def _is_view(value: Any) -> bool:
    return isinstance(value, type({}.keys()) | type({}.values()) | type({}.items()))


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ExpressionError(f"a mapping's keys must be strings, not {type(key).__name__}")
    return str(plain(key))


def translated(error: Exception, paths: frozenset[Path] = frozenset()) -> ExpressionError:
    """An error of evaluation as an ExpressionError, with as few values in it as possible."""
    if is_broken(error):
        return BrokenError("depends on another mistake")
    if isinstance(error, ExpressionError):
        return error
    if isinstance(error, UndefinedError):
        return NoSuchNameError(_full_name(error.message, paths))
    if isinstance(error, TemplateNotFound):
        return NoSuchNameError(f"no template {error.name!r} in the stack's folder")
    if isinstance(error, TemplateSyntaxError):
        return ExpressionError(f"{error.name or 'line'}:{error.lineno}: {error.message}")
    if isinstance(error, SecurityError):
        return NoSuchNameError("this attribute is not allowed in expressions")
    if isinstance(error, HacoreError | OSError):
        return ExpressionError(str(error))
    if isinstance(error, RecursionError):
        return ExpressionError("the recursion does not end")
    return ExpressionError(f"{str(error) or type(error).__name__}")


def _full_name(message: str | None, paths: frozenset[Path]) -> str:
    """The message for an undefined part, with its whole path if only one path has such a part."""
    if isinstance(message, NoSuchPart):
        name = message.part
        whole = [path[: path.index(name, 1) + 1] for path in paths if name in path[1:]]
        if len(set(whole)) == 1 and None not in whole[0]:
            dotted = ".".join(str(part) for part in whole[0])
            return f"{dotted} is undefined{message.hint}"
    return message or ""
