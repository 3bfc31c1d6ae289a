"""What a change says of itself: effects, secrets, moves and renames, and rows that are only written afresh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Desired, Effect, Facts, Observed
from hacore.errors import PlanError
from hacore.model import Action, Lifecycle, Row
from hacore.plan import Plan, PlannedChange
from hacore.testing.questions import VALUE
from hacore.testing.things import Thing
from tests.plan.table import THING, Table, row_of, same_sha, seal

ADDRESS = Address.parse(THING)


def applied(**more: Any) -> Table:
    """thing.x@a as a run left it: `more` are other fields of its row."""
    table = Table()
    table.record(replace(row_of(THING, text="v1"), **more))
    table.world["a"].data["/x"] = {"text": "v1"}
    return table


def the_change(made: Plan) -> PlannedChange:
    (found,) = made.changes
    return found


# -- no longer in the stack


@pytest.mark.parametrize(
    ("row", "effect", "irreversible", "reason"),
    [
        # adopted: a delete touches nothing
        ({"found": "same"}, "", "", "; existed before hacore, stays on the host"),
        ({"found": "same", "lifecycle": Lifecycle(on_delete="remove")}, "remove", "for good", ""),
        ({"found": "same", "origin": 3}, "restore", "for good", "; the original state is restored"),
        ({"found": "different", "origin": 3}, "restore", "for good", "; the original state is restored"),
        ({"found": "different", "origin": 3, "lifecycle": Lifecycle(on_delete="remove")}, "remove", "for good", ""),
        ({"found": "absent", "origin": 3}, "remove", "for good", ""),
    ],
)
def test_the_effect_of_a_delete(
    row: dict[str, Any], effect: str, irreversible: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Thing, "delete_effect", lambda _, view, found: Effect("remove" if view.removed(found) else "restore", "restart")
    )
    monkeypatch.setattr(Thing, "delete_irreversible", lambda *_: "for good")
    change = the_change(applied(**row).make())
    assert (change.action, change.effect, change.irreversible) == (Action.DELETE, effect, irreversible)
    assert change.disrupts == ("restart" if effect else "none")
    assert change.reason == "no longer in the stack" + reason


def test_the_effect_of_a_delete_without_a_host_is_asked_for() -> None:
    table = Table()
    table.record(replace(row_of("shared.s", vip="v"), attrs={"holders": 1}, hosts=("a", "b"), found="same"))
    (task,) = table.make().tasks
    assert (task.host, [str(a) for a in task.addresses]) == (None, ["shared.s"])


def test_what_is_only_forgotten_has_no_effect_and_shows_no_attrs() -> None:
    change = the_change(applied(origin=3, lifecycle=Lifecycle(on_delete="keep")).make())
    assert (change.action, change.effect, change.irreversible, change.attrs) == (Action.FORGET, "", "", ())
    assert change.reason == "no longer in the stack; lifecycle.on_delete is keep"


def test_a_delete_shows_what_is_on_the_host() -> None:
    (attr,) = the_change(applied().make()).attrs
    assert (attr.path, attr.before, attr.after) == ("text", same_sha("v1"), None)


def test_a_delete_shows_no_secret() -> None:
    (attr,) = the_change(applied(sensitive=("text",)).make()).attrs
    assert attr.before == "(sensitive)"


@pytest.mark.parametrize("where", ["switched off", "no host", "destroy"])
def test_why_something_is_deleted(where: str) -> None:
    table = applied()
    given = table.inputs()
    if where == "switched off":
        stack = replace(given.stack, switched_off=frozenset({ADDRESS}))
        assert the_change(table.make(stack=stack)).reason == "its `when` is false"
    elif where == "no host":
        stack = replace(given.stack, hosts={"b": given.stack.hosts["b"]})
        assert the_change(table.make(stack=stack)).reason == "host a is no longer in the stack"
    else:
        assert the_change(table.make(gone_reason="destroyed")).reason == "destroyed"


def test_what_is_protected_stays() -> None:
    keep = Lifecycle(prevent_destroy=True)
    table = applied(lifecycle=keep)
    table.record(replace(row_of("thing.also@a", text="v1"), lifecycle=keep))
    with pytest.raises(PlanError, match=r"cannot delete thing\.also@a, thing\.x@a: lifecycle\.prevent_destroy"):
        table.make()
    table = applied(lifecycle=Lifecycle(prevent_destroy=True, on_delete="keep"))
    assert the_change(table.make()).action is Action.FORGET  # nothing is deleted
    table = applied(lifecycle=keep)
    table.want(THING, text="v2")
    assert the_change(table.make()).action is Action.UPDATE


def test_what_is_on_a_silent_host_is_neither_deleted_nor_compared() -> None:
    table = applied()
    table.down = ("a",)
    made = table.make()
    assert (made.changes, made.drift) == ((), ())
    table.record(row_of("thing.x@b", text="v1"))  # what is on another host is
    assert [str(c.address) for c in table.make().changes] == ["thing.x@b"]


# -- renamed


def renamed(**more: Any) -> Table:
    table = applied(**more)
    table.want("thing.new@a", key="/x", text="v1")
    return table


def inherits(made: Plan) -> dict[str, str | None]:
    return {str(c.address): c.inherits and str(c.inherits) for c in made.changes}


def test_a_new_name_inherits_the_row_of_the_former_one() -> None:
    made = renamed().make()
    assert inherits(made) == {"thing.new@a": THING, THING: None}
    assert [[str(a) for a in t.addresses] for t in made.tasks] == [["thing.new@a"]]
    by_address = {str(c.address): c for c in made.changes}
    assert by_address[THING].action is Action.FORGET
    assert [str(a) for a in by_address[THING].takers] == ["thing.new@a"]


def test_a_name_that_is_recorded_already_inherits_nothing() -> None:
    table = renamed()
    table.record(row_of("thing.new@a", key="/before", text="v1"))
    assert set(inherits(table.make()).values()) == {None}


def test_another_kind_inherits_nothing() -> None:
    table = applied()
    table.want("conf.new@a", path="/x", name="n", text="v1")
    made = table.make()
    assert set(inherits(made).values()) == {None}
    assert len(made.tasks) == 2


@pytest.mark.parametrize(
    ("blocks", "heir"),
    [
        # one that also has something else keeps its own origin
        ({"new": ("gcc",)}, "pack.new@a"),
        ({"more": ("gcc", "git")}, None),
        ({"more": ("gcc", "git"), "new": ("gcc",)}, "pack.new@a"),
    ],
)
def test_of_shared_claims_only_a_block_with_nothing_else_inherits(
    blocks: dict[str, tuple[str, ...]], heir: str | None
) -> None:
    table = Table()
    table.record(row_of("pack.old@a", names=("gcc",)))
    for name, names in blocks.items():
        table.want(f"pack.{name}@a", names=names)
    found = {address: of for address, of in inherits(table.make()).items() if of is not None}
    assert found == ({} if heir is None else {heir: "pack.old@a"})


# -- desired


def test_what_is_absent_says_so_and_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thing, "observe", lambda *_: Observed({"text": "it is a folder"}, absent=True))
    table = Table()
    table.want(THING, text="v1")
    change = the_change(table.make())
    assert (change.action, change.observed) == (Action.CREATE, None)
    table.record(row_of(THING, text="v1"))
    assert the_change(table.make()).action is Action.UPDATE  # what is recorded is compared with why it is absent


def test_ignored_attrs_are_neither_compared_nor_shown() -> None:
    table = applied()
    table.world["a"].data["/x"]["mode"] = "0600"
    ignore = Lifecycle(ignore_changes=("mode",))
    table.want(THING, text="v2", mode="0644", lifecycle=ignore)
    assert [a.path for a in the_change(table.make()).attrs] == ["text"]
    table.want(THING, text="v1", mode="0644", lifecycle=ignore)
    assert table.make().changes == ()
    # of what does not exist everything is made
    del table.world["a"].data["/x"]
    assert [a.path for a in the_change(table.make()).attrs] == ["text", "mode"]


@pytest.mark.parametrize(("recorded", "desired"), [((), True), (("text",), False), (("text",), True), ((), False)])
def test_the_secrets_of_either_side_are_secret(recorded: tuple[str, ...], desired: bool) -> None:
    table = applied(sensitive=recorded)
    table.want(THING, text="v2", secret=desired)
    found = table.make().secrets
    assert found == ({ADDRESS: frozenset({"text"})} if recorded or desired else {})


@pytest.mark.parametrize(
    ("recorded", "observed", "effect", "disrupts"),
    [
        (None, None, "start it", "reload"),
        (None, "v1", "", "none"),
        ("v1", "v0", "start it", "reload"),
        ("replace", "v1", "swap it", "restart"),
    ],
)
def test_the_effect_of_a_change(
    recorded: str | None, observed: str | None, effect: str, disrupts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Desired(
        {"text": same_sha("v1"), "mode": "1"} if recorded == "replace" else {"text": same_sha("v1")},
        effect="start it",
        disrupts="reload",
        irreversible="no way back",
        replace_on=frozenset({"mode"}),
        replace_effect=Effect("swap it", "restart"),
    )
    monkeypatch.setattr(Thing, "desire", lambda *_: how)
    table = Table()
    table.want(THING, text="v1")
    if recorded is not None:
        table.record(row_of(THING, text="v1"))
    if observed is not None:
        table.world["a"].data["/x"] = {"text": observed}
    change = the_change(table.make())
    assert (change.effect, change.disrupts) == (effect, disrupts)
    assert change.irreversible == ("no way back" if effect else "")
    assert (change.attrs == ()) is (not effect)


def test_a_replace_without_an_effect_of_its_own_has_that_of_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    desired = Desired({"mode": "1"}, effect="start it", disrupts="restart", replace_on=frozenset({"mode"}))
    monkeypatch.setattr(Thing, "desire", lambda *_: desired)
    table = applied()
    table.want(THING, text="v1")
    change = the_change(table.make())
    assert (change.action, change.effect, change.disrupts) == (Action.REPLACE, "start it", "restart")


def test_a_change_has_all_that_its_provider_needs() -> None:
    table = applied()
    table.want(THING, text="v2")
    change = the_change(table.make()).change
    assert change.recorded == change.observed == {"text": same_sha("v1")}
    assert change.desired == {"text": same_sha("v2")}
    assert change.view is not None
    assert (change.host, change.facts) == (change.view.host, change.view.facts)
    assert change.facts.get(VALUE, "/x") == {"text": "v1"}
    assert change.host is not None
    assert change.host.name == "a"


def test_a_host_that_failed_to_answer_a_question_is_not_judged() -> None:
    table = applied()
    table.want(THING, text="v2")
    table.want("daemon.web@a", unit="web")
    given = table.inputs()
    facts = {**given.facts, "a": replace(given.facts["a"], failed={"value": "it hangs"})}
    made = table.make(facts=facts)
    assert [str(c.address) for c in made.changes] == ["daemon.web@a"]
    assert made.drift == ()
    assert Facts(failed={"value": "it hangs"}).unanswered(Thing().facts(table.instances[ADDRESS].spec)) == "it hangs"  # type: ignore[arg-type]


# -- rows


FRESH: dict[str, Any] = {"text": "v1"}


@pytest.mark.parametrize(
    ("row", "body", "rewritten"),
    [
        ({}, {}, False),
        ({}, {"patience": 3}, True),
        ({}, {"needs": ["thing.base"]}, True),
        ({}, {"lifecycle": Lifecycle(keep_on_failure=True)}, True),
        ({}, {"shared": True}, True),
        ({"claims": ("share path:/x",)}, {}, True),
        ({"schema_version": 0}, {}, True),
        ({"hosts": ("a", "b")}, {}, True),
        ({"needs": ("thing.gone@a",)}, {}, True),
        ({"attrs": {"text": same_sha("v0")}}, {}, True),
    ],
)
def test_a_row_is_written_afresh_when_only_its_description_changed(
    row: dict[str, Any], body: dict[str, Any], rewritten: bool
) -> None:
    table = applied(**row)
    table.record(row_of("thing.base@a", text="v1"))
    table.world["a"].data["/base"] = {"text": "v1"}
    table.want("thing.base@a", text="v1")
    table.want(THING, **{**FRESH, **body})
    made = table.make()
    assert made.changes == ()
    assert [str(c.address) for c in made.metadata_only] == ([THING] if rewritten else [])
    assert made.has_housekeeping is rewritten


def test_a_sealed_attr_is_compared_by_its_seal() -> None:
    sealed = seal(f'"{same_sha("v1")}"')
    table = applied(attrs={"text": sealed}, sensitive=("text",))
    row = table.rows[ADDRESS]
    table.record(Row(**{**{f: getattr(row, f) for f in row.__slots__}, "spec": {"key": "/x", "secret": True}}))
    table.want(THING, text="v1", secret=True)
    made = table.make()
    assert (made.changes, made.metadata_only, made.drift) == ((), (), ())
    table.world["a"].data["/x"] = {"text": "v2"}
    assert [str(d.address) for d in table.make().drift] == [THING]
