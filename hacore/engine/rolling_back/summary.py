"""What a rollback does, address by address, in the words of its plan."""

from __future__ import annotations

from collections.abc import Sequence

from ...address import Address
from ...journal import RollbackTasks, RunningTask
from ...model import Action, Op
from ...walk.work import state_only
from ..results import RollbackItem, RollbackWord

_BACK: dict[Action, RollbackWord] = {
    Action.CREATE: "bring_back",
    Action.DELETE: "delete",
    Action.ADOPT: "remember",
    Action.FORGET: "forget",
}


def items_of(lives: Sequence[RunningTask]) -> list[RollbackItem]:
    """What undoing each task does, newest first."""
    items: list[RollbackItem] = []
    for live in reversed(lives):
        if live.task.op is Op.TRIGGER:
            items += [_trigger(a, live.task.trigger) for a in live.task.addresses]
        for planned in live.task.changes:
            word = _word(planned.action, live)
            items.append(RollbackItem(str(planned.address), planned.address.host, word, planned.irreversible))
    return items


def _trigger(address: Address, op: str) -> RollbackItem:
    return RollbackItem(str(address), address.host, "restart" if op == "restart" else "reload")


def _word(action: Action, live: RunningTask) -> RollbackWord:
    if state_only(live) or action in (Action.ADOPT, Action.FORGET):
        return "remember" if action is Action.FORGET else "forget"
    return {Action.CREATE: "delete", Action.DELETE: "bring_back"}.get(action, "restore")  # type: ignore[return-value]


def items_back(back: RollbackTasks) -> list[RollbackItem]:
    """What a rollback does, each address once, in the order of its tasks; changes of the state alone are last."""
    items: dict[tuple[str, Address], RollbackItem] = {}
    oldest = {p.address: p.action for live in back.lives if live.task.op is Op.RESTORE for p in live.task.changes}
    for live in back.lives:
        if live.task.op is Op.TRIGGER:
            items.update({(live.task.trigger, a): _trigger(a, live.task.trigger) for a in live.task.addresses})
        elif live.task.op is Op.RESTORE and live.task.host is not None:
            for address in live.task.addresses:
                action = back.actions.get(address, Action.UPDATE)
                if action is Action.DELETE and oldest.get(address) is Action.UPDATE:
                    action = Action.UPDATE  # not recorded then, but it existed: what was found is restored
                word = _BACK.get(action, "restore")
                why = back.irreversible.get(address, "")
                items[word, address] = RollbackItem(str(address), address.host, word, why)
    shown = {address for _, address in items}
    for address, action in sorted(back.actions.items()):
        if address not in shown and action in (Action.ADOPT, Action.FORGET):
            items[_BACK[action], address] = RollbackItem(str(address), address.host, _BACK[action])
    return list(items.values())


__all__ = ["items_back", "items_of"]
