"""A saved plan comes back with all that it shows: the samples have something in every field that is kept."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from hacore.address import Address
from hacore.contract import Change, Desired, Facts, Health, HostFacts, Observed, Spec, Verdict
from hacore.diff import AttrChange
from hacore.model import Action, Connection, Host, Op, Unknown
from hacore.plan import Drift, HostStatus, Plan, PlannedChange, PlanTask, Selection
from hacore.plan.ownership import NewMachine, Ownership, Stranger
from hacore.plan.saved_format import plan_from_json, plan_to_json
from hacore.probe import Marker
from tests.fields import left_at_their_default

A, B = Address.parse("thing.conf@a"), Address.parse('thing.page["x"]@a')
HOST = Host(name="a", address="192.0.2.1", groups=("lb",), connection=Connection(user="op", port=2222))
FACTS = HostFacts(
    family="debian",
    os="Debian 12",
    init="systemd",
    packager="dpkg",
    machine_id="m",
    hostname="h",
    cpus=4,
    arch="x86_64",
    uid=7,
)
MARKER = Marker("web", "prod", "a", "lineage", 3, "me", 1.5, {"own abc": "thing.conf"})
ATTR = AttrChange("mode", "0644", "0600", ("@@ -1 +1 @@", "-a"), True)
CHANGE = PlannedChange(
    address=A,
    action=Action.REPLACE,
    change=Change(A, Action.REPLACE, Spec()),
    reason="why",
    attrs=(ATTR,),
    observed=Observed({"mode": "0644"}),
    desired=Desired({"mode": "0600", "text": "s"}, sensitive=frozenset({"text"}), replace_on=frozenset({"mode"})),
    hosts=("a",),
    inherits=B,
    moves=True,
    reduces=True,
    irreversible="gone for good",
    effect="stop x",
    disrupts="restart",
)
NOT_OF_A_CHANGE = {"row", "takers", "ensured"}
TASK = PlanTask(
    id="t1",
    op=Op.TRIGGER,
    kind="thing",
    host="a",
    addresses=(A,),
    changes=(CHANGE,),
    needs=("t0",),
    lane=3,
    trigger="reload",
    sources=(B,),
    disrupts="reload",
    group="v",
    guarded=(B,),
    reload_group="web",
    keep_on_failure=True,
)
NOT_OF_A_TASK = {"exclusive", "wanted", "restores", "rows"}
PLAN = Plan(
    stack="web",
    command="destroy",
    lineage="lineage",
    serial=9,
    hosts={
        "a": HostStatus(HOST, Facts(FACTS), "it is slow", True),
        "b": HostStatus(Host(name="b", address="192.0.2.2")),
    },
    changes=(CHANGE,),
    metadata_only=(CHANGE,),
    drift=(Drift(A, (ATTR,), "is gone", "a", True, True, ("thing.t@a",), 1.5, ("root",)),),
    tasks=(TASK,),
    noop=4,
    warnings=("beware",),
    notes={"path": "x"},
    outputs={"url": "y"},
    ownership=Ownership(
        (NewMachine("a", "192.0.2.1", "m", "n"),),
        frozenset({B}),
        (Stranger("a", "192.0.2.1", MARKER, "newer"),),
        ("a",),
        lineage="lineage",
    ),
    selection=Selection.parse(["thing.conf"], ["thing.page"]),
    widened={B: "a need"},
    left_out=5,
    health={"vip.front": Health("192.0.2.200", ("a",), (Verdict("http://192.0.2.200/", True, "ok"),))},
)
NOT_OF_A_PLAN = {"facts", "views", "sources", "observed", "secrets", "refreshed", "sensitive_outputs"}
"""An apply plans again; of what was observed only the comparison is kept (see `differences`)."""
NOT_OF_CUSTODY = {"others", "own", "former"}


def back(plan: Plan) -> Plan:
    return plan_from_json(json.loads(json.dumps(plan_to_json(plan, lambda value: f"hmac:{value}"))))


def test_the_samples_have_something_in_every_field_that_is_kept() -> None:
    assert left_at_their_default(CHANGE, NOT_OF_A_CHANGE) == []
    assert left_at_their_default(TASK, NOT_OF_A_TASK) == []
    assert left_at_their_default(PLAN, NOT_OF_A_PLAN) == []
    assert left_at_their_default(PLAN.ownership, NOT_OF_CUSTODY) == []
    assert left_at_their_default(FACTS, {"boot_id", "time"}) == [], "these differ with every look"
    for sample in (ATTR, MARKER, PLAN.drift[0], PLAN.hosts["a"]):
        assert left_at_their_default(sample) == []


def test_every_field_comes_back() -> None:
    found = back(PLAN)
    sealed: Any = {"mode": "0600", "text": 'hmac:"s"'}
    for name in {f.name for f in fields(Plan)} - NOT_OF_A_PLAN - {"changes", "metadata_only", "tasks"}:
        assert getattr(found, name) == getattr(PLAN, name), name
    for change in (*found.changes, *found.metadata_only):
        for name in {f.name for f in fields(PlannedChange)} - NOT_OF_A_CHANGE - {"change", "desired"}:
            assert getattr(change, name) == getattr(CHANGE, name), name
        assert change.desired is not None
        assert change.desired.attrs == sealed
        assert (change.desired.sensitive, change.desired.replace_on) == ({"text"}, {"mode"})
    (task,) = found.tasks
    for name in {f.name for f in fields(PlanTask)} - NOT_OF_A_TASK - {"changes"}:
        assert getattr(task, name) == getattr(TASK, name), name
    assert task.changes == (found.changes[0],)


def test_what_is_known_after_apply_comes_back_as_that() -> None:
    text = json.dumps(plan_to_json(PLAN, str)).replace('"after": "0600"', '"after": {"$unknown": "later"}')
    (attr,) = plan_from_json(json.loads(text)).drift[0].attrs
    assert isinstance(attr.after, Unknown)
    assert attr.after.reason == "later"


def test_a_saved_marker_is_that_of_a_host() -> None:
    assert Marker.from_json(json.loads(MARKER.text())) == MARKER
