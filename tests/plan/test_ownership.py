"""Whose the hosts are: the pure part. `tests/engine/test_markers.py` plays it."""

from __future__ import annotations

import pytest

from hacore.address import Address
from hacore.contract import Facts, HostFacts
from hacore.errors import PlanError
from hacore.graph import build_graph
from hacore.model import Host, Row
from hacore.plan import Claimant, NewMachine, Ownership, custody_of, marks_of_rows, marks_of_stack, refuse_conflicts
from hacore.plan.ownership import lost_rows
from hacore.probe import MARKERS, Marker, claim_marks, token_digest
from hacore.testing import KINDS
from hacore.testing.things import Thing
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


def test_the_markers_of_a_host_by_whose_they_are() -> None:
    ours, copy = marker("mine"), marker("another")
    other, staging = marker("theirs", stack="other"), marker("theirs", env="staging")
    former = marker("mine", host="before")
    found = custody_of(MINE, {}, {}, facts(ours, copy, other, staging, former), HOSTS)
    assert found.own == {"a": ours}
    assert found.others == {"a": (other, staging)}
    assert found.former == {"a": (former,)}
    assert [(s.host, s.address, s.marker, s.why) for s in found.foreign_hosts] == [("a", "192.0.2.1", copy, "lineage")]
    assert found.lineage == "mine"


@pytest.mark.parametrize("host", ["0", "b"])
def test_a_marker_under_another_name_of_this_host_forbids_nothing(host: str) -> None:
    """Whether it sorts before or after; a host that the state still has keeps its own."""
    newer = marker("mine", host=host, serial=9)
    found = custody_of(MINE, {}, {}, facts(newer), HOSTS)
    assert (found.foreign_hosts, found.own, found.former) == ((), {}, {"a": (newer,)})
    known = {**HOSTS, host: Host(name=host, address="192.0.2.2")}
    assert custody_of(MINE, {}, {}, facts(newer), known).former == {"a": ()}


def test_a_stranger_is_due_once() -> None:
    rows = {r.address: r for r in [row("file.x@a", "own path:/x")]}
    assert custody_of(MINE, rows, {}, facts(marker("another")), HOSTS).due == ("a",)
    assert custody_of(MINE, {}, {}, facts(marker("another")), HOSTS).due == ("a",)


def test_what_others_have_on_a_host() -> None:
    claims = {"own abc": "file.x", "share def": "pack.y"}
    first, second = (Marker("other", "", "a", text, 1, "you@desk", 0.0, c) for text, c in (("l", claims), ("m", {})))
    ownership = Ownership(others={"a": (first, second)})
    assert ownership.others_have("a") == {"abc", "def"}
    assert ownership.others_have("b") == set()


@pytest.mark.parametrize(
    ("recorded", "found", "new"),
    [("m1", "m2", True), ("m2", "m1", True), ("m1", "m1", False), ("", "m1", False), ("m1", "", False)],
)
def test_another_machine_id_is_another_machine(recorded: str, found: str, new: bool) -> None:
    """A row that is on this host alone is lost with it."""
    rows = {
        r.address: r for r in [row("file.x@a", "own path:/x"), row("vip.v", hosts=("a", "b")), row("file.n", hosts=())]
    }
    answers = {"a": Facts(HostFacts(machine_id=found)), "b": Facts(HostFacts(machine_id="b"))}
    hosts = {**HOSTS, "b": Host(name="b", address="192.0.2.2")}
    ids = {"a": recorded, "b": "b"}
    ownership = custody_of(MINE, rows, ids, answers, hosts)
    machines = [(m.host, m.address, m.recorded, m.found) for m in ownership.new_machines]
    assert machines == ([("a", "192.0.2.1", recorded, found)] if new else [])
    assert [str(a) for a in ownership.lost] == (["file.x@a"] if new else [])
    # the claims of lost rows are not recorded any more
    assert ("a" in ownership.due) is not new


def test_a_row_on_new_machines_only_is_lost() -> None:
    rows = {r.address: r for r in [row("vip.v", hosts=("a", "b")), row("vip.w", hosts=("a",)), row("vip.n", hosts=())]}
    one, two = (NewMachine(host, "", "old", "new") for host in ("a", "b"))
    assert {str(a) for a in lost_rows(rows, [])} == set()
    assert {str(a) for a in lost_rows(rows, [one])} == {"vip.w"}
    assert {str(a) for a in lost_rows(rows, [one, two])} == {"vip.v", "vip.w"}


def test_the_claims_of_a_stack_are_those_of_its_rows() -> None:
    table = Table()
    table.want("thing.x@a", text="v1", uses=("path:/y",))
    table.want("conf.one@b", path="/k", name="one", text="v1")
    stack = table.stack()
    found = marks_of_stack(stack, build_graph(stack, KINDS))
    assert found == {
        "a": {f"own {token_digest('path:/x')}": "thing.x"},
        "b": {f"share {token_digest('path:/k')}": "conf.one", f"own {token_digest('section:/k/one')}": "conf.one"},
    }


@pytest.mark.parametrize("order", [1, -1])
def test_all_conflicts_are_named_and_uses_are_none(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    claims_of = Thing.claims
    monkeypatch.setattr(Thing, "claims", lambda self, spec: claims_of(self, spec)[::order])
    table = Table()
    table.want("thing.x@a", text="v1", uses=("path:/used",))
    table.want("thing.y@a", text="v1")
    table.want("thing.y@b", text="v1")
    table.want("thing.free@a", text="v1")
    addresses = {text: Address.parse(text) for text in ("file.one@a", "file.two@a", "file.used@a")}
    claims = claim_marks(
        [
            (addresses["file.one@a"], ["own path:/x"]),
            (addresses["file.two@a"], ["own path:/y"]),
            (addresses["file.used@a"], ["own path:/used"]),
        ]
    )
    theirs = Marker("other", "", "a", "0123456789", 1, "you@desk", 0.0, claims)
    stack = table.stack()
    graph = build_graph(stack, KINDS)
    with pytest.raises(PlanError) as caught:
        refuse_conflicts(Ownership(others={"a": (theirs,), "b": ()}), stack, graph)
    by = "of the stack other (lineage 01234567, you@desk)"
    assert str(caught.value).startswith(
        f"cannot plan resources of another stack: thing.x@a: the path /x on a belongs to file.one {by}; "
        f"thing.y@a: the path /y on a belongs to file.two {by}; remove them"
    )
    refuse_conflicts(Ownership(others={"a": ()}), stack, graph)
