"""`resource.<kind>['<name>'].<field>` in expressions: another instance's spec on the same host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..address import Address
from ..contract import Spec
from ..errors import ExpressionError, UsageError
from ..expressions import BrokenError, Lookup, NoSuchNameError
from .problems import suggest
from .stack import Position

if TYPE_CHECKING:
    from .blocks import Block
    from .built import Built
    from .values import Run


class Instances(Protocol):
    """The blocks of the stack, and their instances evaluated on demand."""

    @property
    def blocks(self) -> Mapping[str, Block]:
        """All blocks by `kind.name`."""
        ...

    def get(self, address: Address) -> Built | None:
        """The instance at an address, evaluated; None when it has mistakes."""
        ...


class ResourceReferences(Lookup):
    """`resource` in the expressions of one instance. Records references, and whether they are sensitive."""

    __slots__ = ("_found", "_host", "_instances", "_own", "hot", "run", "touched")

    def __init__(self, instances: Instances, host: str, own: Address) -> None:
        self._instances = instances
        self._host = host
        self._own = own
        self._found: dict[Address, Position] = {}
        self.run: Run | None = None
        self.touched = False
        self.hot: set[str] = set()

    def references(self) -> tuple[tuple[Address, Position], ...]:
        """The addresses that were referred to, each with its position."""
        return tuple(self._found.items())

    def lookup(self, name: object) -> Any:
        """A kind."""
        known = {block.kind for block in self._instances.blocks.values()}
        if name not in known:
            raise NoSuchNameError(f"resource.{name}: {suggest(str(name), known, 'kinds')}")
        return _Names(self, str(name))

    def block(self, kind: str, name: str) -> Block:
        """A block by its name."""
        blocks = self._instances.blocks
        found = blocks.get(f"{kind}.{name}")
        if found is None:
            same = [block.name for block in blocks.values() if block.kind == kind]
            raise NoSuchNameError(f"resource {kind}.{name} does not exist: {suggest(name, same, 'names')}")
        return found

    def built(self, block: Block, key: str | None) -> Built:
        """The instance of a block on this host; raises ExpressionError when it does not exist."""
        host = None if block.together else self._host
        address = Address(block.kind, block.name, key, host)
        if address in block.off:
            raise NoSuchNameError(f"{address} has no values: its `when` is false")
        if address not in block.slots:
            if block.broken:
                raise BrokenError(str(address))
            if key not in block.items:
                items = [str(item) for item in block.items]
                raise NoSuchNameError(f"{block.address} has no key {key!r}: {suggest(str(key), items, 'keys')}")
            raise NoSuchNameError(f"{block.address} is not on {self._host}: it is on {', '.join(block.hosts)}")
        built = self._instances.get(address)
        if built is None:
            raise BrokenError(str(address))
        return built

    def field(self, block: Block, key: str | None, name: str) -> Any:
        """A field of an instance's spec; notes the reference."""
        built = self.built(block, key)
        fields = type(built.spec).model_fields
        if name not in fields:
            raise NoSuchNameError(f"{block.address} has no field {name!r}: {suggest(name, fields, 'fields')}")
        leaf = self.run.leaf if self.run else None
        place = leaf.node.position if leaf else self._instances.blocks[self._own.resource].position
        self._found.setdefault(Address(block.kind, block.name, key), place)
        if any(path.split(".", 1)[0] == name for path in built.sensitive):
            self.touched = True
            if self.run:
                self.run.taint()
        return built.spec.model_dump(mode="json", include={name}).get(name)

    def spec(self, kind: str, name: str) -> Spec | None:
        """Another resource's spec for a provider; its sensitive strings are searched for in the result."""
        from .built import sensitive_strings

        try:
            selector = Address.parse(f"{kind}.{name}")
        except UsageError:
            return None
        block = self._instances.blocks.get(selector.resource)
        if block is None or block.provider is None:
            return None
        slots = [s for s in block.slots.values() if s.key == selector.key]
        slot = next((s for s in slots if s.host == self._host or block.together), slots[0] if slots else None)
        if slot is None:
            if block.broken:
                raise BrokenError(block.address)
            return None
        built = self._instances.get(slot.address)
        if built is None:
            raise BrokenError(str(slot.address))
        self.hot |= sensitive_strings(built)
        return built.spec


class _Names(Lookup):
    """`resource.<kind>`."""

    __slots__ = ("_kind", "_references")

    def __init__(self, references: ResourceReferences, kind: str) -> None:
        self._references = references
        self._kind = kind

    def lookup(self, name: object) -> Any:
        """A resource, or the mapping of its keys."""
        block = self._references.block(self._kind, str(name))
        return _Keys(self._references, block) if None not in block.items else _Fields(self._references, block, None)


class _Keys(Lookup):
    """`resource.<kind>['<name>']` of a for_each: its instances by key."""

    __slots__ = ("_block", "_references")

    def __init__(self, references: ResourceReferences, block: Block) -> None:
        self._references = references
        self._block = block

    def lookup(self, name: object) -> Any:
        """An instance."""
        key = str(name)
        provider = self._block.provider
        if key not in self._block.items and provider is not None and key in provider.spec.model_fields:
            raise NoSuchNameError(f"{self._block.address} has a for_each: choose an item, as in [each.key].{key}")
        return _Fields(self._references, self._block, key)


class _Fields(Lookup):
    """One instance."""

    __slots__ = ("_block", "_key", "_references")

    def __init__(self, references: ResourceReferences, block: Block, key: str | None) -> None:
        self._references = references
        self._block = block
        self._key = key

    def lookup(self, name: object) -> Any:
        """A field's value as plain data."""
        if not isinstance(name, str):
            raise ExpressionError(f"{self._block.address} has no field {name!r}")
        return self._references.field(self._block, self._key, name)
