"""Whose host is this: the marker that a managed host carries."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.engine import apply, forget, plan
from hacore.errors import PlanError, StackError
from hacore.probe import Marker
from hacore.render.plan import PlanText, plan_text
from hacore.store import StateReader
from hacore.testing import Machine
from tests.engine.play import HEAD, Play, changed

TWO = "thing: {x: {key: /x, text: v1}, y: {key: /y, text: v1, needs: [thing.x]}}"
OTHER = HEAD.replace("stack: test", "stack: other")


def marker(play: Play, host: str) -> Marker:
    """The only marker of a host."""
    (text,) = play.world[host].markers.values()
    return Marker(**json.loads(text))


def lineage(play: Play) -> str:
    reader = StateReader.open(play.url)
    assert reader is not None
    with reader:
        return reader.lineage


def second(play: Play, folder: Path, resources: str, head: str = OTHER) -> Play:
    """Another stack with a state of its own, over the same hosts."""
    (folder / "stack").mkdir(parents=True)
    (folder / "state").mkdir()
    found = Play(folder / "stack", folder / "state", play.world)
    found.stack(resources, head)
    return found


async def first_line(play: Play) -> str:
    return plan_text((await plan(play.request)).plan, PlanText("state")).splitlines()[0]


async def test_a_run_marks_its_hosts_and_the_last_destroy_leaves_no_trace(play: Play) -> None:
    await play.make(TWO)
    for host in ("a", "b"):
        found = marker(play, host)
        assert (found.stack, found.env, found.host, found.lineage) == ("test", "", host, lineage(play))
        assert found.who == "tester@test"
        assert sorted(found.claims.values()) == ["thing.x", "thing.y"]
    assert (await play.apply(destroy=True)).ok
    assert [machine.markers for machine in play.world] == [{}, {}]


async def test_the_marker_is_there_before_anything_is_touched(play: Play) -> None:
    play.stack(TWO)
    seen: list[dict[str, str]] = []
    play.world["a"].on("print *", lambda machine: seen.append(dict(machine.markers)))
    await play.apply()
    (text,) = seen[0].values()
    assert sorted(json.loads(text)["claims"].values()) == ["thing.x", "thing.y"]


async def test_a_run_that_was_undone_leaves_no_marker(play: Play) -> None:
    play.stack(TWO)
    play.world["b"].fail("write /y")
    result = await play.apply()
    assert result.status == "failed", play.story(result)  # the other host's lane stands
    assert play.world["b"].markers == {}
    assert sorted(marker(play, "a").claims.values()) == ["thing.x", "thing.y"]


async def test_a_host_with_something_half_done_stays_marked(play: Play) -> None:
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}}")
    play.world["a"].fail("write /x")
    play.world["a"].fail("restore /x")
    result = await play.apply()
    assert [task.status for task in result.tasks] == ["error"], play.story(result)
    assert list(marker(play, "a").claims.values()) == ["thing.x"]


async def test_a_rollback_takes_the_markers_along_and_brings_them_back(play: Play) -> None:
    await play.make(TWO)
    assert (await play.apply(destroy=True)).ok
    assert (await play.rollback()).ok
    assert sorted(marker(play, "b").claims.values()) == ["thing.x", "thing.y"]
    assert await play.actions() == {}
    assert (await play.rollback()).ok
    assert play.world["b"].markers == {}


async def test_the_marker_follows_what_is_recorded(play: Play) -> None:
    await play.make(TWO)
    play.stack("thing: {x: {key: /x, text: v1}}")
    assert (await play.apply()).ok
    assert list(marker(play, "a").claims.values()) == ["thing.x"]


async def test_a_marker_that_is_gone_comes_back_without_a_question(play: Play) -> None:
    await play.make(TWO)
    play.world["a"].markers.clear()
    asked = len(play.asked)
    assert (await play.apply()).status == "nothing"
    assert sorted(marker(play, "a").claims.values()) == ["thing.x", "thing.y"]
    assert len(play.asked) == asked
    execs = play.world["a"].execs
    assert (await play.apply()).status == "nothing"
    assert play.world["a"].execs == execs + 1  # nothing is due any more


# -- another state of the same stack


async def test_a_lost_state_is_said_first_and_refused(play: Play, tmp_path: Path) -> None:
    await play.make(TWO)
    old = lineage(play)
    lost = second(play, tmp_path / "lost", TWO, HEAD)
    line = await first_line(lost)
    whose = f"a@192.0.2.1 and b@192.0.2.2 are managed by stack test in another state (lineage {old[:8]}), "
    whose += "last by tester@test on 20"
    assert line.startswith(f"Managed by another state: {whose}")
    assert "this state is new" in line and "--take-over" in line
    made = await lost.plan()
    assert not made["applyable"]
    told = [(s["host"], s["lineage"], s["why"]) for s in made["strangers"]]
    assert told == [("a", old, "lineage"), ("b", old, "lineage")]
    with pytest.raises(
        PlanError, match=rf"cannot apply: a@192\.0\.2\.1 .*lineage {old}, by tester@test on 20.*b@"
    ) as no:
        await lost.apply()
    assert "this state records nothing yet" in str(no.value)
    assert not list(lost.states.iterdir())


async def test_take_over_makes_the_hosts_this_state_s(play: Play, tmp_path: Path) -> None:
    await play.make(TWO)
    lost = second(play, tmp_path / "lost", TWO, HEAD)
    lost.options = {"take_over": True}
    assert (await lost.apply()).ok
    for host in ("a", "b"):
        assert marker(lost, host).lineage == lineage(lost)
    lost.options = {}
    assert await lost.actions() == {}
    both = rf"lineage {lineage(lost)}, by tester@test.*this state is lineage {lineage(play)}"
    with pytest.raises(PlanError, match=f"cannot apply: .*{both}"):
        await play.apply()
    with pytest.raises(PlanError, match=f"cannot roll back: .*{both}"):
        await play.rollback()
    assert [s.host for s in (await play.drift()).ownership.foreign_hosts] == ["a", "b"]


async def test_an_older_copy_of_the_state_is_refused(play: Play) -> None:
    await play.make(TWO)
    copy = play.states / "copy"
    shutil.copy(play.states / "test.db", copy)
    await play.make(TWO.replace("v1", "v2"))
    shutil.copy(copy, play.states / "test.db")
    assert (await first_line(play)).startswith("Old copy of the state: a@192.0.2.1 and b@192.0.2.2 are managed by")
    with pytest.raises(PlanError, match="this state is an older copy"):
        await play.apply()
    play.options = {"take_over": True}
    assert (await play.apply()).ok
    play.options = {}
    assert await play.actions() == {}
    assert (await play.plan())["strangers"] == []


async def test_a_run_that_died_leaves_a_marker_of_its_state(play: Play, tmp_path: Path) -> None:
    class Died(BaseException):
        pass

    def die(_machine: Machine) -> None:
        raise Died

    play.stack(TWO)
    play.world["a"].on("write /y", die)
    with pytest.raises(Died):
        await play.apply()
    for machine in play.world:
        machine.lock = ""
    lost = second(play, tmp_path / "lost", TWO, HEAD)
    with pytest.raises(PlanError, match="cannot apply"):
        await lost.apply()
    assert (await play.apply(resume=True)).ok
    assert sorted(marker(play, "a").claims.values()) == ["thing.x", "thing.y"]


# -- other stacks


async def test_stacks_live_together_and_go_alone(play: Play, tmp_path: Path) -> None:
    await play.make(TWO)
    other = second(play, tmp_path / "other", "thing: {z: {key: /z, text: v1}}")
    assert (await other.apply()).ok
    assert len(play.world["a"].markers) == 2
    assert await play.actions() == {}
    assert (await play.apply(destroy=True)).ok
    assert marker(other, "a").stack == "other"
    assert play.world["a"].data == {"/z": {"text": "v1"}}


async def test_one_thing_cannot_be_of_two_stacks(play: Play, tmp_path: Path) -> None:
    await play.make(TWO)
    other = second(play, tmp_path / "other", "thing: {mine: {hosts: b, key: /y, text: other}}")
    with pytest.raises(PlanError, match=r"thing\.mine@b: the path /y on b belongs to thing\.y of the stack test \(lin"):
        await other.plan()
    with pytest.raises(PlanError, match=r"thing\.mine@b"):
        await other.apply()
    play.stack("thing: {x: {key: /x, text: v1}}")
    assert (await play.apply()).ok
    assert (await other.apply()).ok
    assert play.text("/y", "b") == "other"


async def test_what_a_stack_forgot_its_next_apply_gives_free(play: Play, tmp_path: Path) -> None:
    """The way from one stack to another: forget it here, apply, apply there. No host is touched for it."""
    await play.make(TWO)
    other = second(play, tmp_path / "other", "thing: {mine: {hosts: b, key: /y, text: v1}}")
    play.stack("thing: {x: {key: /x, text: v1}}")
    await forget(play.url, [Address.parse("thing.y")])
    with pytest.raises(PlanError, match=r"belongs to thing\.y of the stack test"):
        await other.plan()
    done = len(play.world["b"].log)
    assert (await play.apply()).status == "nothing"
    assert await other.actions() == {"thing.mine@b": "adopt"}
    assert (await other.apply()).ok
    assert play.world["b"].log[done:] == []


async def test_the_claim_of_the_first_run_holds_against_a_shared_one(play: Play, tmp_path: Path) -> None:
    await play.make("thing: {x: {hosts: a, key: /x, text: v1, shared: true}}")
    sharing = second(play, tmp_path / "sharing", "thing: {mine: {hosts: a, key: /x, text: v1, shared: true}}")
    assert await sharing.actions() == {"thing.mine@a": "adopt"}
    alone = second(play, tmp_path / "alone", "thing: {mine: {hosts: a, key: /x, text: v1}}")
    with pytest.raises(PlanError, match=r"belongs to thing\.x of the stack test"):
        await alone.plan()


async def test_what_another_stack_needs_stays_when_this_one_goes(play: Play, tmp_path: Path) -> None:
    await play.make("pack: {p: {hosts: a, names: [gcc, make]}}")
    other = second(play, tmp_path / "other", "pack: {p: {hosts: a, names: [gcc]}}")
    assert (await other.apply()).ok
    assert (await play.apply(destroy=True)).ok
    assert set(play.world["a"].data) == {"pkg:gcc"}


async def test_environments_of_a_stack_are_stacks_of_their_own(play: Play, tmp_path: Path) -> None:
    await play.make(TWO)
    staging = second(play, tmp_path / "staging", "thing: {z: {key: /z, text: v1}}", HEAD)
    (staging.folder / "env").mkdir()
    (staging.folder / "env/staging.yaml").write_text("{}")
    staging.options = {"env_name": "staging"}
    assert (await staging.apply()).ok
    assert {json.loads(text)["env"] for text in play.world["a"].markers.values()} == {"", "staging"}
    assert await play.actions() == {}
    assert (await staging.rollback()).ok
    assert marker(play, "a").env == ""


# -- what is in it


async def test_a_marker_tells_no_path(play: Play) -> None:
    await play.make("thing: {x: {hosts: a, key: /keys/of-somebody, text: v1}}")
    (text,) = play.world["a"].markers.values()
    assert "somebody" not in text and "/keys" not in text


async def test_a_secret_cannot_name_something_on_a_host(play: Play) -> None:
    with pytest.raises(StackError, match=r"stack\.yaml:\d+:\d+: thing\.x@a: key must not use a sensitive value"):
        await play.make("thing: {x: {hosts: a, key: '/keys/{{ var.secret }}', text: v1}}")


async def test_the_state_of_another_stack_is_refused(play: Play) -> None:
    """HACORE_STATE was left in the shell, and now it is another stack's turn: all of the first would be deleted."""
    await play.make(TWO)
    play.stack("thing: {z: {key: /z, text: v1}}", OTHER)
    line = await first_line(play)
    assert line.startswith("State of another stack: a@192.0.2.1 and b@192.0.2.2 are managed by stack ")
    for destroy in (False, True):
        with pytest.raises(PlanError, match=r"as the stack test, by tester@test on .*, and this is another stack"):
            await play.apply(destroy=destroy)
    assert play.text("/x", "b") == "v1"
    assert (await play.drift()).ownership.foreign_hosts == ()


async def test_one_state_is_not_of_two_environments(play: Play) -> None:
    """HACORE_STATE and --env together: the environment's own state is the one that is not used."""
    await play.make(TWO)
    (play.folder / "env").mkdir()
    (play.folder / "env/staging.yaml").write_text("{}")
    play.options = {"env_name": "staging"}
    assert (await first_line(play)).startswith(
        "State of another stack: a@192.0.2.1 and b@192.0.2.2 are managed by stack"
    )
    with pytest.raises(PlanError, match="name this stack's own state"):
        await play.apply()


@pytest.mark.parametrize("changed", [False, True])
async def test_a_stack_that_was_renamed_is_taken_over_once(play: Play, changed: bool) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("v1", "v2" if changed else "v1"), OTHER)
    play.options = {"take_over": True}
    assert (await play.apply()).status == ("done" if changed else "nothing")
    play.options = {}
    assert [marker(play, host).stack for host in ("a", "b")] == ["other", "other"]
    assert (await play.plan())["strangers"] == []
    assert (await play.drift()).ownership.foreign_hosts == ()
    assert (await play.rollback()).ok
    left = [json.loads(text)["stack"] for machine in play.world for text in machine.markers.values()]
    assert left == (["other", "other"] if changed else [])  # the first run is what was taken back else


async def test_a_degraded_apply_marks_the_hosts_it_reaches(play: Play) -> None:
    play.stack(TWO)
    play.world["b"].reachable = False
    assert (await play.apply(allow_degraded=True)).status == "done"
    assert (len(play.world["a"].markers), play.world["b"].markers) == (1, {})


async def test_a_host_that_cannot_be_marked_is_not_touched(play: Play) -> None:
    play.stack(TWO)
    original = play.world.connect

    async def connect(host: object) -> object:
        link = await original(host)  # type: ignore[arg-type]
        run = link.shell

        async def shell(script: str) -> object:
            from hacore.contract import Output

            if "mktemp" in script and "stacks/.new" in script:
                return Output(1, b"", b"mktemp: Read-only file system\n")
            return await run(script)

        link.shell = shell  # type: ignore[method-assign, assignment]
        return link

    request = changed(play.request, connect=connect)
    from hacore.errors import TransportError

    with pytest.raises(TransportError, match=r"cannot mark a@192\.0\.2\.1: mktemp: Read-only"):
        await apply(request, approve=play.yes)
    assert all(machine.log == [] and machine.lock == "" for machine in play.world)
    assert play.runs() == []


async def test_a_saved_plan_is_no_way_around(play: Play, tmp_path: Path) -> None:
    """Made while the hosts were another state's, or before they became so."""
    from hacore.engine import apply_saved, load_plan, save_plan

    lost = second(play, tmp_path / "lost", TWO, HEAD)
    early = tmp_path / "early.plan"
    save_plan(await plan(lost.request), lost.request, early, redact=lambda data: data)
    await play.make(TWO)
    late = tmp_path / "late.plan"
    save_plan(await plan(lost.request), lost.request, late, redact=lambda data: data)
    for path in (early, late):
        with pytest.raises(PlanError, match="cannot apply"):
            await apply_saved(load_plan(path), lost.request, unauthenticated=True)
    shown = plan_text(load_plan(late).plan, PlanText("state"))
    assert shown.startswith("Managed by another state: a@192.0.2.1 and ")
    assert (await apply_saved(load_plan(late), changed(lost.request, take_over=True), unauthenticated=True)).ok
    assert marker(play, "a").lineage == lineage(lost)


async def test_a_new_machine_is_not_marked_with_what_the_old_one_had(play: Play) -> None:
    await play.make("thing: {x: {key: /x, text: v1}, old: {key: /old, text: v1}}")
    machine = play.world["b"]
    machine.base = replace(machine.base, machine_id="another")
    machine.data, machine.markers = {}, {}
    play.stack("thing: {x: {key: /x, text: v1}}")
    seen: list[str] = []
    machine.on("print *", lambda there: seen.extend(there.markers.values()))
    assert (await play.apply()).ok
    assert [list(json.loads(text)["claims"].values()) for text in seen] == [["thing.x"]]
