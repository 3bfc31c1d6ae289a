"""Results that a run could not record because its state was lost, recorded once it can be written again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..store import Move, PutRun, PutTask, SetTask, Spilled, StateReader, StateWriter


async def record_spilled(writer: StateWriter, warn: Callable[[str], None]) -> None:
    """Record what the interrupted run could not; what no longer fits the state is dropped.

    The state must have the serial that the run saw last. If another run was forced in and changed rows
    since, the results stay unknown: a resume or rollback checks the hosts, as after a crash.
    """
    spilled = writer.spilled()
    if not spilled:
        return
    unfinished = writer.unfinished()
    if unfinished is not None and _fits(spilled, unfinished.id, writer.serial):
        await writer.commit(*[move for each in spilled for move in each.moves])
        tasks = {move.id for each in spilled for move in each.moves if isinstance(move, SetTask)}
        warn(f"run {unfinished.id} lost its state; the results of {len(tasks)} of its tasks are now recorded")
    else:
        warn("the results of a run that lost its state no longer fit the state; the hosts are checked instead")
    writer.forget_spilled()


async def record_spilled_at(url: str, who: str, warn: Callable[[str], None]) -> None:
    """The same for a state that is not open yet; opens it for writing only when something was spilled."""
    reader = StateReader.open(url)
    if reader is None:
        return
    with reader:
        if not reader.spilled():
            return
    async with await StateWriter.open(url, who=who, what="resume") as writer:
        await record_spilled(writer, warn)


def _fits(spilled: Iterable[Spilled], run: int, serial: int) -> bool:
    return all(each.serial == serial and _of(run, each.moves) for each in spilled)


def _of(run: int, moves: Iterable[Move]) -> bool:
    numbers = set()
    for move in moves:
        if isinstance(move, SetTask):
            numbers.add(move.run)
        elif isinstance(move, PutTask):
            numbers.add(move.task.run)
        elif isinstance(move, PutRun):
            numbers.add(move.run.id)
    return numbers <= {run}
