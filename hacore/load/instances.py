"""Instances: each slot's body evaluated, validated and resolved; references follow on demand."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ..address import Address
from ..contract import Provider, Spec
from ..errors import ExpressionError, ProviderError, UsageError
from ..expressions import Broken, BrokenError, NoSuchNameError
from ..expressions import Path as Names
from .blocks import Block, Slot
from .built import Built
from .draft import Draft, Reach, reach_of
from .files import BodyFiles
from .hidden import ARGUMENT
from .pydantic_errors import Translator
from .references import ResourceReferences
from .values import Entries, Run
from .world import World
from .yaml_nodes import Node

PLAIN = "must not use a sensitive value: the state stores it in clear text for drift and undo"


class Instances:
    """Builds the instances of all blocks, each once."""

    def __init__(self, blocks: Mapping[str, Block], world: World, cache: Path) -> None:
        self.blocks = blocks
        self.world = world
        self._cache = cache
        self._built: dict[Address, Built | None] = {}
        self._drafts: dict[Reach, Draft] = {}
        self._open: dict[Address, None] = {}

    def all(self) -> dict[Address, Built | None]:
        """Every slot's result in the order of the file; None for one with mistakes."""
        for name in self._order():
            for address in self.blocks[name].slots:
                self.get(address)
            if not self.blocks[name].slots:
                self._check(self.blocks[name])
        return {address: self._built[address] for block in self.blocks.values() for address in block.slots}

    def _check(self, block: Block) -> None:
        """Check a body without instances; parts that depend on a host or an item are not checked."""
        members = block.node.child("members")
        if block.provider is None or (members is not None and members.map):
            return
        scope = {**self.world.scope(), "host": Broken(), "each": Broken(), "resource": Broken()}
        run = Run(scope, self.world.fail(block.address))
        self._validated(block.provider, block.body, block.node, run, block.address)

    def get(self, address: Address) -> Built | None:
        """One slot's result; raises ExpressionError for a cycle of references."""
        if address not in self._built:
            if address in self._open:
                raise NoSuchNameError(self._cycle(address))
            self._open[address] = None
            try:
                self._built[address] = self._build(self.blocks[address.resource], address)
            finally:
                del self._open[address]
        return self._built[address]

    def _cycle(self, address: Address) -> str:
        opened = list(self._open)
        ring = [*opened[opened.index(address) :], address]
        # the same order wherever it was entered, and no host if there is only one
        start = ring.index(min(ring))
        ring = [*ring[start:-1], *ring[:start], ring[start]]
        if len({a.host for a in ring}) == 1:
            ring = [a.at(None) for a in ring]
        return f"the references form a cycle: {' -> '.join(str(a) for a in ring)}"

    def _order(self) -> list[str]:
        """Blocks after the blocks they refer to, so that long chains do not nest; `get` reports cycles."""
        names: dict[str, set[str]] = {}
        for name, block in self.blocks.items():
            entries = [block.body, *(over for over, _ in block.overrides.values())]
            paths = {path for entry in entries for path in entry.paths if path[0] == "resource" and len(path) > 2}
            names[name] = {f"{path[1]}.{path[2]}" for path in paths} & self.blocks.keys()
        if not any(names.values()):
            return list(self.blocks)
        try:
            return list(graphlib.TopologicalSorter(names).static_order())
        except graphlib.CycleError:
            return list(self.blocks)

    def _build(self, block: Block, address: Address) -> Built | None:
        provider = block.provider
        if provider is None:
            return None
        slot = block.slots[address]
        hosts: tuple[str, ...] = (slot.host,)
        if block.together:
            hosts = self._hosts_together(block, provider, slot)
            slot = Slot(address, slot.key, hosts[0])
        node = block.at(slot.host)[1]
        references = ResourceReferences(self, slot.host, address)
        scope = self.world.scope(slot.host, block.each(slot.key))
        scope["resource"] = references
        draft = self._draft(block, slot, provider, scope, references)
        if draft.spec is None:
            return None
        if type(provider).resolve is Provider.resolve:
            return Built(draft.spec, hosts, _dotted(draft.tainted), draft.references, node)
        return self._resolved(block, provider, slot, draft, hosts, scope, references)

    def _draft(
        self, block: Block, slot: Slot, provider: Provider[Any], scope: dict[str, Any], references: ResourceReferences
    ) -> Draft:
        body, node = block.at(slot.host)
        reach = reach_of(block, slot, body.roots)
        if reach in self._drafts:
            return self._drafts[reach]
        run = references.run = Run(scope, self.world.fail(reach.address))
        spec = self._validated(provider, body, node, run, reach.address)
        draft = Draft(spec, body.tainted | frozenset(run.tainted), references.references())
        for field in provider.plain:
            if any(path[:1] == (field,) for path in draft.tainted):
                self.world.problems.add((node.child(field) or node).position, f"{field} {PLAIN}", str(reach.address))
        for field, instead in provider.arguments.items():
            if any(path[:1] == (field,) for path in draft.tainted):
                where = (node.child(field) or node).position
                self.world.problems.add(where, f"{field} {ARGUMENT}; {instead}", str(reach.address))
        if not reach.single:
            self._drafts[reach] = draft
        return draft

    def _validated(
        self, provider: Provider[Any], body: Entries, node: Node, run: Run, address: Address | str
    ) -> Spec | None:
        data = body.get(run)
        try:
            spec = provider.spec.model_validate(data)
        except ValidationError as error:
            tainted = body.tainted | run.tainted
            Translator(self.world.problems, node, data, str(address), tainted).report(error, provider.spec)
            return None
        except Exception:
            if run.broken:  # a validator got a Broken value
                return None
            raise
        return None if run.broken else spec

    def _hosts_together(self, block: Block, provider: Provider[Any], slot: Slot) -> tuple[str, ...]:
        """The hosts of an instance without a host: those in the body, else those of its first need, else all."""
        if block.hosts_given:
            return block.hosts
        scope = {**self.world.scope(slot.host, block.each(slot.key)), "resource": Broken()}
        try:
            spec = provider.spec.model_validate(block.at(slot.host)[0].get(Run(scope, _ignored)))
            needed = [Address.parse(text) for text in provider.needs(spec)]
        except Exception:
            return block.hosts
        for selector in needed:
            other = self.blocks.get(selector.resource)
            if other is not None and other.hosts:
                on = {slot.host for slot in other.slots.values()}
                return other.hosts if other.together else tuple(h for h in other.hosts if h in on) or other.hosts
        return block.hosts

    def _resolved(
        self,
        block: Block,
        provider: Provider[Any],
        slot: Slot,
        draft: Draft,
        hosts: tuple[str, ...],
        scope: dict[str, Any],
        references: ResourceReferences,
    ) -> Built | None:
        assert draft.spec is not None
        node = block.at(slot.host)[1]
        # a run of its own notes the sensitive values that templates use
        run = Run(scope, _ignored)
        references.run, references.touched = run, False
        files = BodyFiles(
            slot.address,
            self.world.hosts[slot.host],
            self.world.folder,
            self.world.expressions,
            scope,
            secret=self.world.secret | block.secret,
            tainted=draft.tainted,
            fields=_dotted(draft.tainted),
            cache=self._cache,
            others=references.spec,
            members=[self.world.hosts[name] for name in block.hosts],
            dynamic=lambda: references.touched,
        )
        try:
            spec = provider.resolve(draft.spec, files)
        except BrokenError:
            return None
        except ProviderError as error:
            self.world.problems.add(block.position, error.brief, str(slot.address))
            return None
        except (ExpressionError, UsageError, ValueError, OSError) as error:
            where = next((s.position for s in node.scalars() if s.text and s.text == files.path), block.position)
            self.world.problems.add(where, _message(error), str(slot.address))
            return None
        self.world.secrets.update(files.learned)
        sensitive = _dotted(draft.tainted)
        hot = files.rendered | references.hot
        if hot:
            sensitive |= frozenset(_where(spec, hot))
        for flag, names in provider.confidential.items():
            for name in names if getattr(spec, flag) is True else ():  # by its own flag
                text = getattr(spec, name)
                if isinstance(text, str) and text and name not in sensitive:
                    sensitive |= {name}
                    self.world.secrets.add(text)
        found = tuple(dict.fromkeys((*draft.references, *references.references())))
        return Built(spec, hosts, sensitive, found, node, tuple(files.taken))


def _ignored(node: Node, message: str) -> None:
    """Drop a mistake: this evaluation is only an attempt."""


def _message(error: Exception) -> str:
    text = str(error)
    if isinstance(error, ValidationError):
        text = "; ".join(str(item["msg"]) for item in error.errors(include_url=False, include_input=False))
    return text or type(error).__name__


def _dotted(paths: frozenset[Names]) -> frozenset[str]:
    return frozenset(".".join(str(step) for step in path) for path in paths) if paths else frozenset()


def _where(spec: Spec, hot: set[str]) -> Iterator[str]:
    """The dotted paths of the fields with one of the given texts."""

    def walk(value: Any, path: tuple[str, ...]) -> Iterator[str]:
        if isinstance(value, str):
            if value in hot:
                yield ".".join(path)
        elif isinstance(value, BaseModel):
            for name in type(value).model_fields:
                yield from walk(getattr(value, name), (*path, name))
        elif isinstance(value, Mapping):
            for key, entry in value.items():
                yield from walk(entry, (*path, str(key)))
        elif isinstance(value, list | tuple | set | frozenset):
            for index, item in enumerate(value):
                yield from walk(item, (*path, str(index)))

    return walk(spec, ())
