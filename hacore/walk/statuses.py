"""The statuses of all tasks, with an index for what is asked after each move.

What may start next is asked once for every task that ends: a scan of all tasks each time would make a
run of ten thousand of them a hundred million steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence

from ..model import Status


class Statuses(MutableMapping[str, Status]):
    """Status by task. `needs`: of each task of the run, in the order of the plan; `given`: what is not `do`."""

    def __init__(self, needs: Mapping[str, Sequence[str]], given: Mapping[str, Status]) -> None:
        self._at = {id: number for number, id in enumerate(needs)}
        self._dependants: dict[str, list[str]] = {}
        self._missing = dict.fromkeys(needs, 0)  # how many of its needs are not done
        for id, wanted in needs.items():
            for need in {need for need in wanted if need in needs}:
                self._dependants.setdefault(need, []).append(id)
                self._missing[id] += 1
        self._status: dict[str, Status] = dict.fromkeys(needs, Status.DO)
        self._with: dict[Status, set[str]] = {status: set() for status in Status}
        self._with[Status.DO].update(needs)
        self._ready = {id for id, missing in self._missing.items() if not missing}
        self.update(given)

    def ready(self) -> list[str]:
        """Tasks to do that wait for no other task, in the order of the plan."""
        return sorted(self._ready, key=self._at.__getitem__)

    def having(self, status: Status) -> list[str]:
        """Tasks with a status, in the order of the plan."""
        return sorted(self._with[status], key=self._at.__getitem__)

    def any(self, *statuses: Status) -> bool:
        """Whether a task has one of these."""
        return any(self._with[status] for status in statuses)

    def __getitem__(self, id: str) -> Status:
        return self._status[id]

    def __setitem__(self, id: str, status: Status) -> None:
        old = self._status[id]
        self._status[id] = status
        self._with[old].discard(id)
        self._with[status].add(id)
        step = (old is Status.DONE) - (status is Status.DONE)
        if step:
            for dependant in self._dependants.get(id, ()):
                self._missing[dependant] += step
                self._note(dependant)
        self._note(id)

    def _note(self, id: str) -> None:
        if self._status[id] is Status.DO and not self._missing[id]:
            self._ready.add(id)
        else:
            self._ready.discard(id)

    def __delitem__(self, id: str) -> None:
        raise TypeError(f"cannot forget the status of {id}: a task of a run has one")

    def __iter__(self) -> Iterator[str]:
        return iter(self._status)

    def __len__(self) -> int:
        return len(self._status)


__all__ = ["Statuses"]
