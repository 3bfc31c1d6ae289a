"""Which action an address gets, and why: recorded, observed and desired compared. Pure.

recorded  observed  desired        action
-         -         something      create
-         equal     something      adopt      (the host is not touched)
-         differs   something      update
yes       -         something      create     (it is drift, too)
yes       equal     something      no-op
yes       differs   something      update, or replace when its path or host changed
yes       any       -              delete, or forget when another address claims the same thing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..address import Address
from ..contract import Desired
from ..diff import same
from ..model import Action, Attrs, Row
from .claims import split_claims

_CHANGING = (Action.CREATE, Action.UPDATE, Action.REPLACE)


@dataclass(frozen=True, slots=True)
class Decision:
    """The action of one address. `reason` is only shown.

    `moves`: a replace at another place than the recorded one. `reduces`: an update that gives up a part of what it
    had. `takers`: the desired addresses that claim the forgotten resource.
    """

    action: Action
    reason: str = ""
    moves: bool = False
    reduces: bool = False
    takers: tuple[Address, ...] = ()


def decide(
    before: Attrs | None,
    desired: Desired,
    row: Row | None,
    *,
    ignore: tuple[str, ...] = (),
    moves: bool = False,
    without: str = "",
    wanted: bool = False,
    begun: Action | None = None,
) -> Decision:
    """The action of a desired address.

    `before`: the observed attrs; `ignore`: attrs that are not compared; `moves`: its recorded place is left;
    `without`: the part of it that is given up, in words; `wanted`: its replacement is asked for; `begun`: what an
    interrupted run was doing to it.
    """
    if row is not None and without:
        return Decision(Action.UPDATE, f"no longer has {without}: restored to the original state", reduces=True)
    if row is not None and moves:
        return Decision(Action.REPLACE, "path or host changed, must be replaced", moves=True)
    if row is not None and wanted:
        return Decision(Action.REPLACE, "replaced, as --replace requests", moves=True)
    found = _compare(before, desired, row, ignore)
    if begun is None:
        return found
    return Decision(_resumed(found.action, begun), "was in progress when the run was interrupted")


def _compare(before: Attrs | None, desired: Desired, row: Row | None, ignore: tuple[str, ...]) -> Decision:
    equal = same(before, desired.attrs, ignore)
    if row is None:
        if equal:
            return Decision(Action.ADOPT, "already in the desired state; added to the state")
        if before is None:
            return Decision(Action.CREATE)
        return Decision(Action.UPDATE, "exists already, not yet managed")
    if row.tainted:
        return Decision(Action.CREATE if before is None else Action.UPDATE, f"tainted by run {row.run}")
    if equal:
        return Decision(Action.NOOP)
    if before is None:
        return Decision(Action.CREATE, "is missing")
    changed = {key for key, value in (desired.attrs or {}).items() if before.get(key) != value}
    if changed & desired.replace_on:
        return Decision(Action.REPLACE, f"{', '.join(sorted(changed & desired.replace_on))} cannot be changed in place")
    return Decision(Action.UPDATE)


def _resumed(action: Action, begun: Action) -> Action:
    """The interrupted action is finished, whatever the host looks like: half of a change is never adopted."""
    if begun in _CHANGING:
        return begun
    return Action.UPDATE if action in (Action.ADOPT, Action.NOOP) else action


def decide_unwanted(row: Row, why: str, takers: Mapping[str, Address], *, answered: bool) -> Decision | None:
    """The action of a recorded address that the stack does not have; None when its hosts did not answer.

    `why`: the reason for a delete; `takers`: the desired address that claims a token of the row, by token.
    """
    modes = split_claims(row.claims)
    owners = owners_among(row, takers)
    if owners or (modes and takers.keys() == modes.keys()):
        first = owners[0] if owners else next(iter(takers.values()))
        return Decision(Action.FORGET, f"now managed by {first}", takers=tuple(sorted(set(takers.values()))))
    if row.lifecycle.on_delete == "keep":
        return Decision(Action.FORGET, f"{why}; lifecycle.on_delete is keep")
    return Decision(Action.DELETE, why) if answered else None


def owners_among(row: Row, takers: Mapping[str, Address]) -> list[Address]:
    """The takers of what the row owns for itself alone."""
    modes = split_claims(row.claims)
    return [taker for token, taker in takers.items() if modes[token] == "own"]


__all__ = ["Decision", "decide", "decide_unwanted", "owners_among"]
