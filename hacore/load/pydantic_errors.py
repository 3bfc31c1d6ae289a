"""pydantic's errors as problems of a stack file: with position and correction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ..expressions import Broken, Path, mentions, touches
from ..spelling import closest
from .problems import Problems, described, suggest
from .yaml_nodes import Node, Step

_WANTED = {
    "string": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "dataclass": "a mapping",
    "none": "null",
}
_SHAPES = ("_type", "_parsing", "_attributes_type", "_from_float", "none_required", "_sub_type")


class Translator:
    """Turns the validation errors of one value into problems.

    `node` is the YAML, `data` the validated value (expressions evaluated), `tainted` the paths with
    sensitive values, which are not shown.
    """

    def __init__(
        self, problems: Problems, node: Node, data: Any, address: str = "", tainted: Collection[Path] = ()
    ) -> None:
        self._problems = problems
        self._node = node
        self._data = data
        self._address = address
        self._tainted = tainted
        self._misspelt: frozenset[tuple[Step, ...]] = frozenset()

    def report(self, error: ValidationError, model: type[BaseModel]) -> None:
        """One problem for each mistake; the branches of a union are one."""
        groups: dict[tuple[Step, ...], list[tuple[tuple[Step, ...], Any]]] = {}
        found = error.errors(include_url=False, include_context=True)
        self._misspelt = _misspelt(found)
        for item in found:
            real, branched = self._real(item["loc"])
            if any(isinstance(value, Broken) for value in self._along(real)):
                continue  # a Broken value is reported already, at its own position
            groups.setdefault(real[:branched], []).append((real, item))
        for items in groups.values():
            depth = max(len(real) for real, _ in items)
            deepest = [(real, item) for real, item in items if len(real) == depth]
            if len(items) > 1 and len(deepest) == len(items) and self._all_shapes(items):
                self._mismatch(deepest[0][0], [item for _, item in items])
                continue
            for real, item in deepest:
                self._one(real, item, model)

    def _all_shapes(self, items: Iterable[tuple[Any, Any]]) -> bool:
        return all(item["type"].endswith(_SHAPES) or item["type"] == "literal_error" for _, item in items)

    def _real(self, loc: Sequence[Step]) -> tuple[tuple[Step, ...], int]:
        """A location without the names of union branches, and the index of the first branch."""
        real: list[Step] = []
        branched = None
        data = self._data
        for index, step in enumerate(loc):
            below = _below(data, step)
            if below is not None:
                data = below[0]
            elif not (index == len(loc) - 1 and isinstance(data, dict) and _plain_name(step)):
                branched = len(real) if branched is None else branched
                continue
            real.append(step)  # a step that does not exist is a missing key
        return tuple(real), len(real) if branched is None else branched

    def _along(self, path: Sequence[Step]) -> Iterator[Any]:
        data = self._data
        yield data
        for step in path:
            below = _below(data, step)
            if below is None:
                return
            data = below[0]
            yield data
        if isinstance(data, dict | list):
            yield from data.values() if isinstance(data, dict) else data

    def _one(self, path: tuple[Step, ...], item: Any, model: type[BaseModel]) -> None:
        kind = item["type"]
        name = str(path[-1]) if path else ""
        if kind == "missing" and item["loc"] in self._misspelt:
            return  # the problem of the unknown key covers it
        if kind == "missing":
            where = spoken(path[:-1])
            inside = f" in {where}" if where else ""
            self._add(path[:-1], f"{name!r} is missing{inside}: it is required")
        elif kind in ("extra_forbidden", "unexpected_keyword_argument"):
            known = {key for m in models_at(model, path[:-1]) for key in m.model_fields}
            where = f" in {spoken(path[:-1])}" if len(path) > 1 else ""
            self._add(path, f"unknown key {name!r}{where}: {suggest(name, known, 'keys')}", key=True)
        elif kind.endswith(_SHAPES):
            self._mismatch(path, [item])
        else:
            joint, message = self._message(path, item)
            self._add(path, f"{spoken(path)}{joint}{message}" if path else message)

    def _message(self, path: tuple[Step, ...], item: Any) -> tuple[str, str]:
        """The joint between key and message (a blank within one sentence, else a colon), and the message."""
        message = str(item["msg"])
        for prefix in ("Value error, ", "Assertion failed, "):
            if message.startswith(prefix):
                if self._secret(path):
                    return ": ", "this value is not allowed (sensitive, not shown)"
                return ": ", message.removeprefix(prefix)
        wanted = message.removeprefix("Input should be ")
        if item["type"] == "string_pattern_mismatch":
            wanted = f"a string that matches {item['ctx']['pattern']}"
        elif item["type"] == "literal_error":
            wanted = f"one of {item['ctx']['expected']}"
        elif wanted == message:
            return ": ", f"{message[:1].lower()}{message[1:]}"
        return " ", f"must be {wanted}, not {self._described(path, item['input'])}"

    def _mismatch(self, path: tuple[Step, ...], items: Sequence[Any]) -> None:
        wanted = " or ".join(dict.fromkeys(_wanted(item) for item in items))
        given = items[0]["input"]
        label = f"{spoken(path)} " if path else ""
        quoting = self._quoting(path) if any(_sort(item) == "string" for item in items) else ""
        self._add(path, f"{label}must be {wanted}, not {self._described(path, given)}{quoting}")

    def _quoting(self, path: tuple[Step, ...]) -> str:
        """The correction for an unquoted string."""
        node = self._node
        for step in path:
            child = node.child(step)
            if child is None:
                return ""
            node = child
        if isinstance(node.value, dict | list) or node.value is None:
            return ""
        if isinstance(node.value, str):
            return ": add the filter `| string`" if mentions(node.value) else ""
        label = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
        return f': write it in quotes: {label}"{node.text}"'

    def _secret(self, path: tuple[Step, ...]) -> bool:
        return touches([tuple(str(step) for step in path)], self._tainted)

    def _described(self, path: tuple[Step, ...], value: Any) -> str:
        return "this value (sensitive, not shown)" if self._secret(path) else described(value)

    def _add(self, path: Sequence[Step], message: str, *, key: bool = False) -> None:
        self._problems.add(self._node.at(path, key=key), message, self._address)


def _misspelt(items: Iterable[Any]) -> frozenset[tuple[Step, ...]]:
    """The missing keys that an unknown key beside them probably misspells."""
    items = tuple(items)
    unknown = [item["loc"] for item in items if item["type"] == "extra_forbidden"]
    return frozenset(
        item["loc"]
        for item in items
        if item["type"] == "missing"
        and any(
            loc[:-1] == item["loc"][:-1] and closest(str(loc[-1]), [str(item["loc"][-1])]) is not None
            for loc in unknown
        )
    )


def _below(data: Any, step: Step) -> tuple[Any] | None:
    """One step down in plain data; None where it does not exist."""
    if isinstance(data, dict) and step in data:
        return (data[step],)
    if isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
        return (data[step],)
    return None


def _plain_name(step: Step) -> bool:
    return isinstance(step, str) and step.replace("-", "_").replace(".", "_").isidentifier() and step not in _TYPES


_TYPES = frozenset(("str", "int", "float", "bool", "none", "list", "dict", "tuple", "set", "constrained-str"))


def _sort(item: Any) -> str:
    """The expected type, the first part of pydantic's error type: string, int, bool."""
    return str(item["type"]).split("_", 1)[0]


def _wanted(item: Any) -> str:
    kind = str(item["type"])
    if kind == "literal_error":
        return f"one of {item['ctx']['expected']}"
    if kind == "int_from_float":
        return "an integer"
    return _WANTED.get(_sort(item), str(item["msg"]).removeprefix("Input should be "))


def spoken(path: Sequence[Step]) -> str:
    """A path as a user writes it: `authentication.password`, `addresses[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def models_at(model: type[BaseModel], path: Sequence[Step]) -> list[type[BaseModel]]:
    """The models at a path of a model; several in a union."""
    found = [model]
    for step in path:
        fields = [m.model_fields[str(step)].annotation for m in found if str(step) in m.model_fields]
        if fields:
            found = [m for annotation in fields for m in _models_in(annotation)]
    return found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
