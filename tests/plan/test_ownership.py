"""Whose the hosts are: the pure part. `tests/engine/test_markers.py` plays it."""

from __future__ import annotations

import pytest

from hacore.address import Address
from hacore.contract import Facts, HostFacts
from hacore.errors import PlanError
from hacore.graph import build_graph
from hacore.model import Host, Row
from hacore.plan import Claimant, Ownership, custody_of, marks_of_rows, refuse_conflicts
from hacore.probe import MARKERS, Marker, claim_marks, token_digest
from hacore.testing import KINDS
from tests.plan.table import Table

HOSTS = {"a": Host(name="a", address="192.0.2.1")}
MINE = Claimant("web", "", "mine", 7)


def row(address: str, *claims: str, hosts: tuple[str, ...] = ("a",)) -> Row:
    return Row(Address.parse(address), {}, 1, {}, claims=claims, hosts=hosts)


def marker(lineage: str, *, stack: str = "web", env: str = "", host: str = "a", serial: int = 7) -> Marker:
    return Marker(stack, env, host, lineage, serial, "me@desk", 0.0, {})


def facts(*markers: Marker) -> dict[str, Facts]:
    return {"a": Facts(HostFacts(), {(MARKERS.name, ""): markers})}


def why(found: Marker, claimant: Claimant = MINE) -> list[str]:
    return [s.why for s in custody_of(claimant, {}, {}, facts(found), HOSTS).foreign_hosts]


def test_what_a_marker_forbids() -> None:
    assert why(marker("mine")) == []
    assert why(marker("mine", serial=8)) == ["newer"]
    assert why(marker("mine", stack="other")) == ["name"]
    assert why(marker("mine", env="staging")) == ["name"]
    assert why(marker("another")) == ["lineage"]
    assert why(marker("another"), Claimant("web", "", "", 0)) == ["lineage"]
    assert why(marker("another", stack="other")) == []
    assert why(marker("another", env="staging")) == []
    # another name of the same machine
    assert why(marker("mine", host="b", serial=8)) == []
    # where no stack is at hand, the name is only remembered
    assert why(marker("mine", stack="other"), Claimant("web", "", "mine", 7, remembered=True)) == []


def test_a_marker_is_due_where_it_does_not_say_what_is_recorded() -> None:
    rows = {r.address: r for r in [row("file.x@a", "own path:/x")]}
    claims = marks_of_rows(rows)["a"]
    right = Marker("web", "", "a", "mine", 7, "me@desk", 0.0, claims)
    assert custody_of(MINE, rows, {}, facts(right), HOSTS).due == ()
    assert custody_of(MINE, rows, {}, facts(marker("mine")), HOSTS).due == ("a",)
    assert custody_of(MINE, rows, {}, facts(), HOSTS).due == ("a",)
    assert custody_of(MINE, {}, {}, facts(right), HOSTS).due == ("a",)
    assert custody_of(MINE, {}, {}, facts(), HOSTS).due == ()


def test_marks_are_digests_and_the_first_address_has_a_shared_token() -> None:
    rows = [row("b.y@a", "share pkg:gcc"), row("b.x@a", "share pkg:gcc", "own path:/x"), row("b.z@c", hosts=("c",))]
    found = marks_of_rows({r.address: r for r in rows})
    assert found == {
        "a": {f"own {token_digest('path:/x')}": "b.x", f"share {token_digest('pkg:gcc')}": "b.x"},
        "c": {},
    }


def test_a_daemon_s_configuration_is_shared_within_a_stack_only() -> None:
    marks = claim_marks([(Address.parse("vrrp_instance.one@a"), ["share config:keepalived", "share path:/etc/k.conf"])])
    assert sorted(mark.partition(" ")[0] for mark in marks) == ["own", "share"]
    assert f"own {token_digest('config:keepalived')}" in marks


@pytest.mark.parametrize(
    ("theirs", "mine", "refused"),
    [
        ("own", "own", True),
        ("own", "share", True),
        ("share", "own", True),
        ("share", "share", False),
    ],
)
def test_only_what_both_stacks_share_both_may_have(theirs: str, mine: str, refused: bool) -> None:
    table = Table()
    table.want("thing.x@a", text="v", key="/x", shared=mine == "share")
    stack = table.stack()
    claims = claim_marks([(Address.parse("file.theirs@a"), [f"{theirs} path:/x"])])
    other = Marker("other", "", "a", "another", 1, "you@desk", 0.0, claims)
    ownership = Ownership(others={"a": (other,)})
    if not refused:
        refuse_conflicts(ownership, stack, build_graph(stack, KINDS))
        return
    with pytest.raises(PlanError, match=r"thing\.x@a: the path /x on a belongs to file\.theirs of the stack other"):
        refuse_conflicts(ownership, stack, build_graph(stack, KINDS))
