"""Forgetting old runs, and the before-images that only their rollback needs."""

from __future__ import annotations

import json

import sqlalchemy as sa

from .queries import chunks
from .records import UNFINISHED
from .tables import BLOB, IMAGE, IMAGE_BLOB, RESOURCE, REVISION, REVISION_ROW, RUN, TASK, TASK_IMAGE
from .transaction import Transaction


def prune(work: Transaction, keep: int) -> int:
    """Forget all finished runs but the newest `keep`; the number of forgotten runs.

    A run is also kept when a kept rollback failed to undo it. An image is kept when it is the origin of a row,
    when a kept run captured it or links it, or when the rollback of a kept run would restore a row of which it
    is the origin: deleting that row later restores the origin.
    """
    finished = sa.select(RUN.c.id).where(work.mine(RUN), RUN.c.status.not_in(UNFINISHED)).order_by(RUN.c.id)
    old = list(work.connection.execute(finished).scalars())
    old = old[: max(0, len(old) - keep)]
    needed = _to_be_finished(work, set(old))
    old = [number for number in old if number not in needed]
    for part in chunks(old):
        for table, column in ((TASK_IMAGE, TASK_IMAGE.c.run), (TASK, TASK.c.run), (RUN, RUN.c.id)):
            work.connection.execute(table.delete().where(work.mine(table), column.in_(part)))
    for part in chunks(old):  # the history begins with the oldest run
        last = work.connection.execute(
            sa.select(sa.func.max(REVISION.c.serial)).where(work.mine(REVISION), REVISION.c.run.in_(part))
        ).scalar()
        if last is not None:
            work.connection.execute(REVISION_ROW.delete().where(work.mine(REVISION_ROW), REVISION_ROW.c.serial <= last))
            work.connection.execute(REVISION.delete().where(work.mine(REVISION), REVISION.c.serial <= last))
    stays = sa.union(
        sa.select(RESOURCE.c.origin).where(work.mine(RESOURCE), RESOURCE.c.origin.is_not(None)),
        sa.select(TASK_IMAGE.c.image).where(work.mine(TASK_IMAGE)),
        sa.select(IMAGE.c.id).where(work.mine(IMAGE), IMAGE.c.run.in_(sa.select(RUN.c.id).where(work.mine(RUN)))),
    )
    kept = set(work.connection.execute(stays).scalars()) | _origins_to_restore(work)
    unused = sorted(set(work.connection.execute(sa.select(IMAGE.c.id).where(work.mine(IMAGE))).scalars()) - kept)
    for part in chunks(unused):
        work.connection.execute(IMAGE_BLOB.delete().where(work.mine(IMAGE_BLOB), IMAGE_BLOB.c.image.in_(part)))
        work.connection.execute(IMAGE.delete().where(work.mine(IMAGE), IMAGE.c.id.in_(part)))
    used = sa.select(IMAGE_BLOB.c.blob).where(work.mine(IMAGE_BLOB))
    work.connection.execute(BLOB.delete().where(work.mine(BLOB), BLOB.c.id.not_in(used)))
    return len(old)


def _to_be_finished(work: Transaction, pruned: set[int]) -> set[int]:
    """The runs of which a failed rollback, if it is kept, would still restore images."""
    halfway = sa.select(RUN.c.id, RUN.c.undoes).where(
        work.mine(RUN), RUN.c.command == "rollback", RUN.c.status == "failed"
    )
    return {n for run, undoes in work.connection.execute(halfway) if run not in pruned for n in json.loads(undoes)}


def _origins_to_restore(work: Transaction) -> set[int]:
    rows = (
        row
        for before in work.connection.execute(sa.select(TASK.c.before).where(work.mine(TASK))).scalars()
        for row in json.loads(before).values()
    )
    return {row["origin"] for row in rows if row and row.get("origin") is not None}
