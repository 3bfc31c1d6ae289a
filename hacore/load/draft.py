"""Drafts: a body evaluated and validated once for all instances that it is the same for."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from ..address import Address
from ..contract import Spec
from ..expressions import Path
from .blocks import Block, Key, Slot
from .stack import Position


@dataclass(frozen=True, slots=True)
class Draft:
    """A validated spec before `resolve`; without a spec its mistakes are reported already."""

    spec: Spec | None
    tainted: frozenset[Path]
    references: tuple[tuple[Address, Position], ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """The instances of a block for which one evaluation holds.

    `host` and `key`: those of this host, of this item of the for_each; None: of all. `single`: only one
    instance, so the draft is not kept. `address` is what a mistake is reported for.
    """

    block: str
    host: str | None
    key: Key
    single: bool
    address: Address | str = field(compare=False)


def reach_of(block: Block, slot: Slot, roots: Set[str]) -> Reach:
    """The reach of a draft made for `slot`; `roots` are the outermost names that the body's expressions need.

    `resource` gives what other instances on the same host have, and notes who refers to them: never shared.
    """
    by_host = "host" in roots or bool(block.overrides)
    by_key = "each" in roots
    by_reference = "resource" in roots
    return Reach(
        block.address,
        slot.host if by_host else None,
        slot.key if by_key else None,
        single=by_reference or (by_key and (by_host or len(block.hosts) == 1)),
        address=slot.address if by_host or by_key or by_reference else block.address,
    )
