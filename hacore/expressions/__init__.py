"""Expressions and templates: sandboxed Jinja2, in which an undefined name is an error.

Only this package imports Jinja2. `Expressions` compiles; an `Expression` or a `Template` has the names that
it uses (`paths`, from the syntax tree) and evaluates in a scope of plain values and Lookups.
"""

from __future__ import annotations

from .compiled import Expression, Template, mentions
from .engine import Expressions
from .notes import NOTES
from .sandbox import Broken, BrokenError, Lookup, NoSuchNameError
from .syntax import Path, touches

__all__ = [
    "NOTES",
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
