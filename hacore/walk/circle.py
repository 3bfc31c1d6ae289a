"""What is undone first where tasks wait for each other. Pure.

Two kinds of circle come up:

    triggers that wait for each other's sources    the files are restored first, then all of them settle
    a trigger that failed in an open guard block   it settles with the present files, so that its host can serve while
    and loads a file that can be restored only     the other host is out of service; it settles again after its source
    after another host has been out of service     is restored
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..model import Op, Status
from .nodes import Node


class Board(Protocol):
    """What is asked of a board; see board.py."""

    nodes: Mapping[str, Node]
    doubtful: set[str]

    @property
    def status(self) -> Mapping[str, Status]: ...

    def free(self, id: str, *, triggers: bool = True) -> bool: ...

    def resting_on(self, id: str, *, triggers: bool) -> set[str]: ...

    def in_block(self, id: str) -> set[str]: ...

    def waited_for(self, ids: Sequence[str], waiting: Sequence[str]) -> list[str]: ...

    def out_of_service(self) -> list[str]: ...


def out_of_a_circle(board: Board, waiting: Sequence[str], *, free: bool) -> list[str]:
    """What may be undone first, best first, where all of `waiting` waits.

    `free`: some of it could be undone, but must wait for its turn. Then only a task is chosen that a trigger waits for
    which waits for that task in turn. A host on which a daemon failed is never put back into service for it.
    """
    changes = [id for id in waiting if board.nodes[id].op is not Op.TRIGGER and not _unsettled(board, id)]
    ready = [id for id in changes if board.free(id, triggers=False)]
    still_open = set(board.out_of_service())
    failed = [id for id in waiting if id in board.doubtful and board.nodes[id].op is Op.TRIGGER]
    failed = [id for id in failed if board.in_block(id) & still_open]
    if free:
        return [*[id for id in ready if _waits_for_itself(board, id, waiting)], *failed]
    return [*ready, *failed] or changes or list(waiting)


def _unsettled(board: Board, id: str) -> bool:
    """Whether this is a drain, and a trigger that failed in its block has not settled."""
    return board.nodes[id].op is Op.DRAIN and any(
        board.nodes[other].op is Op.TRIGGER
        and other in board.doubtful
        and board.status[other] in (Status.DOING, Status.UNDO, Status.UNDOING)
        for other in board.resting_on(id, triggers=True)
    )


def _waits_for_itself(board: Board, id: str, waiting: Sequence[str]) -> bool:
    """Whether each trigger that must settle before `id` is undone waits for `id`."""
    resting = board.resting_on(id, triggers=True) & set(waiting)
    return all(id in board.waited_for([t], waiting) for t in resting if board.nodes[t].op is Op.TRIGGER)


__all__ = ["out_of_a_circle"]
