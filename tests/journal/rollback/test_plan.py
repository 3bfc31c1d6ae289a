"""From recorded runs to the tasks that undo them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.model import Action, Row, Status, loaded_mark
from tests.journal.runs import back, row_of, run, story, task, trigger

X, Y, WEB = "thing.x@a", "thing.y@a", "daemon.web@a"


def thing(where: str = X, text: str = "v1", needs: tuple[str, ...] = (), **body: Any) -> Row:
    return row_of(where, needs=needs, text=text, **body)


def web(*sources: str, needs: tuple[str, ...] = (), op: str = "reload", **loaded: str | None) -> Row:
    body = {"unit": "web", f"{op}_on": tuple(f"thing.{s}" for s in sources)}
    return replace(row_of(WEB, needs=needs, **body), loaded=loaded)


def mark(text: str) -> str:
    return loaded_mark(thing(text=text).attrs)


@pytest.mark.parametrize(
    ("status", "image", "undone"),
    [
        (Status.DONE, True, True),
        (Status.ERROR, True, True),
        (Status.DOING, True, True),
        (Status.DO, True, False),
        (Status.HOLD, True, False),
        # undone already
        (Status.UNDONE, True, False),
        # images are stored before a host is touched
        (Status.ERROR, False, False),
    ],
)
def test_a_task_is_undone_when_it_may_have_touched_its_host(status: Status, image: bool, undone: bool) -> None:
    planned = back([run(1, task("t1", X, before=thing(text="v0"), status=status, image=image))], [thing()])
    assert [s for s, _ in story(planned) if s.startswith("restore")] == ([f"restore {X}"] if undone else [])


def test_within_a_run_the_needs_are_reversed_also_across_a_trigger() -> None:
    made = run(1, task("t1", X, "+"), trigger("t2", WEB, "reload", X, needs=("t1",)), task("t3", Y, "+", needs=("t2",)))
    planned = back([made], [thing(), thing(Y)])
    assert story(planned) == [(f"restore {Y}", ()), (f"restore {X}", (f"restore {Y}",))]
    assert planned.actions == {Address.parse(X): Action.DELETE, Address.parse(Y): Action.DELETE}


def test_on_a_host_the_newer_run_is_undone_first() -> None:
    newer = run(2, task("t1", X, before=thing(text="v1")))
    older = run(1, task("t1", Y, "+"), task("t2", X, "+"))
    assert story(back([newer, older], [thing(text="v2"), thing(Y)])) == [
        (f"restore {X}", ()),
        (f"restore {X}", (f"restore {X}",)),
        (f"restore {Y}", (f"restore {X}",)),
    ]


@pytest.mark.parametrize("related", [True, False])
def test_between_hosts_only_what_depends_on_each_other_waits(related: bool) -> None:
    there = "thing.far@b"
    needs = (there,) if related else ()
    newer = run(2, task("t1", X, "~", before=thing(needs=needs)))
    older = run(1, task("t1", there, "+"))
    waits = dict(story(back([newer, older], [thing(text="v2", needs=needs), thing(there)])))
    assert waits[f"restore {there}"] == ((f"restore {X}",) if related else ())


@pytest.mark.parametrize("needs", [(), (Y,)])
def test_what_is_restored_comes_after_what_it_needs_where_the_run_leaves_that_open(needs: tuple[str, ...]) -> None:
    made = run(2, task("t1", Y, "-", before=thing(Y)), task("t2", X, "-", before=thing(needs=needs)))
    waits = dict(story(back([made], [])))
    assert waits[f"restore {X}"] == tuple(f"restore {need}" for need in needs)


def test_of_several_restores_the_one_that_creates_it_again_waits() -> None:
    far = "thing.far@b"
    newest = run(3, task("t1", far, "-", before=thing(far)), task("t2", X, "-", before=thing(text="v2", needs=(far,))))
    older = run(2, task("t1", X, "~", before=thing(text="v1", needs=(far,))))
    first, second = (needs for name, needs in story(back([newest, older], [])) if name == f"restore {X}")
    assert first == (f"restore {far}",)
    assert f"restore {X}" in second


# -- triggers


@pytest.mark.parametrize(
    ("loaded", "options", "reloads"),
    [
        (mark("v2"), {}, True),
        # it never loaded the new text
        (mark("v1"), {}, False),
        # what is on the host is not what is recorded
        (mark("v1"), {"drifted": frozenset({Address.parse(X)})}, True),
        (None, {}, True),
    ],
)
def test_a_daemon_reloads_what_it_has_not_loaded(loaded: str | None, options: Any, reloads: bool) -> None:
    now = [thing(text="v2"), web("x", needs=(X,), **{X: loaded})]
    planned = back([run(2, task("t1", X, before=thing()))], now, **options)
    restore = (f"restore {X}", ())
    expected = [restore, (f"reload {WEB}", (f"restore {X}",))] if reloads else [restore]
    assert [item for item in story(planned) if not item[0].startswith("state")] == expected


def test_a_tainted_source_is_reloaded() -> None:
    now = [replace(thing(text="v2"), tainted=True), web("x", needs=(X,), **{X: mark("v1")})]
    assert f"reload {WEB}" in dict(story(back([run(2, task("t1", X, before=thing()))], now)))


@pytest.mark.parametrize(("key", "action"), [("/elsewhere", "~"), ("/x", "-/+")])
def test_a_source_with_equal_content_that_moved_or_was_replaced_is_reloaded(key: str, action: str) -> None:
    now = [thing(key=key), web("x", needs=(X,), **{X: mark("v1")})]
    made = run(2, task("t1", X, action, before=thing(), key=key))
    assert f"reload {WEB}" in dict(story(back([made], now)))


@pytest.mark.parametrize("first", ["reload", "restart"])
def test_of_several_sources_the_strongest_operation_is_done(first: str) -> None:
    second = "restart" if first == "reload" else "reload"
    body = {"unit": "web", f"{first}_on": ("thing.x",), f"{second}_on": ("thing.y",)}
    daemon = replace(row_of(WEB, needs=(X, Y), **body), loaded={X: mark("v2"), Y: mark("v2")})
    made = run(2, task("t1", X, before=thing()), task("t2", Y, before=thing(Y)))
    names = [name for name, _ in story(back([made], [thing(text="v2"), thing(Y, "v2"), daemon]))]
    assert f"restart {WEB}" in names
    assert f"reload {WEB}" not in names


def test_what_is_deleted_under_a_daemon_stays_until_it_has_reloaded() -> None:
    """The run made a library that its daemon needs, and a new text of what it reads."""
    lib = "thing.lib@a"
    old = web("x", needs=(X,), **{X: mark("v1")})
    made = run(2, task("t1", lib, "+"), task("t2", X, before=thing()), task("t3", WEB, "=", before=old, image=False))
    now = [thing(text="v2"), thing(lib), web("x", needs=(X, lib), **{X: mark("v2")})]
    waits = dict(story(back([made], now)))
    assert waits[f"restore {lib}"] == (f"reload {WEB}",)
    assert waits[f"reload {WEB}"] == (f"restore {X}",)


def test_what_only_the_state_knows_is_restored_at_the_end() -> None:
    planned = back([run(2, task("t1", X, "=", image=False), task("t2", Y, before=thing(Y)))], [thing(), thing(Y, "v2")])
    assert story(planned) == [(f"restore {Y}", ()), (f"state {X}", (f"restore {Y}",))]
    assert Address.parse(X) not in planned.target
    assert planned.actions[Address.parse(X)] is Action.FORGET


def test_a_source_that_only_the_mark_names_does_not_weaken_a_restart() -> None:
    body = {"unit": "web", "restart_on": ("thing.x",)}
    daemon = replace(row_of(WEB, needs=(X,), **body), loaded={X: mark("v2"), Y: mark("v2")})
    made = run(2, task("t1", X, before=thing()), task("t2", Y, before=thing(Y)))
    names = [name for name, _ in story(back([made], [thing(text="v2"), thing(Y, "v2"), daemon]))]
    assert [name for name in names if name.endswith(WEB)] == [f"restart {WEB}"]


@pytest.mark.parametrize(("used", "action"), [(False, "+"), (True, "~")])
def test_a_reload_holds_back_nothing_else(used: bool, action: str) -> None:
    """What is deleted and its daemon has no use for; what its daemon no longer uses, but is not deleted."""
    lib = "thing.lib@a"
    old = web("x", needs=(X,), **{X: mark("v1")})
    first = task("t1", lib, action, before=thing(lib, "v0") if action == "~" else None)
    made = run(2, first, task("t2", X, before=thing()), task("t3", WEB, "=", before=old, image=False))
    now = [thing(text="v2"), thing(lib), web("x", needs=(X, lib) if used else (X,), **{X: mark("v2")})]
    assert dict(story(back([made], now)))[f"restore {lib}"] == ()


def test_marks_that_a_reload_sets_need_no_task_of_their_own() -> None:
    old = web("x", needs=(X,), **{X: mark("v1"), Y: None})
    made = run(2, task("t1", X, before=thing()), task("t2", WEB, "=", before=old, image=False))
    now = replace(old, loaded={X: mark("v2"), Y: None})
    assert [name for name, _ in story(back([made], [thing(text="v2"), now]))] == [f"restore {X}", f"reload {WEB}"]


@pytest.mark.parametrize("op", ["reload", "restart"])
def test_a_source_that_only_the_mark_names_is_loaded_as_the_run_did(op: str) -> None:
    daemon = web(needs=(X,), **{X: mark("v2")})
    made = run(2, task("t1", X, before=thing()), trigger("t2", WEB, op, X, needs=("t1",)))
    names = [name for name, _ in story(back([made], [thing(text="v2"), daemon]))]
    assert [name for name in names if name.endswith(WEB)] == [f"{op} {WEB}"]


@pytest.mark.parametrize(
    ("did", "before", "now", "action"),
    [
        ("+", None, "v1", Action.DELETE),
        ("-", "v0", None, Action.CREATE),
        ("~", "v0", "v1", Action.UPDATE),
        ("-/+", "v0", "v1", Action.UPDATE),
    ],
)
def test_what_a_rollback_does_to_an_address_all_in_all(
    did: str, before: str | None, now: str | None, action: Action
) -> None:
    done = task("t1", X, did, before=None if before is None else thing(text=before))
    planned = back([run(2, done)], [] if now is None else [thing(text=now)])
    assert planned.actions == {Address.parse(X): action}


@pytest.mark.parametrize(("did", "disrupts"), [("~", "restart"), ("+", "none"), ("-", "none")])
def test_only_the_undo_of_an_update_interrupts_what_its_steps_interrupt(did: str, disrupts: str) -> None:
    """What is created again or deleted served nothing, or serves nothing afterwards."""
    done = task("t1", X, did, before=None if did == "+" else thing(text="v0"))
    planned = back([run(2, done)], [] if did == "-" else [thing(text="v1")], disruptive=lambda _live: True)
    restores = [live.task for live in planned.lives if live.task.host is not None]
    assert [live.disrupts for live in restores] == [disrupts]


def test_the_task_of_what_only_the_state_knows_is_of_its_first_address() -> None:
    adopted = [task("t1", WEB, "=", image=False), task("t2", X, "=", image=False)]
    planned = back([run(2, *adopted)], [thing(), web()])
    (only,) = [live.task for live in planned.lives]
    assert (only.id, only.kind, only.host, [str(a) for a in only.addresses]) == ("rows", "daemon", None, [WEB, X])
