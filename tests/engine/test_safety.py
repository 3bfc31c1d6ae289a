"""Secrets, locks, stale plans, unreachable hosts, and how often a host is asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from hacore.engine import Planned, apply, plan
from hacore.errors import Cancelled, LockedError, StoreError, UnreachableError
from hacore.plan import plan_json
from hacore.store import StateWriter
from hacore.testing import KINDS, Machine, World
from tests.engine.play import HEAD, Play, changed, turns

TWO = "thing: {x: {key: /x, text: v1}, y: {key: /y, text: v1, needs: [thing.x]}}"
SECRET = "hunter2-and-more"


# -- secrets


async def test_a_secret_is_nowhere_but_on_the_host(play: Play) -> None:
    stack = "thing: {x: {hosts: a, key: /x, text: 'password={{ var.secret }}'}}"
    play.world["a"].data["/x"] = {"text": f"password=old-{SECRET}"}
    play.stack(stack)
    shown = json.dumps(await play.plan())
    result = await play.apply()
    assert result.ok, play.story(result)
    assert play.text("/x") == f"password={SECRET}"
    for text in (
        shown,
        repr(play.events),
        repr(result.tasks),
        *[p.read_bytes().decode("latin-1") for p in files(play)],
    ):
        assert SECRET not in text
    assert play.row("thing.x@a").attrs["text"].startswith("hmac:")
    assert await play.actions() == {}


def files(play: Play) -> list[Path]:
    return [p for p in play.states.iterdir() if p.suffix == ".db" or "db" in p.name]


async def test_a_secret_that_changes_is_a_change_and_its_drift_is_seen(play: Play) -> None:
    stack = "thing: {x: {hosts: a, key: /x, text: '{{ var.secret }}'}}"
    await play.make(stack)
    play.options = {"variables": {"secret": "another-one"}}
    (change,) = (await play.plan())["changes"]
    assert change["attrs"] == [{"path": "text", "sensitive": True}]
    assert (await play.apply()).ok
    play.world["a"].data["/x"] = {"text": "by hand"}
    (drifted,) = (await play.drift()).drift
    assert all(a.sensitive for a in drifted.attrs)
    assert not (await play.plan())["summary"]["noop"]


async def test_a_rollback_of_a_secret_needs_no_variable(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "old secret"}
    await play.make("thing: {x: {hosts: a, key: /x, text: '{{ var.secret }}'}}")
    assert (await play.rollback()).ok
    assert play.text("/x") == "old secret"


# -- stale plans


CHANGED = "is now an update, planned was create (exists now)"


async def test_a_host_that_changed_after_the_yes_is_asked_about_again(play: Play) -> None:
    play.stack(TWO)
    asked: list[tuple[str, dict[str, str]]] = []

    async def approve(planned: Planned, why: str) -> bool:
        made = plan_json(planned.plan)
        asked.append((why, {c["address"]: c["action"] for c in made["changes"]}))
        play.world["a"].data["/x"] = {"text": "somebody was quicker"}
        return True

    result = await play.apply(approve=approve)
    assert result.ok, play.story(result)
    assert [why for why, _ in asked] == ["", f"The plan changed since it was shown: thing.x@a: {CHANGED}"]
    assert (asked[0][1]["thing.x@a"], asked[1][1]["thing.x@a"]) == ("create", "update")


async def test_a_no_to_the_new_plan_changes_nothing(play: Play) -> None:
    play.stack(TWO)
    answers = [True, False]

    async def approve(_planned: Planned, _why: str) -> bool:
        play.world["a"].data["/x"] = {"text": "somebody was quicker"}
        return answers.pop(0)

    with pytest.raises(Cancelled):
        await play.apply(approve=approve)
    assert play.world["b"].data == {}
    assert play.rows() == {}
    assert all(m.lock == "" for m in play.world)


async def test_a_fact_that_no_attr_tells_makes_no_plan_stale(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make("gate: {g: {vip: v}}\nshared: {s: {vip: v, instance: gate.g}}")
    play.stack("gate: {g: {vip: v, weight: 5}}\nshared: {s: {vip: v, instance: gate.g}}")

    async def approve(planned: Planned, why: str) -> bool:
        play.asked.append(planned)
        play.world.holders["v"] = "b"
        return True

    assert (await play.apply(approve=approve)).ok
    assert len(play.asked) == 2  # of make, and once of this


async def test_a_no_is_a_no(play: Play) -> None:
    play.stack(TWO)

    async def no(_planned: Planned, _why: str) -> bool:
        return False

    with pytest.raises(Cancelled):
        await play.apply(approve=no)
    assert not list(play.states.iterdir())
    assert all(m.log == [] and m.lock == "" for m in play.world)


# -- locks


async def test_a_second_apply_finds_the_state_locked_and_names_the_holder(play: Play) -> None:
    play.stack(TWO)
    async with await StateWriter.open(play.url, who="alice@desk", what="apply"):
        with pytest.raises(LockedError, match="alice@desk"):
            await play.apply()
    assert all(m.log == [] for m in play.world)


async def test_two_stacks_do_not_meet_on_a_host(play: Play, tmp_path: Path) -> None:
    """Another stack, another state, the same host: the host's own lock names who is there."""
    play.stack(TWO)
    other = tmp_path / "other"
    other.mkdir()
    (other / "stack.yaml").write_text(
        HEAD.replace("stack: test", "stack: other") + "  thing: {z: {hosts: b, key: /z, text: v1}}\n"
    )
    caught: list[LockedError] = []

    async def second(_machine: Machine) -> None:
        request = changed(play.request, file=other / "stack.yaml", state_url=f"sqlite:///{play.states}/other.db")
        try:
            await apply(request, approve=play.yes)
        except LockedError as error:
            caught.append(error)

    play.world["b"].on("write /x", second)
    result = await play.apply()
    assert result.ok, play.story(result)
    assert "tester@test" in str(caught[0]) and "stack test" in str(caught[0])
    assert "/z" not in play.world["b"].data
    assert all(m.lock == "" for m in play.world)


async def test_a_host_lock_that_was_taken_away_stops_what_is_done_there(play: Play) -> None:
    """Fencing: nothing more is done on that host, and nothing is undone there either."""
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}, y: {hosts: a, key: /y, text: v1, needs: [thing.x]}}")

    def steal(machine: Machine) -> None:
        machine.lock = "another token\n{}"

    play.world["a"].on("write /x", steal, after=True)
    result = await play.apply()
    assert result.status == "failed", play.story(result)
    assert "/y" not in play.world["a"].data
    assert play.world["a"].did("restore *") == []
    assert play.world["a"].lock.startswith("another token")


async def test_the_locks_are_given_back_after_a_failure(play: Play) -> None:
    play.stack(TWO)
    play.world["a"].fail("write /x")
    await play.apply()
    assert all(m.lock == "" for m in play.world)
    play.world["a"].rules.clear()
    assert (await play.apply()).ok


# -- unreachable is not absent


async def test_an_unreachable_host_leaves_its_part_of_the_plan_open(play: Play) -> None:
    await play.make(TWO)
    play.world["b"].reachable = False
    plan = await play.plan()
    assert (plan["complete"], [u["host"] for u in plan["unreachable"]]) == (False, ["b"])
    assert plan["changes"] == []
    report = await play.drift()
    assert (report.complete, report.checked, report.drift) == (False, 2, ())
    with pytest.raises(UnreachableError, match="--allow-degraded"):
        await play.apply()


async def test_a_degraded_apply_leaves_the_unreachable_host_for_later(play: Play) -> None:
    play.stack(TWO)
    play.world["b"].reachable = False
    result = await play.apply(allow_degraded=True)
    assert result.status == "done", play.story(result)
    assert set(play.rows()) == {"thing.x@a", "thing.y@a"}
    play.world["b"].reachable = True
    assert await play.actions() == {"thing.x@b": "create", "thing.y@b": "create"}


async def test_an_apply_to_no_host_at_all_is_no_success(play: Play) -> None:
    play.stack(TWO)
    play.world["a"].reachable = play.world["b"].reachable = False
    with pytest.raises(UnreachableError, match="no host can be reached"):
        await play.apply(allow_degraded=True)
    assert play.rows() == {}


async def test_destroy_of_an_unreachable_host_forgets_nothing(play: Play) -> None:
    await play.make(TWO)
    play.world["b"].reachable = False
    result = await play.apply(destroy=True, allow_degraded=True)
    assert result.status == "done", play.story(result)
    assert set(play.rows()) == {"thing.x@b", "thing.y@b"}


async def test_a_host_that_left_the_stack_is_cleaned_with_what_the_state_knows(play: Play) -> None:
    await play.make(TWO)
    play.stack(
        "thing: {x: {key: /x, text: v1}, y: {key: /y, text: v1}}", HEAD.replace("  b: {address: 192.0.2.2}\n", "")
    )
    plan = await play.plan()
    assert {(c["address"], c["reason"]) for c in plan["changes"]} == {
        (f"thing.{n}@b", "host b is no longer in the stack") for n in "xy"
    }
    assert (await play.apply()).ok
    assert play.world["b"].data == {}


# -- what a command costs a host


async def test_a_plan_is_one_exec_per_host(play: Play) -> None:
    play.stack(TWO)
    await play.plan()
    assert [m.execs for m in play.world] == [1, 1]
    await play.apply()
    before = [m.execs for m in play.world]
    await play.plan()
    assert [m.execs - n for m, n in zip(play.world, before, strict=True)] == [1, 1]


async def test_tasks_of_one_host_share_their_execs(play: Play) -> None:
    """Plan, lock, plan again, mark, capture, apply, look, unlock: however many things there are."""
    things = ", ".join(f"t{i}: {{hosts: a, text: v1}}" for i in range(30))
    play.stack(f"thing: {{{things}}}")
    result = await play.apply()
    assert result.ok, play.story(result)
    assert len(result.tasks) == 30
    assert play.world["a"].execs == 8
    play.stack(f"thing: {{{things.replace('v1', 'v2')}}}")
    assert (await play.apply()).ok
    assert play.world["a"].execs == 8 + 7  # the marker says already what is there


async def test_plan_and_drift_write_nothing(play: Play) -> None:
    await play.make(TWO)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in play.states.iterdir()}
    world = play.world.snapshot()
    await play.plan()
    await play.drift()
    await play.plan(destroy=True)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in play.states.iterdir()} == before
    assert play.world.snapshot() == world


async def test_a_plan_without_a_state_makes_none(play: Play) -> None:
    play.stack(TWO)
    await play.plan()
    assert not list(play.states.iterdir())
    with pytest.raises(StoreError, match="no state"):
        await play.drift()


# -- events


async def test_the_events_tell_the_story_in_order(play: Play) -> None:
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}, y: {hosts: a, key: /y, text: v1, needs: [thing.x]}}")
    play.world["a"].fail("write /y", "no space left")
    await play.apply()
    told = [(e.type, e.addresses) for e in play.events if e.type.startswith(("task", "run"))]
    x, y = ("thing.x@a",), ("thing.y@a",)
    assert told == [
        ("run_started", ()),
        ("task_started", x),
        ("task_done", x),
        ("task_started", y),
        ("task_failed", y),
        ("task_undo_started", y),
        ("task_undone", y),
        ("task_undo_started", x),
        ("task_undone", x),
        ("run_finished", ()),
    ]
    (failed,) = [e for e in play.events if e.type == "task_failed"]
    assert "no space left" in failed.message
    json.dumps([dict(e.data) for e in play.events])


# -- rows that are only written afresh


async def test_a_new_need_writes_the_row_and_touches_no_host(play: Play) -> None:
    await play.make("thing: {x: {hosts: a, text: v1}, y: {hosts: a, text: v1}}")
    done = len(play.world["a"].log)
    play.stack("thing: {x: {hosts: a, text: v1}, y: {hosts: a, text: v1, needs: [thing.x]}}")
    assert await play.actions() == {}
    result = await play.apply()
    assert result.status == "nothing"
    assert play.asked == play.asked[:1]  # nobody was asked for it
    assert play.row("thing.y@a").needs == ("thing.x@a",)
    assert play.world["a"].log[done:] == []


async def test_an_attr_that_is_governed_from_now_on_is_quiet_when_it_is_so(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "v1", "mode": "0640"}
    await play.make("thing: {x: {hosts: a, key: /x, text: v1}}")
    play.stack("thing: {x: {hosts: a, key: /x, text: v1, mode: '0640'}}")
    assert await play.actions() == {}
    await play.apply()
    play.world["a"].data["/x"]["mode"] = "0600"
    (drifted,) = (await play.drift()).drift
    assert [a.path for a in drifted.attrs] == ["mode"]


async def test_ignored_changes_are_neither_drift_nor_change(play: Play) -> None:
    stack = "thing: {x: {hosts: a, key: /x, text: v1, mode: '0640', lifecycle: {ignore_changes: [mode]}}}"
    await play.make(stack)
    play.world["a"].data["/x"]["mode"] = "0600"
    assert await play.actions() == {}
    assert not (await play.drift()).drift


# -- unknown, ensure, keep_on_failure


async def test_an_unknown_value_is_known_after_the_apply_and_never_stored(play: Play) -> None:
    stack = "thing: {x: {hosts: a, key: /x, text: v1}, y: {hosts: a, key: /y, copy_of: /x}}"
    play.stack(stack)
    plan = await play.plan()
    (y,) = [c for c in plan["changes"] if c["address"] == "thing.y@a"]
    assert y["after_unknown"] == ["text"] and "text" not in y["after"]
    result = await play.apply()
    assert result.ok, play.story(result)
    assert play.text("/y") == "v1"
    assert play.row("thing.y@a").attrs["text"].startswith("sha256:")
    assert await play.actions() == {}


async def test_what_a_change_invalidates_is_looked_at_again(play: Play) -> None:
    stack = """
thing:
  x: {hosts: a, key: /x, text: v1, invalidates: ['path:/x']}
  y: {hosts: a, key: /y, text: v1, uses: ['path:/x']}
  z: {hosts: a, key: /z, text: v1}
"""
    await play.make(stack)

    def spoil(machine: Machine) -> None:
        machine.data["/y"] = {"text": "default"}
        machine.data["/z"] = {"text": "default"}

    play.world["a"].on("write /x", spoil, after=True)
    play.stack(stack.replace("x, text: v1", "x, text: v2"))
    plan = await play.plan()
    assert [t["op"] for t in plan["tasks"]] == ["change", "ensure"]
    result = await play.apply()
    assert play.text("/y") == "v1", play.story(result)
    assert result.leftover is not None  # nobody said that z rests on x
    assert [str(c.address) for c in result.leftover.changes] == ["thing.z@a"]


async def test_keep_on_failure_spares_what_took_long(play: Play) -> None:
    play.stack("""
thing:
  built: {hosts: a, text: v1, lifecycle: {keep_on_failure: true}}
  used: {hosts: a, text: v1, needs: [thing.built]}
""")
    play.world["a"].fail("write /things/used")
    result = await play.apply()
    assert {t.addresses[0]: t.status for t in result.tasks} == {"thing.built@a": "done", "thing.used@a": "undone"}
    assert set(play.rows()) == {"thing.built@a"}
    assert await play.actions() == {"thing.used@a": "create"}


async def test_one_package_manager_at_a_time(play: Play) -> None:
    inside = 0
    most = 0

    async def busy(_machine: Machine) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await turns()
        inside -= 1

    play.world["a"].on("install *", busy, times=None)
    result = await play.make("""
pack:
  p: {hosts: a, names: [p]}
  q: {hosts: a, names: [q], needs: [thing.t]}
thing:
  t: {hosts: a, text: v1}
""")
    assert (most, len(play.world["a"].did("install *"))) == (1, 2), play.story(result)


async def test_packages_of_a_level_are_one_task(play: Play) -> None:
    result = await play.make("pack: {p: {hosts: a, names: [p]}, q: {hosts: a, names: [q]}, r: {hosts: a, names: [r]}}")
    assert len(result.tasks) == 1
    assert play.world["a"].did("install *") == ["install p q r"]


async def test_hosts_are_worked_on_at_the_same_time(play: Play) -> None:
    both = asyncio.Barrier(2)

    async def meet(_machine: Machine) -> None:
        async with asyncio.timeout(20):
            await both.wait()

    for machine in play.world:
        machine.on("write /x", meet)
    await play.make("thing: {x: {key: /x, text: v1}}")


async def test_a_plan_is_a_pure_function(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "theirs"}
    await play.make("thing: {x: {key: /x, text: v1}, old: {text: v1}}")
    play.stack("thing: {x: {key: /x, text: v2}, new: {text: v1}}\npack: {p: {names: [p, q]}}")
    first = (await plan(play.request)).plan
    assert json.dumps(plan_json(first)) == json.dumps(await play.plan())
    other = World("a", "b")
    for name in ("a", "b"):
        other[name].data = play.world[name].data
    again = (await plan(changed(play.request, connect=other.connect, providers=dict(KINDS)))).plan
    assert json.dumps(plan_json(again)) == json.dumps(plan_json(first))
