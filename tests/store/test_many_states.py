"""Many states in one database: each is as alone there, and none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.errors import LockedError, StoreError
from hacore.model import Image, Row
from hacore.store import DropRow, PutRow, RunRecord, StateReader, StateWriter, TaskRecord, states, unlock
from hacore.store import schema as tables
from hacore.store.database import open_writer as open_database
from hacore.store.place import Place
from tests.postgres import Server, running
from tests.store.conftest import put_image

BACKENDS = ["postgresql"]
MANY, AT_ONCE = 2000, 200


async def opened(url: str, name: str) -> StateWriter:
    return await StateWriter.open(f"{url}&state={name}", who="ann@desk", what="apply")


async def test_two_states_of_a_database_do_not_see_each_other(
    url: str,
    make_row: Callable[..., Row],
    make_run: Callable[..., RunRecord],
    make_task: Callable[..., TaskRecord],
) -> None:
    first, second = await opened(url, "edge-1"), await opened(url, "edge-2")  # both are locked at once
    same = make_row()
    for writer, text in ((first, b"one"), (second, b"two")):
        image = await put_image(writer, Image({"n": 1}, {"f": b"shared", "g": text}))
        run = await writer.new_run(make_run(), [make_task(images={str(same.address): image})])
        assert (image, run) == (1, 1), "numbers are those of the state"
        await writer.commit(PutRow(make_row(origin=image, info={"n": text.decode()})))
    await second.commit(DropRow(same.address))

    assert (first.serial, second.serial) == (1, 2)
    assert first.lineage != second.lineage
    assert first.rows()[same.address].info == {"n": "one"}
    assert second.rows() == {}
    assert [first.image(1).blobs["g"], second.image(1).blobs["g"]] == [b"one", b"two"]
    assert [len(writer.revisions()) for writer in (first, second)] == [1, 2]
    assert second.deltas()[0].before is not None
    await first.commit()
    done = second.runs()[0]
    assert await second.prune(keep=0) == 0, "a run in progress stays"
    await first.close()
    await second.close()
    assert done.id == 1
    found = states(url)
    assert [(one.name, one.resources, one.runs, one.unfinished) for one in found] == [
        ("edge-1", 1, 1, 1),
        ("edge-2", 0, 1, 1),
    ]
    assert StateReader.open(url) is None, "there is no state without a name"


async def test_pruning_one_state_leaves_the_others(
    url: str, make_run: Callable[..., RunRecord], make_row: Callable[..., Row]
) -> None:
    first, second = await opened(url, "a"), await opened(url, "b")
    for writer in (first, second):
        image = await put_image(writer, Image(1, {"f": b"shared"}, run=1))
        await writer.new_run(make_run(status="done"), [])
        await writer.commit(PutRow(make_row(run=1)))
        assert image == 1

    assert await first.prune(keep=0) == 1

    assert second.image(1).blobs == {"f": b"shared"}
    assert (len(first.runs()), len(second.runs()), len(second.revisions())) == (0, 1, 1)
    assert await first.new_run(make_run(status="done"), []) == 2, "a number is never given twice"
    assert await put_image(first, Image(1)) == 2
    await first.close()
    await second.close()


async def test_the_lock_of_one_state_is_not_that_of_another(url: str) -> None:
    first, plain = await opened(url, "a"), await StateWriter.open(url, who="bob@ci", what="destroy")
    with pytest.raises(LockedError, match=r"state=a: locked by ann@desk \(apply"):
        await opened(url, "a")
    with pytest.raises(LockedError, match=r"locked by bob@ci \(destroy"):
        await StateWriter.open(url, who="eve@ci", what="apply")
    await plain.close()
    again = await StateWriter.open(url, who="eve@ci", what="apply")
    assert [one.lock is not None for one in states(url)] == [True, True]
    await first.close()
    assert [(one.name, one.lock is not None) for one in states(url)] == [("", True), ("a", False)]
    await again.close()


@pytest.mark.parametrize("name", ["%00", "", "x" * 201])
def test_the_name_is_checked(name: str) -> None:
    with pytest.raises(StoreError, match="must be printable, with 1 to 200 characters"):
        Place.parse(f"postgresql://db/x?state={name}")


def test_the_name_is_taken_out_of_the_url() -> None:
    def parts(url: str) -> tuple[str, str]:
        place = Place.parse(url)
        return place.url, place.state

    assert parts("postgresql://u@db/x?state=eu%2F1") == ("postgresql://u@db/x", "eu/1")
    assert parts("postgresql://u@db/x?state=a&host=/run") == ("postgresql://u@db/x?host=/run", "a")
    assert parts("postgresql://u@db/x?host=/run&state=a") == ("postgresql://u@db/x?host=/run", "a")
    assert parts("postgresql://u:state=b@db/x") == ("postgresql://u:state=b@db/x", "")
    assert Place.parse("postgresql://db/x").state_id == 1
    ids = {Place.parse(f"postgresql://db/x?state=edge-{n}").state_id for n in range(MANY)}
    assert len(ids) == MANY
    assert all(1 < one < 2**63 for one in ids)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server for three connections of each of the states that are opened at once."""
    monkeypatch.setenv("HACORE_KEY", "B" * 43 + "=")
    with running(connections=3 * AT_ONCE + 20) as server:
        yield server


def fill(url: str) -> None:
    database = open_database("server", None, url)
    with database.writing() as connection:
        tables.create(connection)
        for number in range(MANY):
            tables.create_state(connection, Place.parse(f"{url}&state=edge-{number}"))
    database.close()


@pytest.mark.machine
async def test_two_thousand_states_and_two_hundred_at_once(
    large: Server, make_row: Callable[..., Row], tmp_path: Path
) -> None:
    url = large.new_database()
    await asyncio.to_thread(fill, url)
    lineages = {one.name: one.lineage for one in states(url)}
    assert len(set(lineages.values())) == MANY
    names = [f"edge-{number}" for number in range(0, MANY, MANY // AT_ONCE)]

    writers = await asyncio.gather(*(opened(url, name) for name in names))
    assert sum(one.lock is not None for one in states(url)) == AT_ONCE
    rows = [make_row(f"file.{name}@lb1") for name in names]
    done = await asyncio.gather(*(w.commit(PutRow(row)) for w, row in zip(writers, rows, strict=True)))
    await asyncio.gather(*(writer.close() for writer in writers))

    assert [each.serial for each in done] == [1] * AT_ONCE
    found = {one.name: one for one in states(url)}
    assert {name for name, one in found.items() if one.resources} == set(names)
    assert {name: one.lineage for name, one in found.items()} == lineages
    assert not any(one.lock for one in found.values())
    with StateReader.open(f"{url}&state={names[7]}") as reader:  # type: ignore[union-attr]
        assert list(reader.rows()) == [Address.parse(f"file.{names[7]}@lb1")]


@pytest.mark.machine
async def test_two_hundred_states_are_created_at_once_in_an_empty_database(large: Server) -> None:
    url = large.new_database()

    writers = await asyncio.gather(*(opened(url, f"edge-{number}") for number in range(AT_ONCE)))

    await asyncio.gather(*(writer.close() for writer in writers))
    assert len({one.lineage for one in states(url)}) == AT_ONCE


async def test_a_lock_that_is_broken_is_that_of_one_state(url: str) -> None:
    """Whatever the order of their ids: the state without a name has the lowest one."""
    names = ["", "a", "b", "c"]
    urls = {name: f"{url}&state={name}" if name else url for name in names}
    for broken in names:
        writers = [await StateWriter.open(urls[name], who=f"of {name}", what="apply") for name in names]
        found = unlock(urls[broken], force=True)
        assert found is not None
        assert found.who == f"of {broken}"
        assert {one.name: one.lock is not None for one in states(url)} == {name: name != broken for name in names}
        for writer in writers:
            await writer.close()
        assert not any(one.lock for one in states(url))
