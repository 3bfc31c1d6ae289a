"""What is unchanged, and checked again in the run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.model import Action, Op
from hacore.plan import Plan
from tests.plan.table import Table, row_of
from tests.plan.test_tasks import of, old_thing


def invalidating(*, needs: bool = True, uses: tuple[str, ...] = ("path:/shared",), text: str = "v2") -> Table:
    """thing.x changes and makes a token stale; thing.user is unchanged."""
    table = Table()
    old_thing(table, "thing.x@a", text=text, invalidates=("path:/shared",))
    table.record(row_of("thing.user@a", text="v1", uses=uses))
    table.world["a"].data["/user"] = {"text": "v1"}
    table.want("thing.user@a", text="v1", uses=uses, needs=["thing.mid"] if needs else [])
    old_thing(table, "thing.mid@a", text="v1", needs=["thing.x"])
    return table


def ensured(made: Plan) -> list[str]:
    return [str(a) for t in of(made, Op.ENSURE) for a in t.addresses]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (invalidating(), ["thing.user@a"]),
        (invalidating(needs=False), []),
        (invalidating(uses=("path:/other",)), []),
        (invalidating(text="v1"), []),
    ],
)
def test_who_uses_what_a_change_invalidates_is_checked_again(table: Table, expected: list[str]) -> None:
    made = table.make()
    assert ensured(made) == expected
    assert "thing.user@a" not in {str(c.address) for c in made.changes}
    for task in of(made, Op.ENSURE):
        (change,) = of(made, Op.CHANGE)
        assert (task.needs, [c.ensured for c in task.changes]) == ((change.id,), [True])


def test_what_is_stale_on_one_host_is_not_checked_on_another() -> None:
    table = invalidating()
    table.record(row_of("thing.far@b", text="v1", uses=("path:/shared",)))
    table.world["b"].data["/far"] = {"text": "v1"}
    table.want("thing.far@b", text="v1", uses=("path:/shared",), needs=["thing.x@a"])
    assert ensured(table.make()) == ["thing.user@a"]


def shared(table: Table, *needs: str) -> None:
    table.world.vips["v"] = ("a", "b")  # type: ignore[assignment]
    table.record(replace(row_of("shared.s", vip="v"), attrs={"holders": 1}, hosts=("a", "b")))
    table.want("shared.s", vip="v", needs=list(needs), hosts=("a", "b"))


@pytest.mark.parametrize(("needs", "expected"), [(["thing.x@a"], ["shared.s"]), ([], [])])
def test_what_hosts_serve_together_is_checked_after_what_it_depends_on(needs: list[str], expected: list[str]) -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v2")
    shared(table, *needs)
    assert ensured(table.make()) == expected


def test_nothing_is_checked_again_where_nothing_changes() -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v1")
    shared(table, "thing.x@a")
    table.world["a"].data["/new"] = {"text": "v1"}
    table.want("thing.new@a", text="v1")  # adopted: that changes no host
    made = table.make()
    assert (ensured(made), [c.action for c in made.changes]) == ([], [Action.ADOPT])
