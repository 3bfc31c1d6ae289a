"""All writing: each move becomes an effect on a transaction.

`prepare` encodes, on the caller's side: a value that is not JSON fails its caller alone, not the batch that
the effect becomes part of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Table

from ..errors import StoreError
from . import columns
from .columns import Columns
from .images import StoredImage
from .queries import chunks
from .records import (
    DropHost,
    DropRow,
    Move,
    PutHost,
    PutRow,
    PutRun,
    PutTask,
    RunRecord,
    SetLoaded,
    SetTask,
    TaskRecord,
)
from .tables import BLOB, HOST, IMAGE, IMAGE_BLOB, META, RESOURCE, RUN, TASK, TASK_IMAGE
from .transaction import Transaction

Ids = Mapping[str, int]  # token -> id of the images stored in this commit
Effect = Callable[[Transaction, Ids], None]


def prepare(move: Move) -> Effect:
    """The effect of a move; raises TypeError or ValueError for values that are not JSON."""
    match move:
        case PutRow(row, token):
            return partial(_put_row, columns.row_columns(row), token)
        case DropRow(address):
            return partial(_drop_row, str(address))
        case PutHost(record):
            return partial(_put_host, columns.host_columns(record))
        case DropHost(name):
            return partial(_drop_host, name)
        case PutRun(run):
            return partial(_put_run, run.id, columns.run_columns(run))
        case PutTask(task, tokens):
            return partial(_put_task, columns.task_columns(task), dict(task.images), dict(tokens))
        case SetTask(run_id, task_id, changed, tokens):
            plain = {name: value for name, value in changed.items() if name not in ("images", "before")}
            before = json.loads(columns.dump(dict(changed.get("before", {}))))
            images = dict(changed.get("images", {}))
            return partial(_set_task, (run_id, task_id), columns.task_changes(plain), before, images, dict(tokens))
        case SetLoaded(address, loaded):
            return partial(_set_loaded, str(address), json.loads(columns.dump(dict(loaded))))
        case _:
            assert_never(move)


def check_tokens(moves: Iterable[Move], images: Collection[str]) -> None:
    """Raise ValueError for a move that refers to an image that is not among `images` (tokens)."""
    for move in moves:
        tokens: set[str] = set()
        if isinstance(move, PutTask | SetTask):
            tokens.update(move.image_tokens.values())
        elif isinstance(move, PutRow) and move.origin_token:
            tokens.add(move.origin_token)
        for token in sorted(tokens):
            if token not in images:
                raise ValueError(f"cannot refer to image {token!r}: it is not in this commit")


def new_run(run: RunRecord, tasks: list[TaskRecord], work: Transaction) -> int:
    """Store a run and its tasks; the run's new id."""
    (number,) = _next(META.c.runs, 1, work)
    work.run = number
    values = {**columns.run_columns(run), "state_id": work.state_id, "id": number}
    work.connection.execute(RUN.insert().values(**values))
    rows = [{**columns.task_columns(task), "state_id": work.state_id, "run": number} for task in tasks]
    links = [
        {"state_id": work.state_id, "run": number, "task": task.id, "address": address, "image": image}
        for task in tasks
        for address, image in task.images.items()
    ]
    if rows:
        work.connection.execute(TASK.insert(), rows)
    if links:
        work.connection.execute(TASK_IMAGE.insert(), links)
    return number


def put_images(images: Mapping[str, StoredImage], work: Transaction) -> dict[str, int]:
    """Store images, the same content once; the ids by token."""
    blobs = {blob.id: blob for image in images.values() for blob in image.blobs.values()}
    known: set[str] = set()
    for part in chunks(sorted(blobs)):
        stored = sa.select(BLOB.c.id).where(work.mine(BLOB, BLOB.c.id.in_(part)))
        known.update(work.connection.execute(stored).scalars())
    for name in sorted(blobs.keys() - known):
        blob = blobs[name]
        values = {"state_id": work.state_id, "id": blob.id, "size": blob.size, "coding": blob.coding, "body": blob.body}
        work.connection.execute(BLOB.insert().values(**values))
    ids = dict(zip(images, _next(META.c.images, len(images), work), strict=True))
    for token, image in images.items():
        number = ids[token]
        about = {"run": image.run, "sensitive": image.sensitive, "key_id": image.key_id, "data": image.data}
        work.connection.execute(IMAGE.insert().values(state_id=work.state_id, id=number, **about))
        for name, blob in image.blobs.items():
            link = {"state_id": work.state_id, "image": number, "name": name, "blob": blob.id}
            work.connection.execute(IMAGE_BLOB.insert().values(**link))
    return ids


def _put_row(values: Columns, token: str, work: Transaction, ids: Ids) -> None:
    if token:
        values = {**values, "origin": ids[token]}
    before, changed = _put(RESOURCE, values, ("address",), work)
    if changed:
        work.remember(values["address"], before)


def _drop_row(address: str, work: Transaction, _ids: Ids) -> None:
    where = work.mine(RESOURCE, RESOURCE.c.address == address)
    before = _stored(RESOURCE, where, work)
    if before is not None:
        work.connection.execute(RESOURCE.delete().where(where))
        work.remember(address, before)


def _put_host(values: Columns, work: Transaction, _ids: Ids) -> None:
    _put(HOST, values, ("name",), work)


def _drop_host(name: str, work: Transaction, _ids: Ids) -> None:
    work.connection.execute(HOST.delete().where(work.mine(HOST, HOST.c.name == name)))


def _put_run(number: int, values: Columns, work: Transaction, _ids: Ids) -> None:
    where = work.mine(RUN, RUN.c.id == number)
    if work.connection.execute(RUN.update().where(where).values(**values)).rowcount != 1:
        raise StoreError(f"cannot record run {number}: it is not in the state")


def _put_task(values: Columns, images: Ids, tokens: Mapping[str, str], work: Transaction, ids: Ids) -> None:
    _put(TASK, values, ("run", "id"), work)
    number, task = values["run"], values["id"]
    where = work.mine(TASK_IMAGE, TASK_IMAGE.c.run == number, TASK_IMAGE.c.task == task)
    work.connection.execute(TASK_IMAGE.delete().where(where))
    _link(number, task, images, tokens, work, ids)


def _set_task(
    key: tuple[int, str],
    values: Columns,
    before: Mapping[str, object],
    images: Ids,
    tokens: Mapping[str, str],
    work: Transaction,
    ids: Ids,
) -> None:
    where = work.mine(TASK, TASK.c.run == key[0], TASK.c.id == key[1])
    stored = work.connection.execute(sa.select(TASK.c.before).where(where)).scalar_one_or_none()
    if stored is None:
        raise StoreError(f"cannot record task {key[1]} of run {key[0]}: it is not in the state")
    if before:
        values = {**values, "before": columns.dump({**json.loads(stored), **before})}
    if values:
        work.connection.execute(TASK.update().where(where).values(**values))
    _link(*key, images, tokens, work, ids)


def _set_loaded(address: str, loaded: Mapping[str, str | None], work: Transaction, _ids: Ids) -> None:
    where = work.mine(RESOURCE, RESOURCE.c.address == address)
    before = _stored(RESOURCE, where, work)
    if before is None:
        return
    merged = columns.dump({**json.loads(before["loaded"]), **loaded})
    if merged != before["loaded"]:
        work.connection.execute(RESOURCE.update().where(where).values(loaded=merged))
        work.remember(address, before)


def _link(number: int, task: str, images: Ids, tokens: Mapping[str, str], work: Transaction, ids: Ids) -> None:
    """Link images to a task, by address."""
    for address, image in {**images, **{a: ids[t] for a, t in tokens.items()}}.items():
        values = {"run": number, "task": task, "address": address, "image": image}
        _put(TASK_IMAGE, values, ("run", "task", "address"), work)


def _put(table: Table, values: Columns, key: tuple[str, ...], work: Transaction) -> tuple[Columns | None, bool]:
    """Insert or update; the former row, and whether anything changed."""
    where = work.mine(table, *(table.c[name] == values[name] for name in key))
    stored = _stored(table, where, work)
    if stored is None:
        work.connection.execute(table.insert().values(state_id=work.state_id, **values))
    elif stored != values:
        work.connection.execute(table.update().where(where).values(**values))
    return stored, stored != values


def _stored(table: Table, where: ColumnElement[bool], work: Transaction) -> Columns | None:
    found = work.connection.execute(table.select().where(where)).mappings().one_or_none()
    return None if found is None else {str(name): value for name, value in found.items() if name != "state_id"}


def _next(counter: Column[int], count: int, work: Transaction) -> range:
    """The next numbers of runs or images; never one of a row that was deleted."""
    if not count:
        return range(0)
    mine = META.c.id == work.state_id
    work.connection.execute(META.update().where(mine).values({counter: counter + count}))
    last = int(work.connection.execute(sa.select(counter).where(mine)).scalar_one())
    return range(last - count + 1, last + 1)
