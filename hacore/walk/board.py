"""The statuses of a run's tasks and the moves between them. Pure: no I/O, no clock.

                      hold  <--- a failure in the lane (rollback) or above (halt); a stop
                       ^
                       |
    ------> do ----> doing ----> done
                       |           |
                       | failed    | the lane rolls back; `hacore rollback`
                       v           v
          error <-- undo <--------+
            ^          |
            | failed   v
            +------ undoing ---> undone

`doing` is saved before a host is touched; after a crash it means *maybe*. A task in flight is never
cancelled: when its lane rolls back it ends first and is undone then.

Undo runs against the needs, with one exception: a trigger has no undo of its own. When it is undone
it *settles*: it reloads or restarts once more after all of its sources are restored, or else the daemon
would keep the bad configuration although the files are right. So a source does not wait for its
triggers, nor does the consumer itself, and a trigger waits for both: it settles as its row then records.
Whatever else a trigger needs (the package of its daemon) stays until it has settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..graph import reach
from ..model import Op, Status
from .circle import out_of_a_circle
from .nodes import Node, undrains
from .statuses import Statuses

OnFailure = Literal["rollback", "halt"]
_ACTIVE = (Status.DOING, Status.UNDO, Status.UNDOING)


@dataclass
class Board:
    """The status of every task: the walker asks it what may start, and reports the results."""

    nodes: Mapping[str, Node]
    on_failure: OnFailure = "rollback"
    status: MutableMapping[str, Status] = field(default_factory=dict)
    stopped: bool = False  # the user asked to stop: nothing new starts but open guard blocks
    paused: bool = False  # no undo starts either, but in open guard blocks
    failed_lanes: set[int] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)  # to undo although never seen done
    begun: set[str] = field(default_factory=set)  # to do, but an interrupted run may have done half of it

    def __post_init__(self) -> None:
        self._statuses = Statuses({id: node.needs for id, node in self.nodes.items()}, self.status)
        self.status = self._statuses
        self._dependants: dict[str, list[str]] = {}
        self._lanes: dict[int, list[Node]] = {}
        for node in self.nodes.values():
            self._lanes.setdefault(node.lane, []).append(node)
            for need in node.needs:
                self._dependants.setdefault(need, []).append(node.id)
        self._triggers = [node for node in self.nodes.values() if node.op is Op.TRIGGER]
        self._drains = [node for node in self.nodes.values() if node.op is Op.DRAIN]
        self._undrain_of = undrains(self.nodes)

    @classmethod
    def of(cls, nodes: Iterable[Node], on_failure: OnFailure = "rollback") -> Board:
        """A board of fresh tasks."""
        return cls({node.id: node for node in nodes}, on_failure)

    # -- what may start -----------------------------------------------------------------------------

    def startable(self) -> list[str]:
        """Tasks to do that wait for no other task, in the order of the plan."""
        ready = self._statuses.ready()
        return [id for id in ready if self._inside_open_block(self.nodes[id])] if self.stopped else ready

    def undoable(self, blocked: Callable[[str], bool] = lambda _id: False) -> Iterator[str]:
        """Tasks to undo with no dependent left to undo, newest first; found as they are read.

        `blocked`: whether one that could be undone must wait for its turn all the same.
        """
        waiting = self._statuses.having(Status.UNDO)[::-1]
        if self.paused:
            still_open = set(self.out_of_service())
            waiting = self.waited_for([id for id in waiting if self.in_block(id) & still_open], waiting)
        free = found = False
        for id in waiting:
            if self.free(id):
                free = True
                if not blocked(id):
                    found = True
                    yield id
        if found or not waiting or self._statuses.any(Status.DOING, Status.UNDOING):
            return
        yield from [id for id in out_of_a_circle(self, waiting, free=free) if not blocked(id)][:1]

    def waited_for(self, ids: Sequence[str], waiting: Sequence[str]) -> list[str]:
        """These of `waiting`, and all that must be undone before them, in the order of `waiting`."""
        found, queue = set(ids), list(ids)
        while queue:
            node = self.nodes[queue.pop()]
            before = {*node.sources, *node.consumer, *self.resting_on(node.id, triggers=True)}
            new = (before & set(waiting)) - found
            found |= new
            queue.extend(new)
        return [id for id in waiting if id in found]

    def free(self, id: str, *, triggers: bool = True) -> bool:
        """Whether nothing that must be undone before `id` is left to undo; without `triggers` these do not count."""
        taken_in = self.nodes[id].sources | self.nodes[id].consumer
        if any(self.status[s] in _ACTIVE for s in taken_in if s in self.nodes):
            return False
        return all(
            self.status[d] not in _ACTIVE and not self._standing(d) for d in self.resting_on(id, triggers=triggers)
        )

    def _standing(self, id: str) -> bool:
        """Done, and about to be undone because its lane is rolling back."""
        return (
            self.status[id] is Status.DONE
            and not self.nodes[id].keep_on_failure
            and self.nodes[id].lane in self.failed_lanes
        )

    def resting_on(self, id: str, *, triggers: bool) -> set[str]:
        """The tasks that must be undone before `id`: its dependents, looking through its own triggers."""
        found: set[str] = set()
        queue = list(self._dependants.get(id, ()))
        while queue:
            dependant = queue.pop()
            if dependant in found:
                continue
            node = self.nodes[dependant]
            if node.op is Op.DRAIN:
                continue  # the tasks in its block count; the drain itself is undone after all of them
            if node.op is Op.TRIGGER and (not triggers or id in node.sources | node.consumer):
                queue.extend(self._dependants.get(dependant, ()))
            else:
                found.add(dependant)
        return found

    def _inside_open_block(self, node: Node) -> bool:
        """Between a drain that is done and its undrain: a stop lets the block end."""
        if not node.group or node.op is Op.DRAIN:
            return False
        return any(
            other.op is Op.DRAIN and other.group == node.group and self.status[other.id] is Status.DONE
            for other in self._above(node.id)
        )

    def in_block(self, id: str) -> set[str]:
        """The drains of the block that a task is part of, its own included."""
        group = self.nodes[id].group
        return {n.id for n in (self.nodes[id], *self._above(id)) if group and n.op is Op.DRAIN and n.group == group}

    def rests_on(self, id: str, other: str) -> bool:
        """Whether `id` needs `other`, directly or not."""
        return any(node.id == other for node in self._above(id))

    def _above(self, id: str) -> list[Node]:
        found: dict[str, Node] = {}
        queue = list(self.nodes[id].needs)
        while queue:
            need = queue.pop()
            if need in self.nodes and need not in found:
                found[need] = self.nodes[need]
                queue.extend(self.nodes[need].needs)
        return list(found.values())

    # -- what happened ------------------------------------------------------------------------------

    def start(self, ids: Sequence[str]) -> None:
        """These are being done now."""
        for id in ids:
            self.status[id] = Status.DOING

    def start_undo(self, id: str) -> None:
        """This is being undone now."""
        self.status[id] = Status.UNDOING

    def done(self, id: str) -> list[str]:
        """It is done, or to be undone in a lane that rolls back meanwhile. Returns the ids with a new status."""
        rolling = self.nodes[id].lane in self.failed_lanes and not self.nodes[id].keep_on_failure
        self.status[id] = Status.UNDO if rolling else Status.DONE
        return [id]

    def failed(self, id: str, *, undo: bool = True, halt: bool = False) -> list[str]:
        """It failed. `undo` False: it must not be undone (another run holds the host).

        `halt`: it is not known whether it failed; nothing is undone, and its dependents are held.
        """
        moved = {id}
        halt = halt or self.on_failure == "halt"
        if halt or not undo:
            self.status[id] = Status.ERROR
        else:
            self.status[id] = Status.UNDO
            self.doubtful.add(id)
        if halt:
            moved |= self._hold(self._below(id))
        else:
            moved |= self.roll_back(self.nodes[id].lane)
        return [i for i in self.nodes if i in moved]

    def roll_back(self, lane: int) -> set[str]:
        """Hold the tasks of a lane that have not begun, and undo those that are done."""
        moved: set[str] = set()
        self.failed_lanes.add(lane)
        members = self._lanes.get(lane, [])
        half = {n.id for n in members if self._may_be_half(n.id) and not n.keep_on_failure}
        self.status.update(dict.fromkeys(half, Status.UNDO))
        self.doubtful |= half
        moved |= half
        moved |= self._hold([n.id for n in members])
        for node in members:
            if self.status[node.id] is Status.DONE and not node.keep_on_failure:
                self.status[node.id] = Status.UNDO
                moved.add(node.id)
        return moved

    def roll_back_all(self) -> set[str]:
        """`hacore rollback`: undo everything that was done, or may have been."""
        moved: set[str] = set()
        for id in self.nodes:
            if self.status[id] in (Status.DOING, Status.UNDOING, Status.ERROR):
                self.status[id] = Status.UNDO
                self.doubtful.add(id)
                moved.add(id)
        for lane in self._lanes:
            moved |= self.roll_back(lane)
        for id, node in self.nodes.items():
            if node.keep_on_failure and self.status[id] is Status.DONE:
                self.status[id] = Status.UNDO
                moved.add(id)
        return self._settle_again(moved)

    def take_back(self, ids: Iterable[str]) -> set[str]:
        """Undo only these: they may have been done, or were being undone."""
        moved = set(ids)
        for id in moved:
            self.status[id] = Status.UNDO
        self.doubtful |= moved
        return self._settle_again(moved)

    def _settle_again(self, moved: set[str]) -> set[str]:
        undoing = {id for id in moved if self.status[id] is Status.UNDO}  # the others are held: nothing was done
        for id, node in self.nodes.items():
            # it settled before one of its sources was restored: an earlier rollback failed there
            if node.op is Op.TRIGGER and self.status[id] is Status.UNDONE and undoing & node.sources:
                self.status[id] = Status.UNDO
                moved.add(id)
        return moved

    def hold_rest(self) -> list[str]:
        """Hold what can no longer start, because a host of its group stays out of service."""
        return sorted(self._hold(self.nodes))

    def undone(self, id: str) -> list[str]:
        """Its host is restored. Returns the triggers that settled before that, and settle again."""
        self.status[id] = Status.UNDONE
        loading = [t for t in self._triggers if id in t.sources or id in t.consumer]
        again = [t.id for t in loading if self.status[t.id] is Status.UNDONE]
        self.status.update(dict.fromkeys(again, Status.UNDO))
        return again

    def undo_failed(self, id: str) -> list[str]:
        """The others are still undone, but its host stays out of service. Returns the drains that are not undone."""
        self.status[id] = Status.ERROR
        if self.nodes[id].op is Op.UNDRAIN:
            return []
        needs = [need for need in self.nodes[id].needs if need in self.nodes]
        left = [n for n in needs if self.nodes[n].op is Op.DRAIN and self.status[n] is Status.UNDO]
        for drain in left:
            self.status[drain] = Status.ERROR
        return left

    def give_up(self) -> list[str]:
        """What can no longer be undone, because a host of its group stays out of service."""
        stuck = [] if self.paused else self._statuses.having(Status.UNDO)
        for id in stuck:
            self.status[id] = Status.ERROR
        return stuck

    def _hold(self, ids: Iterable[str]) -> set[str]:
        """What has not begun waits for a later run; what may be half done is an error."""
        held = {id for id in ids if self.status[id] is Status.DO}
        for id in held:
            self.status[id] = Status.ERROR if self._may_be_half(id) else Status.HOLD
        return held

    def _may_be_half(self, id: str) -> bool:
        return id in self.begun and self.status[id] is Status.DO

    def _below(self, id: str) -> set[str]:
        return reach(self._dependants.get(id, ()), self._dependants)

    def open_blocks(self, group: str) -> list[str]:
        """The drains of a group that keep a host out of service, forwards or backwards."""
        return [id for id in self.out_of_service() if self.nodes[id].group == group]

    def out_of_service(self) -> list[str]:
        """All drains that keep a host out of service."""
        return [
            node.id
            for node in self._drains
            if (self.status[node.id] not in (Status.DO, Status.HOLD, Status.UNDONE) or self._may_be_half(node.id))
            and not self.serves(self._undrain_of.get(node.id, ""))
        ]

    def serves(self, undrain: str) -> bool:
        """Whether a block was closed and its undoing has not begun."""
        status = self.status.get(undrain)
        return status is Status.DONE or (status is Status.UNDO and undrain not in self.doubtful)
