"""Values with expressions in them: compiled once for a block, evaluated for each instance.

Names in an expression are checked when it is compiled (undefined variables, names that are not allowed at
that position), so a mistake is found even in a branch that is not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ExpressionError
from ..expressions import (
    NOTES,
    Broken,
    BrokenError,
    Expression,
    Expressions,
    NoSuchNameError,
    Path,
    mentions,
    touches,
)
from ..secrets import strings_in
from .files import WITHHELD
from .problems import Problems, suggest
from .yaml_nodes import Node

LEARN = "__learn"
"""In a scope: a function that takes each secret that an expression evaluates to."""
NAMES = ("var", "host", "hosts", "groups", "each", "resource", "file", "env")


class Run:
    """One evaluation: the scope, and the mistakes and sensitive paths found."""

    __slots__ = ("broken", "fail", "leaf", "scope", "tainted")

    def __init__(self, scope: Mapping[str, Any], fail: Callable[[Node, str], None]) -> None:
        self.scope = scope
        self.fail = fail
        self.broken = False
        self.leaf: Leaf | None = None
        self.tainted: set[Path] = set()

    def taint(self) -> None:
        """Mark the expression that is being evaluated as sensitive."""
        if self.leaf is not None:
            self.tainted.add(self.leaf.path)


class Value(Protocol):
    """A compiled value. `tainted` are the paths in it with expressions that use a sensitive value."""

    @property
    def roots(self) -> frozenset[str]:
        """The outermost names that its expressions need."""
        ...

    @property
    def paths(self) -> frozenset[Path]:
        """All paths that its expressions name."""
        ...

    @property
    def tainted(self) -> frozenset[Path]:
        """Paths in it that are sensitive."""
        ...

    def get(self, run: Run) -> Any:
        """The plain value; Broken in place of expressions that cannot be evaluated."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """A value without expressions; shared by all instances."""

    data: Any
    roots: frozenset[str] = frozenset()
    paths: frozenset[Path] = frozenset()
    tainted: frozenset[Path] = frozenset()

    def get(self, run: Run) -> Any:  # noqa: ARG002 - as the other Values
        """The value."""
        return self.data


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar with expressions; without an `expression` its mistake is reported already."""

    node: Node
    path: Path
    expression: Expression | None
    roots: frozenset[str] = frozenset()
    paths: frozenset[Path] = frozenset()
    tainted: frozenset[Path] = frozenset()
    secret: frozenset[Path] = frozenset()  # patterns of sensitive paths

    def get(self, run: Run) -> Any:
        """The value; a mistake is reported to `run.fail`."""
        if self.expression is None:
            run.broken = True
            return Broken()
        outer, run.leaf = run.leaf, self
        try:
            return self._value(self.expression, run)
        except BrokenError:
            pass
        except NoSuchNameError as error:
            run.fail(self.node, str(error))
        except ExpressionError as error:
            run.fail(self.node, f"cannot evaluate the expression: {WITHHELD if self.tainted else error}")
        finally:
            run.leaf = outer
        run.broken = True
        return Broken()

    def _value(self, expression: Expression, run: Run) -> Any:
        """The value; what it has of secrets is learned."""
        learn = run.scope.get(LEARN) if self.tainted or "resource" in self.roots else None
        if learn is None:
            return expression.evaluate(run.scope)
        noted: list[tuple[Iterable[Path], Any]] = []
        value = expression.evaluate({**run.scope, NOTES: lambda paths, part: noted.append((paths, part))})
        if expression.typed:
            noted.append((expression.paths, value))
        referred = self.path in run.tainted  # `resource...` of something sensitive
        for paths, part in noted:
            if touches(paths, self.secret) or (referred and any(path[0] == "resource" for path in paths)):
                for text in strings_in(part):
                    learn(text)
        return value


@dataclass(frozen=True, slots=True)
class Items:
    """A list with expressions."""

    items: tuple[Value, ...]
    roots: frozenset[str]
    paths: frozenset[Path]
    tainted: frozenset[Path]

    def get(self, run: Run) -> list[Any]:
        """The list."""
        return [item.get(run) for item in self.items]


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping with expressions."""

    entries: Mapping[str, Value]
    roots: frozenset[str] = frozenset()
    paths: frozenset[Path] = frozenset()
    tainted: frozenset[Path] = frozenset()

    def get(self, run: Run) -> dict[str, Any]:
        """The mapping."""
        return {key: value.get(run) for key, value in self.entries.items()}

    def over(self, other: Entries) -> Entries:
        """This mapping with the entries of another in place of its own."""
        return entries({**self.entries, **other.entries})


def entries(values: Mapping[str, Value]) -> Entries:
    """A mapping of compiled values."""
    return Entries(values, *_sum(values.values()))


def _sum(values: Iterable[Value]) -> tuple[frozenset[str], frozenset[Path], frozenset[Path]]:
    values = tuple(values)
    empty: frozenset[Any] = frozenset()
    return (
        empty.union(*(v.roots for v in values)),
        empty.union(*(v.paths for v in values)),
        empty.union(*(v.tainted for v in values)),
    )


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles the values of one place of a stack file.

    `names` are allowed there; `secret` are the patterns of sensitive paths.
    """

    expressions: Expressions
    problems: Problems
    variables: frozenset[str]
    names: frozenset[str]
    secret: frozenset[Path] = frozenset()
    address: str = ""
    place: str = "here"

    def value(self, node: Node, path: Path = ()) -> Value:
        """Compile a value and all below it."""
        if isinstance(node.value, str):
            return self._leaf(node, path) if mentions(node.value) else Constant(node.value)
        if isinstance(node.value, dict):
            return self.mapping(node, path) if node.value else Constant({})
        if isinstance(node.value, list):
            items = tuple(self.value(item, (*path, str(index))) for index, item in enumerate(node.value))
            if all(isinstance(item, Constant) for item in items):
                return Constant(node.data())
            return Items(items, *_sum(items))
        return Constant(node.value)

    def mapping(self, node: Node, path: Path = ()) -> Entries | Constant:
        """Compile a mapping."""
        for key in node.map:
            if "{{" in key:
                self.problems.add(node.key(key), "a key cannot contain expressions", self.address)
        found = {key: self.value(entry, (*path, key)) for key, entry in node.map.items()}
        if path and all(isinstance(value, Constant) for value in found.values()):
            return Constant(node.data())
        return entries(found)

    def body(self, node: Node) -> Entries:
        """Compile a mapping of which the entries are evaluated one by one."""
        found = self.mapping(node)
        assert isinstance(found, Entries)
        return found

    def _leaf(self, node: Node, path: Path) -> Leaf:
        try:
            expression = self.expressions.compile(node.value)
        except ExpressionError as error:
            self.problems.add(node.position, str(error), self.address)
            return Leaf(node, path, None)
        wrong = self._undefined(expression)
        if wrong:
            for message in wrong:
                self.problems.add(node.position, message, self.address)
            return Leaf(node, path, None)
        tainted = frozenset((path,)) if touches(expression.paths, self.secret) else frozenset[Path]()
        return Leaf(node, path, expression, expression.roots, expression.paths, tainted, self.secret)

    def _undefined(self, expression: Expression) -> list[str]:
        wrong = []
        for root in sorted(expression.roots - self.names):
            if root in NAMES:
                seen = ", ".join(name for name in NAMES if name in self.names)
                wrong.append(f"{root} cannot be used {self.place}: expressions there can use {seen}")
            elif root in self.variables:
                wrong.append(f"{root!r} is undefined: did you mean 'var.{root}'?")
            else:
                wrong.append(f"{root!r} is undefined: {suggest(root, self.names, 'names')}")
        if "var" in expression.roots:
            unknown = {str(p[1]) for p in expression.paths if p[0] == "var" and len(p) > 1 and p[1] is not None}
            wrong.extend(
                f"var.{name} is undefined: {suggest(name, self.variables, 'variables')}"
                for name in sorted(unknown - self.variables)
            )
        return wrong
