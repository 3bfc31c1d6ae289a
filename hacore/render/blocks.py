"""Changes and drift as blocks of text; equal blocks of several hosts are shown once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..address import Address
from ..model import Action
from ..plan import Drift, PlannedChange
from .attrs import COLOURS, Line, Mode, attr_lines, root
from .style import Style
from .words import clean, count, listed, when

_ADDRESSES = 3  # with more, the heading has their number and the line below it their names
_NAMES = re.compile(r"\((\+ [0-9]+ \w+): [^()]*\)")
_PHRASES = {
    Action.CREATE: "will be created",
    Action.UPDATE: "will be updated in-place",
    Action.REPLACE: "will be replaced",
    Action.DELETE: "will be deleted",
    Action.ADOPT: "will be adopted",
    Action.FORGET: "will be forgotten",
    Action.NOOP: "is unchanged",
}
_MODES: dict[Action, Mode] = {Action.CREATE: "create", Action.DELETE: "delete"}


@dataclass(frozen=True, slots=True)
class Block:
    """The text of one change without its address, so that equal blocks can be merged."""

    name: str
    symbol: str
    phrase: str
    reason: str = ""
    lines: tuple[Line, ...] = ()
    hidden: int = 0
    irreversible: str = ""
    effect: str = ""

    @property
    def changes(self) -> tuple[object, ...]:
        """What makes two blocks one: all but the effect, and the unchanged lines around changes of a text."""
        lines = tuple(line for line in self.lines if line.mark or not line.depth or line.text.startswith("… "))
        return (self.name, self.symbol, self.phrase, self.reason, lines, self.hidden, self.irreversible)

    def render(self, addresses: Sequence[Address], style: Style, others: Mapping[str, Block]) -> list[str]:
        """The block with its heading. `others`: by host, the blocks of which only effect or context differ."""
        phrase = self.phrase if len(addresses) == 1 else _plural(self.phrase)
        head = [style("bold", f"  # {_who(addresses)} {phrase}")]
        if self.reason:
            head.append(f"  # ({self.reason})")
        hosts = ", ".join(str(a.host) for a in addresses if a.host is not None)
        resource = f"{self.name} @ {hosts}" if hosts else self.name
        body = [f"{' ' * (3 - len(self.symbol))}{style(COLOURS[self.symbol], self.symbol)} {resource}"]
        body += [line.render(6, style) for line in self.lines]
        around = [host for host, block in others.items() if block.lines != self.lines]
        if around:
            shown = f"# unchanged lines are those of {addresses[0].host}; they differ on {listed(around)}"
            body.append(style("dim", f"      {shown}"))
        if self.hidden:
            body.append(style("dim", f"      # ({count(self.hidden, 'unchanged attribute')} hidden)"))
        if self.irreversible:
            body.append(style("red", f"    ! cannot be undone: {self.irreversible}"))
        effects: dict[str, list[str]] = {}
        for address in addresses:
            effect = others[str(address.host)].effect if str(address.host) in others else self.effect
            effects.setdefault(effect, []).append(str(address.host))
        for effect, where in effects.items():
            if effect:
                body.append(f"    effect{'' if len(effects) == 1 else ' on ' + listed(where)}: {effect}")
        return [*head, *body]


def _plural(phrase: str) -> str:
    verb, _, rest = phrase.partition(" ")
    return f"{ {'is': 'are', 'has': 'have'}.get(verb, verb) } {rest}"


def _who(addresses: Sequence[Address]) -> str:
    if len(addresses) > _ADDRESSES:
        return f"{anywhere(addresses[0])} on {count(len(addresses), 'host')}"
    return ", ".join(str(a) for a in addresses)


def change_blocks(changes: Iterable[PlannedChange], style: Style, *, verbose: bool = False) -> list[str]:
    """All changes but adoptions in the order of their addresses, each followed by a blank line.

    `verbose`: with the names that an effect has beside a number: `(+ 4 dependencies: ...)`.
    """
    shown = sorted((c for c in changes if c.action not in (Action.ADOPT, Action.NOOP)), key=_place)
    blocks = [(c.address, _change_block(c)) for c in shown]
    if not verbose:
        blocks = [(address, replace(block, effect=_NAMES.sub(r"(\1)", block.effect))) for address, block in blocks]
    return _render(blocks, style)


def adoptions(changes: Iterable[PlannedChange], style: Style) -> list[str]:
    """The adoptions in one list: resources in the desired state that are only added to the state."""
    names: dict[str, list[Address]] = {}
    for change in sorted((c for c in changes if c.action is Action.ADOPT), key=_place):
        names.setdefault(anywhere(change.address), []).append(change.address)
    if not names:
        return []
    lines = ["  # will be adopted: already in the desired state; added to the state, no host is changed"]
    for name, addresses in names.items():
        hosts = ", ".join(str(a.host) for a in addresses if a.host is not None)
        lines.append(f"  {style('cyan', '=')} {name} @ {hosts}" if hosts else f"  {style('cyan', '=')} {name}")
    return [*lines, ""]


def found_blocks(changes: Iterable[PlannedChange], style: Style) -> list[str]:
    """Resources to record although they do not match the desired state, each followed by a blank line."""
    found = [
        (
            c.address,
            Block(
                name=anywhere(c.address),
                symbol=Action.ADOPT.value,
                phrase="will be recorded in its current state; the next plan shows these changes",
                lines=tuple(attr_lines(c.attrs, "update")),
            ),
        )
        for c in sorted(changes, key=_place)
    ]
    return _render(found, style)


def drift_blocks(drift: Iterable[Drift], style: Style) -> list[str]:
    """Recorded -> found, each followed by a blank line; equal ones of several hosts once, with the times of each."""
    known = sorted(drift, key=_place)
    notes = {d.address: _changed_words(d) for d in known if d.changed is not None}
    return _render([(d.address, _drift_block(d)) for d in known], style, notes)


def _changed_words(drift: Drift) -> str:
    who = f"; logged in then: {', '.join(drift.logins)}" if drift.logins else ""
    return clean(f"{drift.host or drift.address}: last change of the file {when(drift.changed or 0.0)}{who}")


def _render(
    items: Iterable[tuple[Address, Block]], style: Style, notes: Mapping[Address, str] = MappingProxyType({})
) -> list[str]:
    found: dict[tuple[object, ...], list[tuple[Address, Block]]] = {}
    for address, block in items:
        found.setdefault(block.changes, []).append((address, block))
    lines: list[str] = []
    for same in found.values():
        addresses, block = [address for address, _ in same], same[0][1]
        others = {str(address.host): other for address, other in same if other != block}
        told = [style("dim", f"      # {notes[address]}") for address in addresses if address in notes]
        lines += [*block.render(addresses, style, others), *told, ""]
    return lines


def _change_block(planned: PlannedChange) -> Block:
    mode = _MODES.get(planned.action, "update")
    desired = planned.desired.attrs if planned.desired is not None else None
    touched = {root(change.path) for change in planned.attrs}
    replacing = planned.desired.replace_on if planned.desired and planned.action is Action.REPLACE else frozenset()
    only_triggered = planned.action is Action.UPDATE and not planned.attrs and planned.disrupts != "none"
    phrase = f"will be {planned.disrupts}ed" if only_triggered else _PHRASES[planned.action]
    return Block(
        name=anywhere(planned.address),
        symbol=planned.action.value,
        phrase=phrase,
        reason=_on_all_hosts(planned.reason, planned.address),
        lines=tuple(attr_lines(planned.attrs, mode, replacing=replacing)),
        hidden=len((desired or {}).keys() - touched) if mode == "update" and planned.attrs else 0,
        irreversible=_on_all_hosts(planned.irreversible, planned.address),
        effect=_on_all_hosts(planned.effect, planned.address),
    )


def _drift_block(drift: Drift) -> Block:
    return Block(
        name=anywhere(drift.address),
        symbol="-" if drift.gone else "~",
        phrase=_on_all_hosts(drift.reason, drift.address) or "has changed",
        lines=tuple(attr_lines(drift.attrs, "drift")) if not drift.gone else (),
    )


def anywhere(address: Address) -> str:
    """The address without its host."""
    whole = str(address)
    return whole if address.host is None else whole[: -len(address.host) - 1]


def _place(item: PlannedChange | Drift) -> tuple[str, str, str, str]:
    """A sort key in the order of addresses, cheaper to compare than two addresses."""
    address = item.address
    return (address.kind, address.name, address.key or "", address.host or "")


def _on_all_hosts(text: str, address: Address) -> str:
    """Text that is equal on all hosts: an address on the same host is shown without it."""
    if not text:
        return ""
    if address.host is not None and "@" in text:
        text = re.sub(rf"@{re.escape(address.host)}(?![A-Za-z0-9_.-])", "", text)
    return clean(text)
