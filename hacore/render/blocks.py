"""Changes and drift as blocks of text; what is the same on several hosts is shown once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..address import Address
from ..model import Action
from ..plan import Drift, PlannedChange
from .attrs import COLOURS, Line, Mode, attr_lines, root
from .style import Style
from .words import clean, count

_ADDRESSES = 3  # of more hosts the heading tells their number; the line below it names them
_PHRASES = {
    Action.CREATE: "will be created",
    Action.UPDATE: "will be updated in-place",
    Action.REPLACE: "will be replaced",
    Action.DELETE: "will be deleted",
    Action.ADOPT: "will be adopted",
    Action.FORGET: "will be forgotten",
    Action.NOOP: "stays as it is",
}
_MODES: dict[Action, Mode] = {Action.CREATE: "create", Action.DELETE: "delete"}


@dataclass(frozen=True, slots=True)
class Block:
    """What is told of one address, apart from the address itself: equal blocks are one."""

    name: str
    symbol: str
    phrase: str
    reason: str = ""
    lines: tuple[Line, ...] = ()
    hidden: int = 0
    irreversible: str = ""
    effect: str = ""

    def render(self, addresses: Sequence[Address], style: Style) -> list[str]:
        """The block with its heading."""
        phrase = self.phrase if len(addresses) == 1 else _plural(self.phrase)
        head = [style("bold", f"  # {_who(addresses)} {phrase}")]
        if self.reason:
            head.append(f"  # ({self.reason})")
        hosts = ", ".join(str(a.host) for a in addresses if a.host is not None)
        resource = f"{self.name} @ {hosts}" if hosts else self.name
        body = [f"{' ' * (3 - len(self.symbol))}{style(COLOURS[self.symbol], self.symbol)} {resource}"]
        body += [line.render(6, style) for line in self.lines]
        if self.hidden:
            body.append(style("dim", f"      # ({count(self.hidden, 'unchanged attribute')} hidden)"))
        if self.irreversible:
            body.append(style("red", f"    ! cannot be undone: {self.irreversible}"))
        if self.effect:
            body.append(f"    effect: {self.effect}")
        return [*head, *body]


def _plural(phrase: str) -> str:
    verb, _, rest = phrase.partition(" ")
    return f"{ {'is': 'are', 'has': 'have'}.get(verb, verb) } {rest}"


def _who(addresses: Sequence[Address]) -> str:
    if len(addresses) > _ADDRESSES:
        return f"{anywhere(addresses[0])} on {count(len(addresses), 'host')}"
    return ", ".join(str(a) for a in addresses)


def change_blocks(changes: Iterable[PlannedChange], style: Style) -> list[str]:
    """All changes but adoptions, a blank line after each, in the order of their addresses."""
    shown = sorted((c for c in changes if c.action not in (Action.ADOPT, Action.NOOP)), key=_place)
    return _render([(c.address, _change_block(c)) for c in shown], style)


def adoptions(changes: Iterable[PlannedChange], style: Style) -> list[str]:
    """What is as wanted already, in one list: it is only taken into the state."""
    names: dict[str, list[Address]] = {}
    for change in sorted((c for c in changes if c.action is Action.ADOPT), key=_place):
        names.setdefault(anywhere(change.address), []).append(change.address)
    if not names:
        return []
    lines = ["  # will be adopted: is as wanted already, from now on hacore watches it; no host is touched"]
    for name, addresses in names.items():
        hosts = ", ".join(str(a.host) for a in addresses if a.host is not None)
        lines.append(f"  {style('cyan', '=')} {name} @ {hosts}" if hosts else f"  {style('cyan', '=')} {name}")
    return [*lines, ""]


def found_blocks(changes: Iterable[PlannedChange], style: Style) -> list[str]:
    """What is recorded as it is found although the stack wants it otherwise, a blank line after each."""
    found = [
        (
            c.address,
            Block(
                name=anywhere(c.address),
                symbol=Action.ADOPT.value,
                phrase="is recorded as it is found; the next plan will show",
                lines=tuple(attr_lines(c.attrs, "update")),
            ),
        )
        for c in sorted(changes, key=_place)
    ]
    return _render(found, style)


def drift_blocks(drift: Iterable[Drift], style: Style) -> list[str]:
    """Recorded -> found, a blank line after each."""
    return _render([(d.address, _drift_block(d)) for d in sorted(drift, key=_place)], style)


def _render(items: Iterable[tuple[Address, Block]], style: Style) -> list[str]:
    found: dict[Block, list[Address]] = {}
    for address, block in items:
        found.setdefault(block, []).append(address)
    lines: list[str] = []
    for block, addresses in found.items():
        lines += [*block.render(addresses, style), ""]
    return lines


def _change_block(planned: PlannedChange) -> Block:
    mode = _MODES.get(planned.action, "update")
    desired = planned.desired.attrs if planned.desired is not None else None
    touched = {root(change.path) for change in planned.attrs}
    replacing = planned.desired.replace_on if planned.desired and planned.action is Action.REPLACE else frozenset()
    only_pulled = planned.action is Action.UPDATE and not planned.attrs and planned.disrupts != "none"
    phrase = f"will be {planned.disrupts}ed" if only_pulled else _PHRASES[planned.action]
    return Block(
        name=anywhere(planned.address),
        symbol=planned.action.value,
        phrase=phrase,
        reason=_told(planned.reason, planned.address),
        lines=tuple(attr_lines(planned.attrs, mode, replacing=replacing)),
        hidden=len((desired or {}).keys() - touched) if mode == "update" and planned.attrs else 0,
        irreversible=_told(planned.irreversible, planned.address),
        effect=_told(planned.effect, planned.address) or "none",
    )


def _drift_block(drift: Drift) -> Block:
    return Block(
        name=anywhere(drift.address),
        symbol="-" if drift.gone else "~",
        phrase=_told(drift.reason, drift.address) or "has changed",
        lines=tuple(attr_lines(drift.attrs, "drift")) if not drift.gone else (),
    )


def anywhere(address: Address) -> str:
    """The address without its host."""
    whole = str(address)
    return whole if address.host is None else whole[: -len(address.host) - 1]


def _place(item: PlannedChange | Drift) -> tuple[str, str, str, str]:
    """The order of addresses, as a key: comparing two of them a million times takes its time."""
    address = item.address
    return (address.kind, address.name, address.key or "", address.host or "")


def _told(text: str, address: Address) -> str:
    """Text for all hosts alike: an address on the same host loses its host."""
    if not text:
        return ""
    if address.host is not None and "@" in text:
        text = re.sub(rf"@{re.escape(address.host)}(?![A-Za-z0-9_.-])", "", text)
    return clean(text)
