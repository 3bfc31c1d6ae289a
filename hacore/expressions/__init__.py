"""Expressions and templates: sandboxed Jinja2, where whatever is undefined is an error.

The one place that knows Jinja2. `Expressions` compiles; an `Expression` or a `Template` tells what
it names (`paths`, from the syntax tree) and evaluates against a scope of plain values and Lookups.
"""

from __future__ import annotations

from .compiled import Expression, Template, mentions
from .engine import Expressions
from .sandbox import Broken, BrokenError, Lookup, NoSuchNameError
from .syntax import Path, touches

__all__ = [
    "Broken",
    "BrokenError",
    "Expression",
    "Expressions",
    "Lookup",
    "NoSuchNameError",
    "Path",
    "Template",
    "mentions",
    "touches",
]
