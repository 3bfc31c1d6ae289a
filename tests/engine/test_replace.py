"""--replace: deleted and created again, once, and nothing else is left out."""

from __future__ import annotations

import pytest

from hacore.engine import apply_saved, load_plan, plan, save_plan
from hacore.errors import PlanError, UsageError
from hacore.plan import Selection, plan_json
from tests.engine.play import Play
from tests.engine.test_crash import die_at

STACK = """
thing:
  base: {hosts: a, key: /base, text: v1}
  conf: {hosts: [a, b], key: /conf, text: v1, needs: [thing.base]}
  other: {hosts: b, key: /other, text: v1}
"""


def replacing(play: Play, *addresses: str, targets: tuple[str, ...] = ()) -> None:
    play.options = {**play.options, "selection": Selection.parse(targets, (), addresses)}


async def test_it_is_deleted_and_created_once(play: Play) -> None:
    machine = play.world["a"]
    machine.data["/conf"] = {"text": "theirs"}
    await play.make(STACK)
    machine.log.clear()
    replacing(play, "thing.conf@a")
    shown = await play.plan()
    assert [(c["address"], c["action"], c["reason"]) for c in shown["changes"]] == [
        ("thing.conf@a", "replace", "replaced, as --replace requests")
    ]
    assert (shown["replaces"], "targets" in shown) == (["thing.conf@a"], False)
    result = await play.apply()
    assert result.ok and result.leftover is None, play.story(result)
    assert [line for line in machine.log if not line.startswith("print")] == ["restore /conf", "write /conf"]
    assert machine.data["/conf"] == {"text": "v1"}
    before = play.world.snapshot()
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before
    play.options = {}
    await play.make("thing: {}")
    assert machine.data == {"/conf": {"text": "theirs"}}


async def test_an_address_without_a_host_means_all_instances_and_other_changes_come_along(play: Play) -> None:
    await play.make(STACK)
    play.stack(STACK.replace("key: /other, text: v1", "key: /other, text: v2"))
    replacing(play, "thing.conf")
    assert await play.actions() == {"thing.conf@a": "replace", "thing.conf@b": "replace", "thing.other@b": "update"}
    replacing(play, "thing.conf", targets=("thing.other",))
    assert await play.actions() == {"thing.other@b": "update"}


async def test_what_is_not_there_yet_is_created(play: Play) -> None:
    play.stack(STACK)
    replacing(play, "thing.base")
    assert (await play.actions())["thing.base@a"] == "create"


async def test_an_unknown_address_is_an_error_with_a_suggestion(play: Play) -> None:
    await play.make(STACK)
    replacing(play, "thing.cnof")
    with pytest.raises(UsageError, match=r"cannot find --replace thing\.cnof: .*did you mean thing\.conf"):
        await play.plan()


async def test_prevent_destroy_forbids_it(play: Play) -> None:
    text = "thing: {conf: {hosts: a, key: /conf, text: v1, lifecycle: {prevent_destroy: true}}}"
    await play.make(text)
    replacing(play, "thing.conf")
    with pytest.raises(PlanError, match="prevent_destroy"):
        await play.apply()


async def test_a_saved_plan_has_it(play: Play) -> None:
    await play.make(STACK)
    replacing(play, "thing.other")
    file = play.folder / "saved.plan"
    save_plan(await plan(play.request, whole=True), play.request, file, redact=lambda value: value)
    play.world["b"].log.clear()
    play.options = {}
    saved = load_plan(file)
    assert plan_json(saved.plan)["replaces"] == ["thing.other"]
    assert (await apply_saved(saved, play.request)).ok
    assert [line for line in play.world["b"].log if not line.startswith("print")] == ["restore /other", "write /other"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pattern", ["restore /conf", "write /conf"])
async def test_an_interrupted_run_replaces_each_once(play: Play, pattern: str, after: bool) -> None:
    await play.make(STACK)
    for machine in play.world:
        machine.log.clear()
    replacing(play, "thing.conf@a", "thing.other")
    await die_at(play, pattern, after=after)
    play.world["b"].lock = ""
    play.options = {}
    result = await play.apply(resume=True)
    assert result.ok and result.leftover is None, play.story(result)
    assert {"restore /conf", "write /conf"} <= set(play.world["a"].log)
    assert [line for line in play.world["b"].log if line == "write /other"] == ["write /other"]
    assert await play.actions() == {}
