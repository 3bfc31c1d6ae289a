"""Board sequences in one line.

    a b:a c:a,b  |  -b        a task per word: name, what it needs; then what happens, in order

Tasks: `name[:needs][@lane][!op][#group]`; op is t(rigger), d(rain), v(erify), u(ndrain) or k(eep).
Lanes default to 0. Things that happen, all else ends well:

    -a   a fails when it is done        ~a  its undo fails        stop@a  the user stops while a runs

The story that comes out lists what is started, in rounds of all that may run at once: `a+b` are
started together, `<a` is an undo; at the end stand the statuses that are not `done`.
"""

from __future__ import annotations

from hacore.model import Op, Status
from hacore.walk.board import Board, OnFailure
from hacore.walk.nodes import Node

OPS = {"t": Op.TRIGGER, "d": Op.DRAIN, "v": Op.VERIFY, "u": Op.UNDRAIN, "k": Op.CHANGE}


def node(word: str) -> Node:
    rest, _, group = word.partition("#")
    rest, _, op = rest.partition("!")
    rest, _, lane = rest.partition("@")
    name, _, needs = rest.partition(":")
    wanted = tuple(n for n in needs.split(",") if n)
    sources = frozenset(n for n in wanted if not n.startswith("d")) if op == "t" else frozenset[str]()
    return Node(name, wanted, int(lane or 0), OPS.get(op, Op.CHANGE), op == "k", group, sources)


def board_of(tasks: str, on_failure: OnFailure = "rollback") -> Board:
    return Board.of([node(word) for word in tasks.split()], on_failure)


def play(board: Board, happens: str = "") -> str:
    """Run the board to its end; the story."""
    events = happens.split()
    bad = {e[1:] for e in events if e[0] == "-"}
    worse = {e[1:] for e in events if e[0] == "~"}
    stops = {e.removeprefix("stop@") for e in events if e.startswith("stop@")}
    story: list[str] = []
    for _ in range(4 * len(board.nodes) + 4):
        todo, back = board.startable(), list(board.undoable())
        todo = _drains(board, todo)
        if not todo and not back:
            break
        story.append("+".join([*todo, *(f"<{id}" for id in back)]))
        board.start(todo)
        for id in back:
            board.start_undo(id)
        if stops & set(todo):
            board.stopped = True
        for id in todo:
            if id in bad:
                board.failed(id)
            else:
                board.done(id)
        for id in back:
            if id in worse:
                board.undo_failed(id)
            else:
                board.undone(id)
    else:
        raise AssertionError(f"no end: {' '.join(story)}")
    ends = [f"{id}={s.value}" for id, s in board.status.items() if s is not Status.DONE]
    return " ".join([*story, "|", *ends]) if ends else " ".join(story)


def _drains(board: Board, todo: list[str]) -> list[str]:
    """Of each group one drain at a time, as the walker does it."""
    kept: list[str] = []
    taken: set[str] = set()
    for id in todo:
        one = board.nodes[id]
        if one.op is Op.DRAIN:
            if one.group in taken or board.open_blocks(one.group):
                continue
            taken.add(one.group)
        kept.append(id)
    return kept


def finished(board: Board) -> bool:
    """Nothing is running, to start or to undo."""
    return all(s.final or (s is Status.DO and board.stopped) for s in board.status.values())
