"""`state migrate`: a state moves with all that it has, and at no time two databases have a usable one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.errors import LockedError, StoreError
from hacore.model import Row
from hacore.store import DropRow, PutRow, RunRecord, StateReader, StateWriter, TaskRecord, relocate, states
from tests.postgres import Server

DATA = Path(__file__).parent / "data"
MOVED = "it was moved to"


@pytest.fixture
def here(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A state of the first schema, with runs, origins and a sensitive image; its key is in the environment, too."""
    stored = DATA / "schema-0001.db"
    path.parent.mkdir(mode=0o700)
    shutil.copyfile(stored, path)
    shutil.copyfile(f"{stored}.key", f"{path}.key")
    path.with_name(path.name + ".key").chmod(0o600)
    monkeypatch.setenv("HACORE_KEY", Path(f"{stored}.key").read_text())
    return f"sqlite:///{path}"


@pytest.fixture
def there(postgres: Server) -> str:
    return f"{postgres.new_database()}&state=edge-1"


def content(url: str) -> Any:
    """All that a state has."""
    with StateReader.open(url) as state:  # type: ignore[union-attr]
        runs = state.runs()
        return (
            (state.lineage, state.serial, state.rows(), state.hosts(), runs),
            [state.tasks(run.id) for run in runs],
            state.images(range(1, 13)),
            (state.revisions(), state.deltas()),
        )


async def changed(url: str) -> None:
    """A change, so that there is a history."""
    writer = await StateWriter.open(url, who="ann@desk", what="state rm")
    await writer.commit(DropRow(Address.parse("thing.conf@b")))
    await writer.close()


async def test_to_a_server_and_back(here: str, there: str, make_run: Callable[..., RunRecord]) -> None:
    await changed(here)
    before = content(here)

    done = relocate(here, there, who="ann@desk")

    assert content(there) == before
    assert (done.lineage, done.serial) == before[0][:2]
    assert (done.rows["resource"], done.rows["run"], done.rows["image"]) == (7, 3, 12)
    with pytest.raises(StoreError, match=rf"{MOVED} postgresql://.*state=edge-1"):
        StateReader.open(here)
    with pytest.raises(StoreError, match=MOVED):
        await StateWriter.open(here, who="ann@desk", what="apply")
    writer = await StateWriter.open(there, who="ann@desk", what="apply")
    assert await writer.new_run(make_run(status="done"), []) == 4, "numbers go on"
    await writer.commit(DropRow(Address.parse("thing.conf@a")))
    await writer.close()
    later = content(there)

    relocate(there, here, who="ann@desk")

    assert content(here) == later
    with pytest.raises(StoreError, match=rf"{MOVED} {here.removeprefix('sqlite:///')}"):
        StateReader.open(there)
    assert [one.moved_to for one in states(there)] == [here.removeprefix("sqlite:///")]
    relocate(here, there, who="ann@desk")  # its former place takes it again
    assert content(there) == later


async def test_what_cannot_be_moved_stays(
    here: str,
    there: str,
    monkeypatch: pytest.MonkeyPatch,
    make_run: Callable[..., RunRecord],
    make_task: Callable[..., TaskRecord],
    make_row: Callable[..., Row],
) -> None:
    with pytest.raises(StoreError, match="it does not exist yet"):
        relocate(there, here, who="ann@desk")
    with pytest.raises(StoreError, match="it is there already"):
        relocate(here, here, who="ann@desk")
    with monkeypatch.context() as patch:
        patch.delenv("HACORE_KEY")
        with pytest.raises(StoreError, match=r"its key is not available at .*into HACORE_KEY; it is in .*db\.key"):
            relocate(here, there, who="ann@desk")
    other = await StateWriter.open(there, who="bob@ci", what="apply")
    await other.commit(PutRow(make_row()))
    await other.close()
    with pytest.raises(StoreError, match="another state is there; choose another place"):
        relocate(here, there, who="ann@desk")
    writer = await StateWriter.open(here, who="ann@desk", what="apply")
    free = there.replace("edge-1", "edge-2")
    with pytest.raises(LockedError, match="locked by ann@desk"):
        relocate(here, free, who="bob@ci")
    await writer.new_run(make_run(status="interrupted"), [make_task()])
    await writer.close()
    with pytest.raises(StoreError, match="run 4 was interrupted; resume it"):
        relocate(here, free, who="ann@desk")

    assert len(content(here)[0][2]) == 8
    assert [one.name for one in states(there)] == ["edge-1"]


async def test_a_copy_that_differs_is_discarded(here: str, there: str, postgres: Server) -> None:
    writer = await StateWriter.open(there.replace("edge-1", "other"), who="ann@desk", what="apply")
    await writer.close()
    database = there.partition("@/")[2].partition("?")[0]
    postgres.sql(
        database,
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.attrs := replace(NEW.attrs, ''0'', ''1''); RETURN NEW; END'",
    )
    postgres.sql(database, "CREATE TRIGGER spoil BEFORE INSERT ON resource FOR EACH ROW EXECUTE FUNCTION spoil()")
    before = content(here)

    with pytest.raises(StoreError, match=r"the rows of resource at .* differ from those here; the copy was discarded"):
        relocate(here, there, who="ann@desk")

    assert content(here) == before
    assert [one.name for one in states(there)] == ["other"]


KILLED = """
from hacore.store import relocation
real = relocation._copy
def halfway(session, source, target):
    if "committed" in sys.argv[3]:
        real(session, source, target)
    say("halfway")
    hear()
relocation._copy = halfway
relocate(url, sys.argv[2], who="bob@ci")
"""


@pytest.mark.parametrize("when", ["before", "committed"])
async def test_killed_halfway_there_is_one_usable_state_or_none(
    here: str, there: str, when: str, child: Callable[..., Any]
) -> None:
    before = content(here)
    bob = child(KILLED, there, when)
    assert bob.hear() == "halfway"
    bob.kill()

    with pytest.raises(StoreError, match=MOVED):
        StateReader.open(here)
    if when == "before":
        assert states(there) == []
        with pytest.raises(StoreError, match=MOVED):
            relocate(here, there.replace("edge-1", "elsewhere"), who="ann@desk")
        relocate(here, there, who="ann@desk")
    else:
        with pytest.raises(StoreError, match="the same state is there already"):
            relocate(here, there, who="ann@desk")

    assert content(there) == before
