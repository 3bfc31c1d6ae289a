"""Variables: their declarations, and their values from the command line, files, the environment and defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import UsageError
from ..expressions import Broken, mentions
from ..scalars import data_fault
from ..secrets import strings_in
from .models import VariableBody
from .problems import Problems, described, suggest
from .pydantic_errors import Translator
from .vars_from import Outputs
from .yaml_nodes import Node, read_yaml

PREFIX = "HACORE_VAR_"
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_TYPES = {"int": "an integer", "number": "a number", "bool": "true or false", "list": "a list", "map": "a mapping"}


@dataclass(frozen=True, slots=True)
class Given:
    """Values for variables; the first source has precedence."""

    text: Mapping[str, str] = field(default_factory=dict)  # --var
    files: Sequence[Node] = ()  # --var-file; the last one has precedence
    environ: Mapping[str, str] = field(default_factory=dict)
    environment: Node | None = None  # `variables` of env/NAME.yaml
    outputs: Outputs = field(default_factory=Outputs)  # of vars_from

    def from_outputs(self, name: str) -> bool:
        """Whether a variable gets its value from vars_from."""
        nodes = (*self.files, *((self.environment,) if self.environment is not None else ()))
        other = name in self.text or PREFIX + name in self.environ or any(name in node.map for node in nodes)
        return name in self.outputs.values and not other


@dataclass(frozen=True, slots=True)
class Variables:
    """The values, and the names of the sensitive ones. A value with a mistake is Broken."""

    values: Mapping[str, Any] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()

    def secrets(self) -> frozenset[str]:
        """The sensitive values as strings, those in lists and mappings one by one."""
        return frozenset(text for name in self.sensitive for text in strings_in(self.values.get(name)) if text)


def read_var_files(paths: Sequence[Path], problems: Problems) -> list[Node]:
    """The mappings of --var-file; raises UsageError for a file that cannot be read."""
    found = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the variables of {path}: {error}") from error
        node = read_yaml(text, str(path), problems) if text.strip() else None
        if node is not None and not isinstance(node.value, dict):
            problems.add(node.position, "a file of variables must be a mapping of names to values")
        elif node is not None:
            found.append(node)
    return found


def load_variables(section: Node | None, given: Given, problems: Problems, fallback: Node) -> Variables:
    """The values of all declared variables; mistakes become problems."""
    declared: dict[str, tuple[Node, VariableBody | None]] = {}
    for name, node in (section.map if section else {}).items():
        body = _declaration(section or fallback, name, node, problems)
        if body is not None and name in given.outputs.sensitive and given.from_outputs(name):
            body = body.model_copy(update={"sensitive": True})
        declared[name] = (node, body)
    _unknown(declared, given, problems, section or fallback)
    values: dict[str, Any] = {}
    for name, (node, body) in declared.items():
        values[name] = Broken() if body is None else _Value(name, node, body, problems).pick(given)
    return Variables(values, frozenset(name for name, (node, body) in declared.items() if _is_sensitive(node, body)))


def _is_sensitive(node: Node, body: VariableBody | None) -> bool:
    """A declaration with mistakes counts as sensitive if it has the key at all."""
    return body.sensitive if body else "sensitive" in node.map


def _declaration(section: Node, name: str, node: Node, problems: Problems) -> VariableBody | None:
    address = f"var.{name}"
    if not IDENTIFIER.match(name):
        problems.add(section.key(name), "a variable's name consists of letters, digits and _", address)
    data = node.data() if node.value is not None else {}
    try:
        body = VariableBody.model_validate(data)
    except ValidationError as error:
        Translator(problems, node, data, address).report(error, VariableBody)
        return None
    if body.pattern is not None:
        try:
            re.compile(body.pattern)
        except re.error as error:
            problems.add(node.at(["pattern"]), f"pattern is not a regular expression: {error}", address)
            return None
    default = node.child("default")
    for scalar in default.scalars() if default else ():
        if isinstance(scalar.value, str) and mentions(scalar.value):
            problems.add(scalar.position, "a default cannot contain expressions", address)
            return None
    return body


def _unknown(declared: Mapping[str, Any], given: Given, problems: Problems, section: Node) -> None:
    for name in given.text:
        if name not in declared:
            problems.add(section.position, f"--var {name}: no such variable: {suggest(name, declared, 'variables')}")
    for node in (*given.files, *((given.environment,) if given.environment else ())):
        for name in node.map:
            if name not in declared:
                problems.add(node.key(name), f"no such variable {name!r}: {suggest(name, declared, 'variables')}")


class _Value:
    """One variable's value: picked, read by its type, checked."""

    def __init__(self, name: str, node: Node, body: VariableBody, problems: Problems) -> None:
        self._name = name
        self._node = node
        self._body = body
        self._problems = problems
        self._type = body.type or _type_of(body.default)

    def pick(self, given: Given) -> Any:
        if self._name in given.text:
            return self._from_text(given.text[self._name], f"--var {self._name}")
        for node in reversed(given.files):
            if self._name in node.map:
                return self._from_node(node.map[self._name])
        if PREFIX + self._name in given.environ:
            return self._from_text(given.environ[PREFIX + self._name], PREFIX + self._name)
        if given.environment is not None and self._name in given.environment.map:
            return self._from_node(given.environment.map[self._name])
        if given.from_outputs(self._name):
            return self._from_node(given.outputs.values[self._name])
        if "default" in self._body.model_fields_set:
            default = self._node.map["default"]
            return None if default.value is None else self._from_node(default)
        self._wrong(f"no value: use --var {self._name}=…, {PREFIX}{self._name}, a --var-file or a default", self._node)
        return Broken()

    def _from_text(self, text: str, source: str) -> Any:
        """A value of the command line or the environment, by the type; lists and maps are JSON."""
        value: Any = text
        try:
            if self._type == "int":
                value = int(text) if _INT.match(text) else None
            elif self._type == "number":
                value = int(text) if _INT.match(text) else float(text)
            elif self._type == "bool":
                value = {"true": True, "false": False}.get(text.lower())
            elif self._type in ("list", "map"):
                value = json.loads(text)
        except ValueError:
            value = None
        if fault := data_fault(value):
            return self._wrong(f"{source}: the value {fault}", self._node)
        if not self._fits(value):
            form = " in JSON" if self._type in ("list", "map") else ""
            return self._wrong(f"{source} must be {_TYPES[self._type]}{form}, not {self._described(text)}", self._node)
        return self._checked(value, self._node, f"{source}: ")

    def _from_node(self, node: Node) -> Any:
        value = node.data()
        if not self._fits(value):
            wanted = _TYPES.get(self._type, "a string")
            quoted = ""
            if self._type == "string" and node.text and not self._body.sensitive:
                quoted = f': write it in quotes: "{node.text}"'
            return self._wrong(f"must be {wanted}, not {self._described(value)}{quoted}", node)
        return self._checked(value, node, "")

    def _fits(self, value: Any) -> bool:
        match self._type:
            case "string":
                return isinstance(value, str)
            case "int":
                return isinstance(value, int) and not isinstance(value, bool)
            case "number":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "bool":
                return isinstance(value, bool)
            case "list":
                return isinstance(value, list)
            case _:
                return isinstance(value, dict)

    def _checked(self, value: Any, node: Node, source: str) -> Any:
        enum, pattern = self._body.enum, self._body.pattern
        if enum is not None and not any(type(value) is type(item) and value == item for item in enum):
            allowed = "" if self._body.sensitive else f" one of {', '.join(map(repr, enum))},"
            return self._wrong(f"{source}must be{allowed or ' one of its enum,'} not {self._described(value)}", node)
        if pattern is not None and isinstance(value, str) and not re.fullmatch(pattern, value):
            return self._wrong(f"{source}must match {pattern}, not be {self._described(value)}", node)
        return value

    def _described(self, value: Any) -> str:
        return "this value (sensitive, not shown)" if self._body.sensitive else described(value)

    def _wrong(self, message: str, node: Node) -> Broken:
        self._problems.add(node.position, message, f"var.{self._name}")
        return Broken()


def _type_of(default: Any) -> str:
    match default:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "number"
        case list():
            return "list"
        case dict():
            return "map"
        case _:
            return "string"
