"""Edges: the needs of an instance, from its body, its references and its kind; their addresses must exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ..address import Address
from ..contract import Provider, Spec
from ..errors import ProviderError, UsageError
from .blocks import Block, Slot
from .built import Built
from .models import CommonBody
from .problems import suggest
from .pydantic_errors import Translator
from .stack import Need, Position
from .values import Constant, Run
from .world import World
from .yaml_nodes import Node

_Known = tuple[Address | None, str]


class Edges:
    """The needs of instances; each selector is read and checked once."""

    def __init__(self, blocks: Mapping[str, Block], world: World) -> None:
        self._blocks = blocks
        self._world = world
        self._known: dict[str, _Known] = {}
        self._written: dict[str, tuple[Need, ...]] = {}

    def of(self, block: Block, slot: Slot, built: Built | None) -> tuple[Need, ...]:
        """The needs of one instance; an address that does not exist becomes a problem."""
        found: dict[Address, Need] = {}
        for need in self._from_body(block, slot):
            found.setdefault(need.selector, need)
        if built is None:
            return tuple(found.values())
        for selector, position in built.references:
            found.setdefault(selector, Need(selector, position, "reference"))
        node = built.node or block.node
        for text, why in self._asked(block, built.spec, slot.address):
            selector_ = self._checked(text, block, node, slot.address)
            if selector_ is not None and selector_ not in found:
                found[selector_] = Need(selector_, _named(node, text, block.position), why)
        return tuple(found.values())

    def _asked(self, block: Block, spec: Spec, address: Address) -> tuple[tuple[str, str], ...]:
        try:
            return tuple(self._from_kind(block.provider, spec, address))
        except ProviderError as error:
            self._world.problems.add(block.position, error.brief, str(address))
            return ()

    def _from_kind(self, provider: Provider[Any] | None, spec: Spec, address: Address) -> Iterator[tuple[str, str]]:
        if provider is None:
            return
        for text in provider.needs(spec):
            yield text, "needs"
        for trigger in provider.triggers(spec, address):
            if trigger.source not in (
                str(address),
                str(address.at(None)),
                address.resource,
            ):  # its own change is not an edge
                yield trigger.source, "trigger"

    def _from_body(self, block: Block, slot: Slot) -> tuple[Need, ...]:
        if "needs" not in block.node.map:
            return ()
        constant = isinstance(block.needs, Constant)
        if constant and block.address in self._written:
            return self._written[block.address]
        node = block.node.map["needs"]
        address = block.address if constant else slot.address
        run = Run(self._world.scope(slot.host, block.each(slot.key)), self._world.fail(address))
        data = {"needs": block.needs.get(run)}
        if run.broken:
            return ()
        try:
            given = CommonBody.model_validate(data).needs
        except ValidationError as error:
            if not constant:  # else it is reported already
                Translator(self._world.problems, block.node, data, str(address)).report(error, CommonBody)
            return ()
        found = []
        for index, text in enumerate([given] if isinstance(given, str) else given):
            where = node.at([index]) if isinstance(node.value, list) else node.position
            selector, wrong = self._read(text)
            if selector is not None and _itself(selector, block, slot):
                selector, wrong = None, f"{text} needs itself: remove it"
            if selector is None:
                if wrong:
                    self._world.problems.add(where, wrong, str(address))
            else:
                found.append(Need(selector, where))
        if constant:
            self._written[block.address] = tuple(found)
        return tuple(found)

    def _checked(self, text: str, block: Block, node: Node, address: Address) -> Address | None:
        selector, wrong = self._read(text)
        if wrong:
            self._world.problems.add(_named(node, text, block.position), wrong, str(address))
        return selector

    def _read(self, text: str) -> _Known:
        """A selector from its text, or its mistake; neither if that is reported elsewhere."""
        if text not in self._known:
            try:
                selector = Address.parse(text)
            except UsageError as error:
                self._known[text] = (None, str(error))
            else:
                wrong = self._missing(selector)
                self._known[text] = (None if wrong is not None else selector, wrong or "")
        return self._known[text]

    def _missing(self, selector: Address) -> str | None:
        """The mistake of a selector; "" when another mistake hides it, None when the address exists."""
        block = self._blocks.get(selector.resource)
        if block is None:
            return f"{selector} does not exist: {suggest(selector.resource, self._blocks, 'resources')}"
        if block.broken or block.provider is None:
            return ""
        if selector.key is not None and selector.key not in block.items:
            if None in block.items:
                return f"{selector} does not exist: {block.address} has no for_each; write {block.address}"
            items = [str(key) for key in block.items]
            return f"{selector} does not exist: {suggest(selector.key, items, 'keys')}"
        if selector.host is not None and block.together:
            return f"{selector} does not exist: {selector.kind} spans hosts; write {selector.at(None)}"
        if selector.host is not None and selector.host not in block.hosts:
            where = ", ".join(block.hosts) or "no host"
            return f"{selector} does not exist: {block.address} is on {where}"
        return None


def _itself(selector: Address, block: Block, slot: Slot) -> bool:
    one = selector.key is not None or None in block.items
    return one and selector.selects(slot.address)


def _named(node: Node, text: str, fallback: Position) -> Position:
    """The position of the scalar with an address in a body: the whole address, or only its name."""
    name = text.partition(".")[2]
    scalars = list(node.scalars())
    for wanted in (text, name):
        for scalar in scalars:
            if scalar.text == wanted:
                return scalar.position
    return fallback
