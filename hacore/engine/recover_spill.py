"""What a run did after its state was lost: recorded once the state can be written again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..store import Move, PutRun, PutTask, SetTask, Spilled, StateReader, StateWriter


async def take_in(writer: StateWriter, say: Callable[[str], None]) -> None:
    """Record what the unfinished run could not; what does not fit the state any more is left out.

    The state must stand where that run saw it last. If rows were changed since, by another run that
    was forced in, what was done stays a "maybe": whoever goes on looks at it on its hosts, as after
    a crash.
    """
    spilled = writer.spilled()
    if not spilled:
        return
    unfinished = writer.unfinished()
    if unfinished is not None and _fits(spilled, unfinished.id, writer.serial):
        await writer.commit(*[move for each in spilled for move in each.moves])
        tasks = {move.id for each in spilled for move in each.moves if isinstance(move, SetTask)}
        say(f"run {unfinished.id} lost its state: what became of {len(tasks)} of its tasks is recorded now")
    else:
        say("what a run kept when it lost its state does not fit the state any more; the hosts are looked at instead")
    writer.forget_spilled()


async def take_in_at(url: str, who: str, say: Callable[[str], None]) -> None:
    """The same for a state that nobody has open yet; opens it for writing only when there is something."""
    reader = StateReader.open(url)
    if reader is None:
        return
    with reader:
        if not reader.spilled():
            return
    async with await StateWriter.open(url, who=who, what="resume") as writer:
        await take_in(writer, say)


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
