"""Resource blocks: their common keys, and the addresses that `hosts`, `for_each` and `when` make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..address import KIND, NAME, Address
from ..contract import Provider
from ..expressions import Path, mentions
from ..model import Lifecycle
from .hosts import select_hosts
from .models import COMMON, CommonBody
from .problems import suggest
from .pydantic_errors import Translator
from .stack import Position
from .values import Constant, Entries, Run, Value
from .world import World
from .yaml_nodes import Node

_WIDE = frozenset(("var", "hosts", "groups", "file", "env"))
_EACH = _WIDE | {"host", "each"}
_ALL = _EACH | {"resource"}
_STATIC = frozenset(("hosts", "members", "for_each", "lifecycle"))
Key = str | None


@dataclass(slots=True)
class Slot:
    """One address of a block, with its item of the for_each."""

    address: Address
    key: Key
    host: str  # of a kind over all hosts together: the first


@dataclass(slots=True)
class Block:
    """One block of a stack file, its expressions compiled."""

    kind: str
    name: str
    node: Node
    position: Position
    provider: Provider[Any] | None
    body: Entries = field(default_factory=lambda: Entries({}))
    overrides: dict[str, tuple[Entries, Node]] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    hosts_given: bool = False
    items: Mapping[Key, Any] = field(default_factory=lambda: {None: None})
    needs: Value = field(default_factory=lambda: Constant([]))
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    slots: dict[Address, Slot] = field(default_factory=dict)
    off: set[Address] = field(default_factory=set)
    secret: frozenset[Path] = frozenset()  # patterns of sensitive parts of each.value
    broken: bool = False  # its hosts or its for_each have mistakes: its addresses are not known

    @property
    def address(self) -> str:
        """`kind.name`."""
        return f"{self.kind}.{self.name}"

    @property
    def together(self) -> bool:
        """Whether its instance has no host."""
        return self.provider is not None and self.provider.hosts == "together"

    def each(self, key: Key) -> Mapping[str, Any] | None:
        """The value of `each` for an item."""
        return None if key is None else {"key": key, "value": self.items[key]}

    def at(self, host: str | None) -> tuple[Entries, Node]:
        """The body for a host."""
        if self.overrides and host in self.overrides:
            return self.overrides[host]
        return self.body, self.node


def load_blocks(section: Node | None, providers: Mapping[str, Provider[Any]], world: World) -> dict[str, Block]:
    """All blocks by `kind.name`, expanded to addresses."""
    found: dict[str, Block] = {}
    for kind, names in section.map.items() if section else ():
        assert section is not None
        provider = providers.get(kind)
        if not KIND.match(kind) or provider is None:
            why = f"unknown kind {kind!r}: {suggest(kind, providers, 'kinds')}"
            world.problems.add(section.key(kind), getattr(providers, "refused", {}).get(kind, why))
        if names.value is not None and not isinstance(names.value, dict):
            world.problems.add(names.position, "must be a mapping of names to bodies", kind)
        for name, node in names.map.items():
            block = Block(kind, name, node, names.key(name), provider)
            found[block.address] = block
            if not NAME.match(name):
                message = f"{name!r} is not a valid name: use letters, digits, _ . and -, without - or . first"
                world.problems.add(block.position, message, block.address)
            if node.value is not None and not isinstance(node.value, dict):
                world.problems.add(node.position, "a resource's body must be a mapping", block.address)
                block.provider = None
            else:
                _Expansion(block, world).run()
    return found


class _Expansion:
    def __init__(self, block: Block, world: World) -> None:
        self._block = block
        self._world = world
        self._node = block.node if block.node.value is not None else Node({}, block.node.position)

        self._dropped: set[str] = set()  # common keys with mistakes

    def run(self) -> None:
        block, node = self._block, self._node
        common, tainted = self._common()
        if "hosts" in node.map and "members" in node.map:
            self._add(node.key("members"), "use either hosts or members, not both: they have the same meaning")
        block.lifecycle = common.lifecycle
        block.items = self._items(common.for_each, tainted)
        secret = frozenset(("each", "value", *path[2:]) for path in tainted if path[0] == "for_each" and len(path) > 1)
        block.secret = secret
        lacking = frozenset() if "for_each" in node.map else frozenset(("each",))
        compiler = self._world.compiler(_ALL - lacking, block.address, "here", secret)
        block.body = compiler.body(node.without(COMMON))
        self._members(common, compiler.body)
        edges = self._world.compiler(_EACH - lacking, block.address, "in needs and when", secret)
        if "needs" in node.map:
            block.needs = edges.value(node.map["needs"], ("needs",))
            if block.needs.tainted:
                self._shown("needs")
                block.needs = Constant([])
        when = edges.value(node.map["when"], ("when",)) if "when" in node.map else Constant(common.when)
        self._slots(when if not isinstance(when, Constant) else Constant(common.when))

    def _shown(self, key: str) -> None:
        self._add(
            self._node.map[key].position, f"{key} must not use a sensitive value: it is shown and stored in clear text"
        )

    def _common(self) -> tuple[CommonBody, frozenset[Path]]:
        """The common keys that are the same for all instances; the others as well, where they have no expressions."""
        compiler = self._world.compiler(_WIDE, self._block.address, "in " + ", ".join(sorted(_STATIC)))
        present = {key: self._node.map[key] for key in self._node.map if key in COMMON}
        data: dict[str, Any] = {}
        tainted: frozenset[Path] = frozenset()
        run = Run(self._world.scope(), self._fail)
        for key, node in present.items():
            if key in _STATIC and not (key == "members" and isinstance(node.value, dict)):
                value = compiler.value(node, (key,))
                if value.tainted and key != "for_each":
                    self._shown(key)
                    self._block.broken = True
                    self._dropped.add(key)
                    continue
                tainted |= value.tainted
                data[key] = value.get(run)
            elif key == "members" or not list(_expressions(node)):
                data[key] = node.data()
        try:
            return CommonBody.model_validate(data), tainted
        except ValidationError as error:
            Translator(self._world.problems, self._node, data, self._block.address, tainted).report(error, CommonBody)
            self._block.broken = True
            wrong = {str(item["loc"][0]) for item in error.errors(include_url=False, include_input=False)}
            self._dropped |= wrong
        return CommonBody.model_validate({key: value for key, value in data.items() if key not in wrong}), tainted

    def _items(self, given: Any, tainted: frozenset[Path]) -> dict[Key, Any]:
        if "for_each" not in self._node.map:
            return {None: None}
        node = self._node.map["for_each"]
        if ("for_each",) in tainted or (isinstance(given, list) and tainted):
            self._add(node.position, "for_each must not use a sensitive value: its keys are shown in addresses")
            self._block.broken = True
            return {}
        if isinstance(given, dict):
            return dict(given)
        items: dict[Key, Any] = {}
        for index, item in enumerate(given or ()):
            if str(item) in items:
                self._add(node.at([index]), f"duplicate key {str(item)!r} in for_each: remove one")
            items[str(item)] = item
        return items

    def _members(self, common: CommonBody, compile_body: Any) -> None:
        block, node = self._block, self._node
        block.hosts_given = "hosts" in node.map or "members" in node.map
        key = "members" if "members" in node.map else "hosts"
        given = getattr(common, key)
        where = node.map.get(key)
        names: list[tuple[str, Position]] = []
        if isinstance(given, dict) and where is not None:
            names = [(name, where.key(name)) for name in given]
        else:
            wanted = [given] if isinstance(given, str) else given
            single = where is None or not isinstance(where.value, list)
            for index, name in enumerate(wanted):
                names.append((name, block.position if where is None else where.at([] if single else [index])))
        if key in self._dropped:
            return
        block.hosts = select_hosts(names, self._world, block.address)
        block.broken |= len(block.hosts) < len(names)
        if isinstance(given, dict) and where is not None:
            for name, position in names:
                over = where.map[name]
                for wrong in COMMON & over.map.keys():
                    self._add(over.key(wrong), f"{wrong} cannot differ by member: move it to the body")
                extra = compile_body(over.without(COMMON) if over.map else Node({}, over.position))
                for host in select_hosts([(name, position)], self._world, block.address):
                    block.overrides[host] = (block.body.over(extra), node.merged(over))

    def _slots(self, when: Value) -> None:
        block = self._block
        hosts = block.hosts[:1] if block.together else block.hosts
        for key in block.items:
            for host in hosts:
                address = Address(block.kind, block.name, key, None if block.together else host)
                if self._on(when, address, key, host):
                    block.slots[address] = Slot(address, key, host)
                else:
                    block.off.add(address)

    def _on(self, when: Value, address: Address, key: Key, host: str) -> bool:
        if isinstance(when, Constant):
            return bool(when.data)
        run = Run(self._world.scope(host, self._block.each(key)), self._world.fail(address))
        data = {"when": when.get(run)}
        if run.broken:
            return True
        try:
            return CommonBody.model_validate(data).when
        except ValidationError as error:
            Translator(self._world.problems, self._node, data, str(address), when.tainted).report(error, CommonBody)
        return True

    def _add(self, position: Position, message: str) -> None:
        self._world.problems.add(position, message, self._block.address)

    def _fail(self, node: Node, message: str) -> None:
        self._add(node.position, message)


def _expressions(node: Node) -> Iterator[Node]:
    return (scalar for scalar in node.scalars() if isinstance(scalar.value, str) and mentions(scalar.value))
