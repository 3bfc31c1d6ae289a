"""Plain data as YAML in the style of the documentation: blocks, short lists in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["as_yaml", "comment", "literal"]

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*\Z")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_EXPRESSION = re.compile(r"\{[{%#]")
_WIDTH = 100


def literal(text: str) -> str:
    """A text of somebody else as an expression that evaluates to it: braces of Jinja2 stay braces."""
    return _EXPRESSION.sub(lambda match: f"{{{{ '{match[0]}' }}}}", text)


def comment(text: str, indent: str = "") -> str:
    """A text as lines of comment, whatever it contains."""
    lines = "".join(c if c.isprintable() or c == "\n" else "?" for c in text).split("\n")
    return "".join(f"{indent}# {line}".rstrip() + "\n" for line in lines)


def as_yaml(data: Mapping[str, Any], depth: int = 0) -> str:
    """A mapping as a YAML block of lines, indented by two spaces for each level."""
    return "".join(f"{line}\n" for line in _mapping(data, "  " * depth))


def _mapping(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        head = f"{indent}{_scalar(key)}:"
        flow = _flow(value)
        if isinstance(value, str) and _is_text(value):
            yield f"{head} |"
            yield from (f"{indent}  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))
        elif flow and len(head) + len(flow) < _WIDTH:
            yield f"{head} {flow}"
        elif isinstance(value, Mapping):
            yield head
            yield from _mapping(value, f"{indent}  ")
        elif isinstance(value, list | tuple):
            yield head
            yield from (f"{indent}  - {_inline(entry)}" for entry in value)
        else:
            yield f"{head} {_scalar(value)}"


def _flow(value: Any) -> str:
    """A value in one line; empty if blocks are easier to read."""
    if isinstance(value, Mapping):
        simple = len(value) < 4 and not any(isinstance(v, Mapping | list | tuple) for v in value.values())
        return _inline(value) if simple else ""
    if isinstance(value, list | tuple):
        return _inline(value) if not any(" " in v for v in value if isinstance(v, str)) else ""
    return _scalar(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(k)}: {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    # the escapes of JSON are escapes of YAML as well
    return json.dumps(value, ensure_ascii=not isinstance(value, str) or not value.isprintable())


def _is_text(value: str) -> bool:
    """Whether a text can be a literal block: lines of printable characters, with one line end at the end."""
    lines = value.split("\n")
    return (
        len(lines) > 2
        and lines[-1] == ""
        and lines[-2] != ""
        and not value.startswith((" ", "\n"))
        and all(line.replace("\t", " ").isprintable() and line == line.rstrip() for line in lines)
    )
