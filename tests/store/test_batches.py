"""Many values and many requests at once: none is lost at the edge of a part, whatever its size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hacore.errors import ImageError
from hacore.model import Image, Row
from hacore.store import PutRow, StateWriter
from hacore.store.queries import Scope, chunks
from hacore.store.server_lock import session_key
from hacore.store.source import listing


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000, 1203])
def test_parts_of_a_list_are_all_of_it_and_small_enough(count: int) -> None:
    parts = list(chunks(list(range(count))))
    assert [value for part in parts for value in part] == list(range(count))
    assert all(0 < len(part) < 999 for part in parts), "SQLite before 3.32 takes 999 parameters"
    assert len(parts) == -(-count // 500)


def test_the_parameters_of_a_list_have_names_of_their_own() -> None:
    assert listing(["x", "y"]) == (":v0, :v1", {"v0": "x", "v1": "y"})
    assert listing([]) == ("", {})


def test_rows_are_those_of_the_state_where_a_database_has_several() -> None:
    assert [Scope(7, version).where() for version in ("0001", "0002", "0003")] == ["1 = 1", "1 = 1", "state_id = 7"]
    assert Scope(7, "0003").where("blob") == "blob.state_id = 7"
    assert Scope(7, "0003").joined("blob", "image") == "blob.state_id = image.state_id"
    assert Scope(7, "0002").joined("blob", "image") == Scope(7, "0002").where("blob") == "1 = 1"


async def test_more_requests_than_one_transaction_takes(writer: StateWriter, make_row: Callable[..., Row]) -> None:
    done = await asyncio.gather(*(writer.commit(PutRow(make_row(f"file.f{n}@lb1"))) for n in range(600)))
    assert len(writer.rows()) == 600
    assert writer.serial == done[-1].serial == max(each.serial for each in done)
    assert [each.serial for each in done] == sorted(each.serial for each in done)


async def test_more_images_than_one_query_takes(writer: StateWriter) -> None:
    tokens = {str(number): Image(number, {"f": f"content {number}".encode()}) for number in range(750)}
    done = await writer.commit(images=tokens)
    assert len(set(done.image_ids.values())) == 750
    found = writer.images(done.image_ids.values())
    assert {token: found[number] for token, number in done.image_ids.items()} == tokens
    with pytest.raises(ImageError, match=r"cannot read before-image 751, 9999: it is not in the state"):
        writer.images([*done.image_ids.values(), 9999, 751])


def test_the_key_of_an_advisory_lock_never_changes() -> None:
    """Two versions of hacore that write one database keep each other out by it; a bigint of PostgreSQL, so signed."""
    assert session_key("11111111-2222-3333-4444-555555555555") == 3_862_016_749_269_627_295
    keys = [session_key(str(number)) for number in range(200)]
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert min(keys) < -(2**60)
    assert max(keys) > 2**60
