"""Errors as text (after `error:`; one line per mistake in a stack) and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import HacoreError, StackError, StalePlanError, StepError
from .style import PLAIN, Style
from .words import clean, count

if TYPE_CHECKING:
    from .formats import ProblemJson
    from .run_formats import ErrorLine


def error_text(error: HacoreError, style: Style = PLAIN) -> str:
    """An error without a traceback."""
    label = style("red", "error:")
    if isinstance(error, StackError):
        lines = [clean(str(problem)) for problem in error.problems]
        return "\n".join([*lines, f"{label} {count(len(lines), 'mistake')} in the stack"])
    text = clean(str(error)) or error.code
    output = clean(error.output).rstrip() if isinstance(error, StepError) and error.output else ""
    return f"{label} {text}" + (f"\n{output}" if output and output not in text else "")


def error_json(error: HacoreError) -> ErrorLine:
    """The error as a line of JSON; `error` is its public code."""
    value: ErrorLine = {"type": "error", "error": error.code, "message": str(error)}
    if isinstance(error, StalePlanError):
        value["addresses"] = list(error.changed)
    if isinstance(error, StackError):
        value["problems"] = problems_json(error)
    return value


def problems_json(error: StackError) -> list[ProblemJson]:
    """The mistakes of a stack as JSON."""
    return [
        {"file": p.file, "line": p.line, "column": p.column, "address": p.address, "message": p.message}
        for p in error.problems
    ]
