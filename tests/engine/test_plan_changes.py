"""Pure parts of a run: which plans may be applied, what changed since one was shown, and the rows that it replaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Facts
from hacore.engine.plan_changes import changed_words, plan_differences
from hacore.engine.request import ApplyOptions
from hacore.engine.rows_without_task import previous_rows
from hacore.engine.run import check_applyable, standing
from hacore.engine.snapshot import StateSnapshot
from hacore.errors import HacoreError, PlanError, UnreachableError
from hacore.plan import HostStatus, Ownership, Plan
from hacore.plan.differences import Difference
from hacore.store import DropRow, PutRow, row_to_json
from tests.plan.table import Table, row_of


def made(text: str = "v2", **body: Any) -> Plan:
    """thing.x@a changes; the plan has hosts a and b."""
    table = Table()
    table.record(row_of("thing.x@a", text="v1"))
    table.world["a"].data["/x"] = {"text": "v1"}
    table.want("thing.x@a", text=text, **body)
    return table.make()


def silent(plan: Plan, **why: str) -> Plan:
    """The plan with hosts that did not answer; "in part": not every question."""
    found = dict(plan.hosts)
    for name, error in why.items():
        facts = Facts(failed={"value": error}) if error == "in part" else None
        found[name] = HostStatus(found[name].host, facts, error)
    return replace(plan, hosts=found)


DEGRADED = ApplyOptions(allow_degraded=True)


@pytest.mark.parametrize(
    ("hosts", "options", "error"),
    [
        ({}, ApplyOptions(), None),
        ({"b": "no route"}, ApplyOptions(), r"no route; to apply the changes to the other hosts use --allow-degraded"),
        ({"b": "in part"}, ApplyOptions(), r"in part; to apply the changes to the other hosts"),
        ({"b": "no route"}, DEGRADED, None),
        ({"a": "no route", "b": "in part"}, DEGRADED, r"no route; in part; no host can be reached"),
        ({"a": "no route", "b": "refused"}, ApplyOptions(), r"no route; refused; no host can be reached"),
    ],
)
def test_a_plan_that_lacks_a_host(hosts: dict[str, str], options: ApplyOptions, error: str | None) -> None:
    plan = silent(made(), **hosts)
    if error is None:
        check_applyable(plan, options)
        return
    with pytest.raises(UnreachableError, match=error):
        check_applyable(plan, options)


@pytest.mark.parametrize(
    ("irreversible", "forbidden", "error"),
    [("", True, None), ("no way back", False, None), ("no way back", True, PlanError)],
)
def test_a_plan_with_an_irreversible_change(
    irreversible: str, forbidden: bool, error: type[HacoreError] | None
) -> None:
    plan, options = made(irreversible=irreversible), ApplyOptions(no_irreversible=forbidden)
    if error is None:
        check_applyable(plan, options)
        return
    with pytest.raises(error, match=r"cannot apply with --no-irreversible: thing\.x@a: no way back"):
        check_applyable(plan, options)


def test_rows_of_replaced_machines_do_not_stand() -> None:
    rows = {row.address: row for row in (row_of("thing.x@a"), row_of("thing.x@b"))}
    lost = Address.parse("thing.x@b")
    plan = replace(made(), ownership=Ownership(lost=frozenset({lost})))
    assert list(standing(StateSnapshot(rows=rows), plan)) == [Address.parse("thing.x@a")]


# -- since a plan was shown


@pytest.mark.parametrize(
    ("now", "where"),
    [
        (made(), []),
        (replace(made(), serial=99, warnings=("beware",), notes={"vip.x": {"held_by": ["a"]}}), []),
        (made("v3"), ["thing.x@a"]),
        (silent(made(), b="no route"), ["b"]),
    ],
)
def test_what_changed_since_a_plan_was_shown(now: Plan, where: list[str]) -> None:
    assert [difference.address for difference in plan_differences(made(), now)] == where


def test_another_secret_is_a_difference_that_is_not_shown() -> None:
    (difference,) = plan_differences(made("s3cret-1", secret=True), made("s3cret-2", secret=True))
    assert difference.address == "thing.x@a"
    assert "s3cret" not in str(difference)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "h0: gone"),
        (5, "h0: gone; h1: gone; h2: gone; h3: gone; h4: gone"),
        (6, "h0: gone; h1: gone; h2: gone; h3: gone; h4: gone; 1 more"),
        (9, "h0: gone; h1: gone; h2: gone; h3: gone; h4: gone; 4 more"),
    ],
)
def test_of_many_differences_five_are_named(number: int, words: str) -> None:
    found = [Difference(f"h{n}", "gone") for n in range(number)]
    assert changed_words(found) == f"The plan changed since it was shown: {words}"


def test_the_rows_that_a_run_replaces() -> None:
    old, new = row_of("thing.x@a", mode="0600"), row_of("thing.x@a", mode="0644")
    fresh, gone = row_of("thing.new@a"), row_of("thing.gone@a")
    rows = {row.address: row for row in (old, gone)}
    assert previous_rows([PutRow(new), PutRow(fresh), DropRow(gone.address)], rows) == {
        "thing.x@a": row_to_json(old),
        "thing.new@a": None,
        "thing.gone@a": row_to_json(gone),
    }
