"""What is kept at hand is what looking at everything would say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.address import Address
from hacore.contract import Claim
from hacore.model import Status
from hacore.walk.context import Owned
from hacore.walk.statuses import Statuses

MOVES = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(Status)), max_size=40)
EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(EDGES, MOVES)
def test_what_may_start(edges: list[tuple[int, int]], moves: list[tuple[int, Status]]) -> None:
    needs = {f"t{n}": tuple(f"t{low}" for high, low in edges if high == n and low < n) for n in range(8)}
    statuses = Statuses({**needs, "t0": ("gone",)}, {})
    for number, status in moves:
        statuses[f"t{number}"] = status
        ready = [t for t in needs if statuses[t] is Status.DO and all(statuses[n] is Status.DONE for n in needs[t])]
        assert statuses.ready() == ready
        assert [t for t in statuses if statuses[t] is status] == statuses.having(status)
        assert statuses.any(status)


def test_what_is_given_counts() -> None:
    assert Statuses({"a": (), "b": ("a",)}, {"a": Status.DONE}).ready() == ["b"]


def test_a_task_keeps_a_status() -> None:
    with pytest.raises(TypeError, match="cannot forget the status of a"):
        del Statuses({"a": ()}, {})["a"]


def test_what_others_own() -> None:
    one, two, far = (Address.parse(a) for a in ("file.x@lb1", "file.y@lb1", "file.x@lb2"))
    claims = {
        one: (Claim("path:/x"), Claim("pkg:gcc", "share")),
        two: (Claim("path:/y"), Claim("pkg:gcc", "share"), Claim("path:/used", "use")),
        far: (Claim("path:/x"),),
    }
    owned = Owned(claims, {one: ("lb1",), two: ("lb1",), far: ("lb2",)})
    assert set(owned.by_others(one)) == {"path:/y", "pkg:gcc"}
    assert set(owned.by_others(far)) == set()
    assert set(owned.by_others(Address.parse("vip.front"))) == {"path:/x", "path:/y", "pkg:gcc"}
    assert len(owned.by_others(one)) == 2
    assert "path:/x" not in owned.by_others(one)
    assert set(owned.by_others(Address.parse("file.z@lb9"))) == set()
