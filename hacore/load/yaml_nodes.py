"""YAML 1.2 with the position of each key and value.

The parser's events become Nodes; plain scalars follow the core schema of YAML 1.2 (chapter 10.3 of
the specification: `yes` is a string, `0644` is the integer 644, `0o644` is octal).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..scalars import DIGITS, scalar_fault
from .problems import Problems
from .stack import Position

_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(f"{_INT.pattern}|{_OCTAL.pattern}|{_HEX.pattern}")
_TAG = "tag:yaml.org,2002:"
_DEPTH = 64
_ALIASED = 200_000
"""Values that all aliases of a file together may stand for: ten lines can stand for billions ("billion laughs")."""

_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
_NOUNS = {"int": "an integer", "float": "a number", "bool": "true or false", "null": "null"}

Step = str | int


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value with its position: a scalar, a list of Nodes, or a mapping to Nodes.

    `keys` has the positions of a mapping's keys, `text` the source text of a scalar. Keys are strings.
    """

    value: Any
    position: Position
    keys: dict[str, Position] = field(default_factory=dict)
    text: str = ""

    @property
    def map(self) -> dict[str, Node]:
        """The entries of a mapping; nothing for other values."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def list(self) -> list[Node]:
        """The items of a list; nothing for other values."""
        return self.value if isinstance(self.value, list) else []

    def data(self) -> Any:
        """The plain value."""
        if isinstance(self.value, dict):
            return {key: node.data() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.data() for node in self.value]
        return self.value

    def child(self, step: Step) -> Node | None:
        """One step down, if it exists."""
        if isinstance(step, int) and 0 <= step < len(self.list):
            return self.list[step]
        return self.map.get(str(step))

    def at(self, path: Sequence[Step], *, key: bool = False) -> Position:
        """The position at `path`, as deep as it exists; with `key` that of its key."""
        node = self
        for step in path:
            child = node.child(step)
            if child is None:
                return node.position
            if key and step == path[-1] and node.keys:
                return node.keys.get(str(step), child.position)
            node = child
        return node.position

    def key(self, name: str) -> Position:
        """The position of a key of this mapping."""
        return self.keys.get(name, self.position)

    def without(self, names: frozenset[str]) -> Node:
        """This mapping without some keys."""
        return replace(self, value={key: node for key, node in self.map.items() if key not in names})

    def merged(self, over: Node, deep: frozenset[str] = frozenset()) -> Node:
        """This mapping with the entries of `over`, which have precedence; those in `deep` are merged by entry."""
        entries = dict(self.map)
        for key, node in over.map.items():
            below = entries.get(key)
            if key in deep and below is not None and isinstance(below.value, dict) and isinstance(node.value, dict):
                node = below.merged(node)
            entries[key] = node
        return replace(self, value=entries, keys={**self.keys, **over.keys})

    def scalars(self) -> Iterator[Node]:
        """All scalars in and below this."""
        below = self.map.values() if isinstance(self.value, dict) else self.list
        if not below and not isinstance(self.value, dict | list):
            yield self
        for node in below:
            yield from node.scalars()


def read_yaml(text: str, file: str, problems: Problems) -> Node | None:
    """The one document of a YAML text; None (and a problem) when it cannot be read or is empty."""
    from ruamel.yaml import YAML  # 0.1 s that most commands' start-up can do without
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        events = _parsed(YAML(typ="safe", pure=True).parse(text), file)
        return _Composer(events, file, problems).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)
        hint = ": indent with spaces" if "\\t" in str(error.problem) else ""
        context = f" {error.context}" if error.context else ""
        problems.add(where, f"cannot read the YAML: {error.problem or 'bad syntax'}{context}{hint}")
    except _RejectedError as error:
        problems.add(error.position, f"cannot read the YAML: {error}")
    except YAMLError as error:
        problems.add(Position(file, 1, 1), f"cannot read the YAML: {str(error).splitlines()[0]}")
    return None


def _parsed(events: Iterable[Any], file: str) -> Iterator[Any]:
    """The events of a parser. It lets through what chr() and its assertions raise (an escape above U+10FFFF)."""
    from ruamel.yaml.error import YAMLError

    where = Position(file, 1, 1)
    try:
        for event in events:
            where = Position(file, event.end_mark.line + 1, event.end_mark.column + 1)
            yield event
    except YAMLError:
        raise
    except Exception as error:
        raised = str(error)
        if isinstance(error, OverflowError) or "chr()" in raised:
            raise _RejectedError(where, "an escape after this is not a character: the last one is U+10FFFF") from error
        raise _RejectedError(where, raised or type(error).__name__) from error


class _RejectedError(Exception):
    """A document that the parser cannot finish, or that is larger than any stack."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position


class _Composer:
    """Makes Nodes of a parser's events."""

    def __init__(self, events: Iterator[Any], file: str, problems: Problems) -> None:
        self._events = events
        self._file = file
        self._problems = problems
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[str, int] = {}  # of what an anchor names, its aliases expanded
        self._count = 0
        self._aliased = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            name = type(event).__name__
            if name == "DocumentStartEvent":
                if root is not None:
                    self._problems.add(self._place(event), "a second document: a file has only one")
                    break
                root = self._node(next(self._events), 0)
        if root is None:
            self._problems.add(Position(self._file, 1, 1), "the file is empty")
        return root

    def _place(self, event: Any) -> Position:
        mark = event.start_mark
        return Position(self._file, mark.line + 1, mark.column + 1)

    def _node(self, event: Any, depth: int) -> Node:
        where = self._place(event)
        name = type(event).__name__
        if name == "AliasEvent":
            known = self._anchors.get(event.anchor)
            if known is None:
                self._problems.add(where, f"alias *{event.anchor} has no anchor &{event.anchor} before it")
                return Node(None, where)
            self._expand(event.anchor, where)
            return replace(known, position=where) if not isinstance(known.value, dict | list) else known
        if depth > _DEPTH:
            raise _RejectedError(where, f"nested more than {_DEPTH} deep")
        before = self._count
        self._count += 1
        if name == "MappingStartEvent":
            self._check_tag(event, where, "map", "a mapping")
            node = self._mapping(where, depth)
        elif name == "SequenceStartEvent":
            self._check_tag(event, where, "seq", "a list")
            node = Node([], where)
            while type(item := next(self._events)).__name__ != "SequenceEndEvent":
                node.value.append(self._node(item, depth + 1))
        else:
            node = Node(self._scalar(event, where), where, text=event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
            self._sizes[event.anchor] = self._count - before
        return node

    def _expand(self, anchor: str, where: Position) -> None:
        """Count what an alias stands for; it is read as often as it is named."""
        self._count += self._sizes[anchor]
        self._aliased += self._sizes[anchor]
        if self._aliased > _ALIASED:
            raise _RejectedError(where, f"its aliases stand for more than {_ALIASED} values, with *{anchor} here")

    def _check_tag(self, event: Any, where: Position, kind: str, noun: str) -> None:
        if event.tag not in (None, "!", _TAG + kind):
            self._problems.add(where, f"unknown tag {event.tag} on {noun}: remove it")

    def _mapping(self, where: Position, depth: int) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Position] = {}
        below: list[Node] = []
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._node(event, depth + 1)
            plain = getattr(event, "implicit", None) == (True, False)
            value = self._node(next(self._events), depth + 1)
            if key.text == "<<" and plain:
                below.extend(value.list if isinstance(value.value, list) else [value])
            elif isinstance(key.value, dict | list) or key.value is None:
                self._problems.add(key.position, "a key must be a string")
            elif key.text in entries:
                first = keys[key.text]
                self._problems.add(key.position, f"duplicate key {key.text!r}: first in line {first.line}; remove one")
            else:
                entries[key.text] = value
                keys[key.text] = key.position
        for node in below:
            if not isinstance(node.value, dict):
                self._problems.add(node.position, "<< needs a mapping or a list of mappings")
            for name, value in node.map.items():
                entries.setdefault(name, value)
                keys.setdefault(name, node.keys[name])
        return Node(entries, where, keys)

    def _scalar(self, event: Any, where: Position) -> Any:
        text = event.value
        tag = event.tag
        if fault := scalar_fault(text):
            self._problems.add(where, f"the string {fault}")
            return ""
        number = event.implicit[0] if tag is None else tag != f"{_TAG}str"
        if number and len(text) > DIGITS and _INTEGER.match(text):
            self._problems.add(where, f"the integer has more than {DIGITS} digits: write a string in quotes")
            return 0
        if tag is None or tag == "!":
            return core(text) if event.implicit[0] else text
        kind = tag.removeprefix(_TAG)
        if kind == "str":
            return text
        value = core(text)
        if kind not in _TYPES:
            self._problems.add(where, f"unknown tag {tag}: remove it")
        elif kind == "float" and type(value) is int:
            return float(value)
        elif type(value) is not _TYPES[kind]:
            self._problems.add(where, f"{text!r} is not {_NOUNS[kind]}")
        return value


def core(text: str) -> Any:
    """A plain scalar's value by the core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.match(text):
        return int(text)
    if _OCTAL.match(text):
        return int(text[2:], 8)
    if _HEX.match(text):
        return int(text[2:], 16)
    if _FLOAT.match(text):
        return float(text)
    return text
