"""Found, not made: what delete and destroy leave behind."""

from __future__ import annotations

import pytest

from hacore.errors import PlanError
from hacore.testing import Machine
from tests.engine.play import Play

THREE = """
thing:
  made: {hosts: a, key: /made, text: ours}
  found: {hosts: a, key: /found, text: ours}
  same: {hosts: a, key: /same, text: ours}
"""


def _populate(machine: Machine) -> None:
    machine.data["/found"] = {"text": "theirs", "mode": "0640"}
    machine.data["/same"] = {"text": "ours"}


async def test_the_first_plan_tells_made_found_and_adopted_apart(play: Play) -> None:
    _populate(play.world["a"])
    play.stack(THREE)
    plan = await play.plan()
    assert {c["address"]: (c["action"], c["reason"]) for c in plan["changes"]} == {
        "thing.made@a": ("create", ""),
        "thing.found@a": ("update", "exists already, not yet managed"),
        "thing.same@a": ("adopt", "already in the desired state; added to the state"),
    }
    assert plan["summary"] == {
        "create": 1, "update": 1, "replace": 0, "delete": 0, "adopt": 1, "forget": 0, "noop": 0,
    }  # fmt: skip


async def test_adopting_touches_nothing(play: Play) -> None:
    play.world["a"].data["/same"] = {"text": "ours"}
    result = await play.make("thing: {same: {hosts: a, key: /same, text: ours}}")
    assert play.world["a"].log == []
    assert result.status == "done"
    assert play.row("thing.same@a").found == "same"
    assert play.row("thing.same@a").origin is None


async def test_a_delete_says_what_it_leaves(play: Play) -> None:
    _populate(play.world["a"])
    await play.make(THREE)
    play.stack("thing: {}")
    assert {c["address"]: c["reason"] for c in (await play.plan())["changes"]} == {
        "thing.made@a": "no longer in the stack",
        "thing.found@a": "no longer in the stack; the original state is restored",
        "thing.same@a": "no longer in the stack; existed before hacore, stays on the host",
    }


async def test_destroy_restores_origins(play: Play) -> None:
    _populate(play.world["a"])
    before = play.world.snapshot()
    await play.make(THREE)
    await play.make(THREE.replace("text: ours", "text: newer"))
    await play.make(THREE)
    result = await play.apply(destroy=True)
    assert result.ok, play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == {}


async def test_an_adopted_thing_that_was_changed_later_goes_back_to_what_was_adopted(play: Play) -> None:
    play.world["a"].data["/same"] = {"text": "ours", "mode": "0640"}
    before = play.world.snapshot()
    await play.make("thing: {same: {hosts: a, key: /same, text: ours}}")
    await play.make("thing: {same: {hosts: a, key: /same, text: newer}}")
    assert play.row("thing.same@a").origin is not None
    assert (await play.apply(destroy=True)).ok
    assert play.world.snapshot() == before


async def test_a_block_taken_out_is_deleted_back_to_its_origin(play: Play) -> None:
    _populate(play.world["a"])
    await play.make(THREE)
    play.stack("thing: {same: {hosts: a, key: /same, text: ours}}")
    assert await play.actions() == {"thing.made@a": "delete", "thing.found@a": "delete"}
    assert (await play.apply()).ok
    assert play.text("/made") is None
    assert play.world["a"].data["/found"] == {"text": "theirs", "mode": "0640"}


async def test_on_delete_remove_takes_away_what_was_found(play: Play) -> None:
    _populate(play.world["a"])
    await play.make("thing: {found: {hosts: a, key: /found, text: ours, lifecycle: {on_delete: remove}}}")
    assert (await play.apply(destroy=True)).ok
    assert play.text("/found") is None


async def test_on_delete_keep_forgets(play: Play) -> None:
    await play.make("thing: {made: {hosts: a, key: /made, text: ours, lifecycle: {on_delete: keep}}}")
    assert await play.actions(destroy=True) == {"thing.made@a": "forget"}
    result = await play.apply(destroy=True)
    assert result.ok, play.story(result)
    assert play.text("/made") == "ours"
    assert play.rows() == {}


async def test_a_rename_touches_nothing_and_inherits_the_origin(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "theirs"}
    await play.make("thing: {old: {hosts: a, key: /x, text: ours}}")
    done = len(play.world["a"].log)
    origin = play.row("thing.old@a").origin
    result = await play.make("thing: {new: {hosts: a, key: /x, text: ours}}")
    assert play.world["a"].log[done:] == [], play.story(result)
    assert set(play.rows()) == {"thing.new@a"}
    assert play.row("thing.new@a").origin == origin
    assert play.row("thing.new@a").found == "different"
    assert (await play.apply(destroy=True)).ok
    assert play.text("/x") == "theirs"


async def test_a_new_name_for_what_is_shared_inherits_the_origin(play: Play) -> None:
    play.world["a"].data["pkg:found"] = {}
    await play.make("pack: {old: {hosts: a, names: [found, brought]}}")
    origin = play.row("pack.old@a").origin
    result = await play.make("pack: {new: {hosts: a, names: [found, brought]}}")
    assert result.ok, play.story(result)
    assert set(play.rows()) == {"pack.new@a"}
    assert play.row("pack.new@a").origin == origin
    assert (await play.apply(destroy=True)).ok
    assert set(play.world["a"].data) == {"pkg:found"}


async def test_a_new_name_with_more_in_it_has_an_origin_of_its_own(play: Play) -> None:
    await play.make("pack: {old: {hosts: a, names: [brought]}}")
    play.world["a"].data["pkg:by-hand"] = {}
    await play.make("pack: {new: {hosts: a, names: [brought, by-hand]}}")
    assert (await play.apply(destroy=True)).ok
    assert "pkg:by-hand" in play.world["a"].data


async def test_a_rename_with_a_change_keeps_the_origin_through_a_rollback(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "theirs"}
    await play.make("thing: {old: {hosts: a, key: /x, text: ours}}")
    rows = play.rows()
    await play.make("thing: {new: {hosts: a, key: /x, text: newer}}")
    assert play.row("thing.new@a").found == "different"
    assert (await play.rollback()).ok
    assert play.text("/x") == "ours"
    assert play.rows() == rows


async def test_a_moved_path_is_taken_away_at_the_old_place(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "theirs"}
    await play.make("thing: {t: {hosts: a, key: /x, text: ours}}")
    play.stack("thing: {t: {hosts: a, key: /y, text: ours}}")
    assert await play.actions() == {"thing.t@a": "replace"}
    result = await play.apply()
    assert result.ok, play.story(result)
    assert (play.text("/x"), play.text("/y")) == ("theirs", "ours")
    assert (await play.apply(destroy=True)).ok
    assert (play.text("/x"), play.text("/y")) == ("theirs", None)


async def test_a_moved_path_rolls_back(play: Play) -> None:
    await play.make("thing: {t: {hosts: a, key: /x, text: ours}}")
    before, rows = play.world.snapshot(), play.rows()
    await play.make("thing: {t: {hosts: a, key: /y, text: ours}}")
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before
    assert play.rows() == rows


async def test_packages_that_two_blocks_name_stay_for_the_other(play: Play) -> None:
    play.world["a"].data["pkg:gcc"] = {}
    await play.make("pack: {one: {hosts: a, names: [gcc, make]}, two: {hosts: a, names: [make, git]}}")
    result = await play.make("pack: {two: {hosts: a, names: [make, git]}}")
    assert set(play.world["a"].data) == {"pkg:gcc", "pkg:make", "pkg:git"}, play.story(result)
    assert (await play.apply(destroy=True)).ok
    assert set(play.world["a"].data) == {"pkg:gcc"}


async def test_a_name_dropped_from_a_block_is_removed(play: Play) -> None:
    await play.make("pack: {one: {hosts: a, names: [gcc, make]}}")
    await play.make("pack: {one: {hosts: a, names: [make]}}")
    assert set(play.world["a"].data) == {"pkg:make"}


async def test_sections_of_one_file_are_one_task_and_go_back_together(play: Play) -> None:
    play.world["a"].data["/etc/k"] = {"sections": {}, "by": "hand"}
    before = play.world.snapshot()
    two = "conf: {one: {hosts: a, path: /etc/k, text: v1}, two: {hosts: a, path: /etc/k, text: v1}}"
    result = await play.make(two)
    assert len(result.tasks) == 1, play.story(result)
    result = await play.make(two.replace("one: {hosts: a, path: /etc/k, text: v1}, ", ""))
    assert play.world["a"].data["/etc/k"]["sections"] == {"two": "v1"}, play.story(result)
    assert (await play.apply(destroy=True)).ok
    assert play.world.snapshot() == before


async def test_a_section_added_and_one_taken_out_are_one_task(play: Play) -> None:
    await play.make("conf: {one: {hosts: a, path: /etc/k, text: v1}}")
    result = await play.make("conf: {two: {hosts: a, path: /etc/k, text: v1}}")
    assert play.world["a"].data["/etc/k"]["sections"] == {"two": "v1"}, play.story(result)
    assert len(result.tasks) <= 1
    assert (await play.apply(destroy=True)).ok
    assert "/etc/k" not in play.world["a"].data


async def test_a_section_goes_although_what_used_to_need_it_needs_another_one(play: Play) -> None:
    """The file is one task: it cannot come after its reader for the one section, and before it for the other."""
    sections = "conf: {one: {hosts: a, path: /etc/k, text: v1}, two: {hosts: a, path: /etc/k, text: v1}}"
    after = "thing: {t: {hosts: a, key: /t, text: v1, needs: [conf.one, conf.two]}}"
    await play.make(f"{sections}\n{after}")
    before = play.world.snapshot()
    less = sections.replace("one: {hosts: a, path: /etc/k, text: v1}, ", "").replace("v1", "v2")
    result = await play.make(f"{less}\n{after.replace('conf.one, ', '').replace('v1', 'v2')}")
    assert play.world["a"].data["/etc/k"]["sections"] == {"two": "v2"}, play.story(result)
    (file, thing) = result.tasks
    assert [str(a) for a in thing.addresses] == ["thing.t@a"] and len(file.addresses) == 2, play.story(result)
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before


async def test_prevent_destroy_outlives_its_block(play: Play) -> None:
    await play.make("thing: {t: {hosts: a, key: /x, text: ours, lifecycle: {prevent_destroy: true}}}")
    play.stack("thing: {other: {hosts: a, key: /y, text: ours}}")
    for destroy in (False, True):
        try:
            await play.plan(destroy=destroy)
        except Exception as error:
            assert "prevent_destroy" in str(error) and "thing.t@a" in str(error)
        else:
            raise AssertionError("the plan deletes what must not be deleted")
    await play.make("thing: {t: {hosts: a, key: /x, text: ours}, other: {hosts: a, key: /y, text: ours}}")
    assert (await play.apply(destroy=True)).ok


async def test_what_is_switched_off_is_deleted_with_that_reason(play: Play) -> None:
    await play.make("thing: {t: {hosts: a, key: /x, text: ours, when: true}}")
    play.stack("thing: {t: {hosts: a, key: /x, text: ours, when: false}}")
    (change,) = (await play.plan())["changes"]
    assert (change["action"], change["reason"]) == ("delete", "its `when` is false")
    assert (await play.apply()).ok
    assert play.text("/x") is None


async def test_what_gives_up_a_part_keeps_the_rest_as_it_is(play: Play) -> None:
    """A package that is no longer in the list goes; those that stay are not removed and installed again."""
    machine = play.world["a"]
    machine.data["pkg:there"] = {}
    await play.make("pack: {p: {hosts: a, names: [there, stays, goes]}}")
    before = play.world.snapshot()
    machine.log.clear()
    play.stack("pack: {p: {hosts: a, names: [there, stays, new]}}")
    (change,) = (await play.plan())["changes"]
    assert (change["action"], change["reason"]) == (
        "update",
        "no longer has the package goes: restored to the original state",
    )
    result = await play.apply()
    assert result.ok
    assert [task.op for task in result.tasks] == ["reduce", "update"]
    assert [line for line in machine.log if not line.startswith("print")] == [
        "remove goes", "install there", "install new stays there",
    ]  # fmt: skip
    assert await play.actions() == {}
    after = play.world.snapshot()
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before
    assert (await play.apply()).ok
    assert play.world.snapshot() == after
    await play.make("pack: {}")
    assert machine.data == {"pkg:there": {}}


async def test_the_origin_of_what_stays_outlives_a_run_that_ended_in_between(play: Play) -> None:
    machine = play.world["a"]
    await play.make("pack: {p: {hosts: a, names: [stays, goes]}}")
    machine.fail("install *")
    play.stack("pack: {p: {hosts: a, names: [stays, new]}}")
    assert not (await play.apply(on_failure="halt")).ok
    assert set(machine.data) == {"pkg:stays"}
    machine.rules.clear()
    assert (await play.apply()).ok
    await play.make("pack: {}")
    assert machine.data == {}


async def test_what_gives_up_a_part_may_be_protected(play: Play) -> None:
    """It is not destroyed; another one of another name would be."""
    protected = "pack: {{p: {{hosts: a, names: [{}], lifecycle: {{prevent_destroy: true}}}}}}"
    await play.make(protected.format("stays, goes"))
    assert (await play.make(protected.format("stays"))).ok
    play.stack(protected.format("other"))
    with pytest.raises(PlanError, match="prevent_destroy"):
        await play.apply()


async def test_a_part_is_given_up_although_a_daemon_used_what_goes_with_it(play: Play) -> None:
    """p1 rests on p0 and goes; the daemon, which used both, reloads only after p0 is whole again: so p1 goes first."""
    old = """
thing: {conf: {hosts: a, key: /conf, text: v1}}
pack: {p0: {hosts: a, names: [stays, goes]}, p1: {hosts: a, names: [old], needs: [pack.p0]}}
daemon: {d: {hosts: a, reads: [/conf], reload_on: [thing.conf], needs: [pack.p1, pack.p0]}}
"""
    await play.make(old)
    before = play.world.snapshot()
    new = old.replace("v1", "v2").replace("stays, goes", "stays").replace("pack.p1, ", "")
    play.stack(new.replace(", p1: {hosts: a, names: [old], needs: [pack.p0]}", ""))
    result = await play.apply()
    assert result.ok, play.story(result)
    assert play.loaded("d", "/conf") == "v2"
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before


async def test_a_daemon_that_was_there_is_given_back_after_all_that_it_loads(play: Play) -> None:
    """It needs the file, and restarts for the package on which the file rests."""
    machine = play.world["a"]
    machine.data["pkg:there"] = {}
    machine.units["d"] = {"running": True, "loaded": {}}
    await play.make("""
pack: {p: {hosts: a, names: [there, brought]}}
thing: {conf: {hosts: a, key: /conf, text: v1, needs: [pack.p]}}
daemon: {d: {hosts: a, reads: [/conf], restart_on: [pack.p], needs: [thing.conf]}}
""")
    assert play.row("daemon.d@a").found == "same"
    result = await play.apply(destroy=True)
    assert result.ok, play.story(result)
    assert play.rows() == {}
    assert machine.data == {"pkg:there": {}} and machine.units["d"]["running"]


async def test_what_only_ends_to_be_managed_restarts_nothing(play: Play) -> None:
    """The package was there and stays: its daemon, which was there as well, has nothing new to load."""
    machine = play.world["a"]
    machine.data["pkg:there"] = {}
    machine.units["d"] = {"running": True, "loaded": {}}
    stack = """
pack: {p: {hosts: a, names: [there]}}
daemon: {d: {hosts: a, reads: [], restart_on: [pack.p]}}
"""
    await play.make(stack)
    machine.log.clear()
    result = await play.apply(destroy=True)
    assert result.ok, play.story(result)
    assert [line for line in machine.log if line.startswith(("reload", "restart"))] == []
    assert play.rows() == {}
    await play.make(stack)
    machine.log.clear()
    await play.make("daemon: {d: {hosts: a, reads: [], restart_on: []}}")  # the package alone leaves the stack
    assert [line for line in machine.log if line.startswith(("reload", "restart"))] == []
    assert await play.actions() == {}
