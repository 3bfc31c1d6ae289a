"""Reloads and restarts: when they are due, when not, and that none is lost."""

from __future__ import annotations

import pytest

from hacore.address import Address
from hacore.errors import StoreError
from hacore.model import is_pending
from hacore.store import PutRow, SetLoaded, StateWriter
from hacore.testing import Machine
from tests.engine.play import Play

WEB = """
thing:
  conf: {hosts: a, key: /etc/web.conf, text: v1}
  bin: {hosts: a, key: /bin/web, text: v1}
daemon:
  web: {hosts: a, reads: [/etc/web.conf, /bin/web], reload_on: [thing.conf], restart_on: [thing.bin]}
"""
V2 = WEB.replace("conf, text: v1", "conf, text: v2")
B2 = WEB.replace("web, text: v1", "web, text: v2")


def ops(play: Play) -> list[str]:
    return [
        text.split()[0] for text in play.world["a"].log if text.split()[0] in ("start", "reload", "restart", "stop")
    ]


async def test_a_start_swallows_all_triggers(play: Play) -> None:
    await play.make(WEB)
    assert ops(play) == ["start"]
    assert set(play.row("daemon.web@a").loaded) == {"thing.conf@a", "thing.bin@a"}
    assert not any(map(is_pending, play.row("daemon.web@a").loaded.values()))


async def test_a_changed_source_reloads_once(play: Play) -> None:
    await play.make(WEB)
    await play.make(V2)
    assert ops(play) == ["start", "reload"]


async def test_a_restart_beats_a_reload(play: Play) -> None:
    await play.make(WEB)
    await play.make(V2.replace("web, text: v1", "web, text: v2"))
    assert ops(play) == ["start", "restart"]
    assert play.loaded("web", "/bin/web") == "v2"


async def test_a_trigger_shows_as_an_update_of_its_consumer(play: Play) -> None:
    await play.make(WEB)
    play.stack(V2)
    plan = await play.plan()
    (shown,) = [c for c in plan["changes"] if c["address"] == "daemon.web@a"]
    assert (shown["action"], shown["effect"]) == ("update", "reload web")
    assert plan["summary"]["update"] == 2
    assert plan["summary"]["noop"] == 1
    (conf,) = [c for c in plan["changes"] if c["address"] == "thing.conf@a"]
    assert conf["effect"] == "reload web"


async def test_a_start_in_the_same_run_swallows_the_reload(play: Play) -> None:
    await play.make(WEB)
    play.world["a"].units["web"]["running"] = False
    await play.make(V2)
    assert ops(play) == ["start", "start"]
    assert play.loaded("web", "/etc/web.conf") == "v2"
    assert await play.actions() == {}


async def test_a_stopped_daemon_has_nothing_to_reload(play: Play) -> None:
    stopped = WEB.replace("daemon:\n  web: {", "daemon:\n  web: {running: false, ")
    await play.make(stopped)
    await play.make(stopped.replace("v1", "v2"))
    assert play.world["a"].units["web"]["running"] is False
    assert await play.actions() == {}


LESS = """
thing:
  bin: {hosts: a, key: /bin/web, text: v1}
daemon:
  web: {hosts: a, reads: [/etc/web.conf, /bin/web], restart_on: [thing.bin]}
"""


async def test_a_source_that_goes_is_a_reason_to_reload_once_it_is_gone(play: Play) -> None:
    """Else the daemon would run on with what nobody finds on the disk any more, until it is restarted one night."""
    await play.make(WEB)
    before = play.world.snapshot()
    play.stack(LESS)
    shown = {c["address"]: (c["action"], c["effect"], c["reason"]) for c in (await play.plan())["changes"]}
    assert shown["thing.conf@a"] == ("delete", "remove the managed resource, reload web", "no longer in the stack")
    assert shown["daemon.web@a"] == ("update", "reload web", "reload because of thing.conf@a")
    result = await play.make(LESS)
    assert ops(play) == ["start", "reload"], play.story(result)
    assert play.loaded("web", "/etc/web.conf") is None, play.story(result)
    assert set(play.row("daemon.web@a").loaded) == {"thing.bin@a"}
    assert await play.actions() == {}
    assert not (await play.drift()).drift
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before
    assert ops(play) == ["start", "reload", "reload"]


async def test_one_of_several_sources_by_for_each_goes(play: Play) -> None:
    """The daemon's own block stays as it is written."""
    sites = """
thing:
  site: {hosts: a, for_each: [one, two], key: "/sites/{{ each.key }}", text: v1}
daemon:
  web: {hosts: a, reads: [/sites/one, /sites/two], reload_on: [thing.site]}
"""
    await play.make(sites)
    result = await play.make(sites.replace("[one, two]", "[two]"))
    assert ops(play) == ["start", "reload"], play.story(result)
    assert play.loaded("web", "/sites/one") is None
    assert await play.actions() == {}
    assert not (await play.drift()).drift
    await play.make(sites)
    assert ops(play) == ["start", "reload", "reload"]
    assert play.loaded("web", "/sites/one") == "v1"


async def test_a_reload_for_what_is_gone_fails_and_is_still_due(play: Play) -> None:
    await play.make(WEB)
    play.stack(LESS)
    play.world["a"].fail("restart web *")
    play.world["a"].fail("reload web *")
    result = await play.apply(on_failure="halt")
    assert result.status == "failed", play.story(result)
    assert "/etc/web.conf" not in play.world["a"].data
    assert await play.actions() == {"daemon.web@a": "update"}
    (drifted,) = (await play.drift()).drift
    assert drifted.reason == "reload pending for thing.conf@a"
    result = await play.apply()
    assert result.ok and play.loaded("web", "/etc/web.conf") is None, play.story(result)
    assert await play.actions() == {}
    assert not (await play.drift()).drift


async def test_a_reload_for_what_is_gone_fails_and_all_is_back(play: Play) -> None:
    await play.make(WEB)
    before = play.world.snapshot()
    play.stack(LESS)
    play.world["a"].fail("reload web *")
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)
    assert play.world.snapshot() == before
    play.stack(WEB)
    assert await play.actions() == {}
    assert not (await play.drift()).drift


async def test_a_daemon_that_starts_before_its_source_goes_reloads_after_it(play: Play) -> None:
    await play.make(WEB)
    play.world["a"].units["web"] = {"running": False, "loaded": {}}
    result = await play.make(LESS)
    assert play.loaded("web", "/etc/web.conf") is None, play.story(result)
    assert await play.actions() == {}


async def test_what_is_reloaded_for_a_source_that_goes_may_need_others_that_needed_it(play: Play) -> None:
    """Deletes come after the changes of what needed them, and here before a reload that these wait for."""
    more = """
thing:
  conf: {hosts: a, key: /etc/web.conf, text: v1}
  old: {hosts: a, key: /old, text: v1, needs: [thing.conf]}
  last: {hosts: a, key: /last, text: v1, needs: [daemon.web, thing.conf, thing.old]}
daemon:
  web: {hosts: a, reads: [/etc/web.conf], reload_on: [thing.conf]}
"""
    await play.make(more)
    before = play.world.snapshot()
    result = await play.make("""
thing:
  last: {hosts: a, key: /last, text: v2, needs: [daemon.web]}
daemon:
  web: {hosts: a, reads: [/etc/web.conf]}
""")
    assert play.loaded("web", "/etc/web.conf") is None, play.story(result)
    assert set(play.world["a"].data) == {"/last"}
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before


async def test_a_new_source_that_is_there_already_is_taken_as_loaded(play: Play) -> None:
    await play.make("""
thing:
  bin: {hosts: a, key: /bin/web, text: v1}
  conf: {hosts: a, key: /etc/web.conf, text: v1}
daemon:
  web: {hosts: a, reads: [/etc/web.conf, /bin/web], restart_on: [thing.bin]}
""")
    await play.make(WEB)
    assert ops(play) == ["start"]
    assert await play.actions() == {}


async def test_drift_of_a_source_that_is_put_right_reloads(play: Play) -> None:
    """The daemon may have loaded what was there in between."""
    await play.make(WEB)
    play.world["a"].data["/etc/web.conf"] = {"text": "by hand"}
    assert {str(d.address) for d in (await play.drift()).drift} == {"thing.conf@a"}
    await play.make(WEB)
    assert ops(play) == ["start", "reload"]


async def test_a_trigger_that_failed_is_pending_and_comes_with_the_next_run(play: Play) -> None:
    await play.make(WEB)
    play.stack(V2)
    play.world["a"].fail("reload web *", "config test failed")
    result = await play.apply(on_failure="halt")
    assert result.status == "failed"
    assert play.text("/etc/web.conf") == "v2"
    assert play.loaded("web", "/etc/web.conf") == "v1"
    (change,) = (await play.plan())["changes"]
    assert change["address"] == "daemon.web@a"
    assert change["reason"] == f"reload pending since run {result.run}: thing.conf@a"
    (drifted,) = (await play.drift()).drift
    assert (str(drifted.address), "reload pending" in drifted.reason) == ("daemon.web@a", True)
    assert (await play.apply()).ok
    assert play.loaded("web", "/etc/web.conf") == "v2"


async def test_a_pending_trigger_survives_a_crash_after_the_effect(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is written, then the state cannot be: the reload must not be forgotten (promise 12)."""
    await play.make(WEB)
    play.stack(V2)
    commit = StateWriter.commit

    async def broken(self: StateWriter, *moves: object, **more: object) -> object:
        if any(isinstance(m, PutRow) for m in moves):
            raise StoreError("cannot use the state: the disk is full")
        return await commit(self, *moves, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(StateWriter, "commit", broken)
        with pytest.raises(StoreError):
            await play.apply()
    assert play.text("/etc/web.conf") == "v2"
    assert play.loaded("web", "/etc/web.conf") == "v1"
    assert is_pending(play.row("daemon.web@a").loaded["thing.conf@a"])
    assert (await play.rollback()).ok
    assert play.text("/etc/web.conf") == "v1"
    assert play.loaded("web", "/etc/web.conf") == "v1"
    assert await play.actions() != {}
    assert (await play.apply()).ok
    assert play.loaded("web", "/etc/web.conf") == "v2"


async def test_a_null_in_the_state_is_a_pending_trigger(play: Play) -> None:
    await play.make(WEB)
    async with await StateWriter.open(play.url, who="t", what="t") as writer:
        await writer.commit(SetLoaded(Address.parse("daemon.web@a"), {"thing.bin@a": None}))
    assert await play.actions() == {"daemon.web@a": "update"}
    assert (await play.apply()).ok
    assert ops(play) == ["start", "restart"]
    assert await play.actions() == {}


async def test_a_daemon_on_another_host_is_triggered_by_every_member(play: Play) -> None:
    stack = """
thing:
  conf: {hosts: a, key: /etc/web.conf, text: v1}
daemon:
  web: {hosts: b, reads: [], reload_on: [thing.conf]}
"""
    await play.make(stack)
    await play.make(stack.replace("v1", "v2"))
    assert play.world["b"].did("reload *") == ["reload web"]


async def test_the_reload_comes_after_all_sources(play: Play) -> None:
    sources = "\n".join(f"  s{i}: {{hosts: a, key: /etc/s{i}, text: v1}}" for i in range(5))
    names = ", ".join(f"thing.s{i}" for i in range(5))
    stack = f"thing:\n{sources}\ndaemon:\n  web: {{hosts: a, reads: [/etc/s0], reload_on: [{names}]}}\n"
    await play.make(stack)
    await play.make(stack.replace("v1", "v2"))
    log = play.world["a"].log
    assert log[-1] == "reload web /etc/s0"
    assert len(play.world["a"].did("reload *")) == 1


async def test_what_needs_a_daemon_waits_for_its_reload(play: Play) -> None:
    stack = WEB + "thing2: {}"
    stack = WEB.replace("daemon:", "  after: {hosts: a, text: v1, needs: [daemon.web]}\ndaemon:")
    await play.make(stack)
    seen: list[str | None] = []

    def look(_machine: Machine) -> None:
        seen.append(play.loaded("web", "/etc/web.conf"))

    play.world["a"].on("write /things/after", look)
    await play.make(stack.replace("v1", "v2"))
    assert seen == ["v2"]


async def test_a_reload_that_was_pending_is_still_pending_after_a_run_that_failed(play: Play) -> None:
    machine = play.world["a"]
    await play.make(WEB)
    machine.fail("reload web*")
    play.stack(V2)
    await play.apply(on_failure="halt")
    assert play.loaded("web", "/etc/web.conf") == "v1"
    assert await play.actions() == {"daemon.web@a": "update"}

    machine.fail("write /etc/web.conf")
    play.stack(V2.replace("conf, text: v2", "conf, text: v3"))
    failed = await play.apply()
    assert failed.status == "rolled_back", play.story(failed)

    play.stack(V2)
    assert play.loaded("web", "/etc/web.conf") == "v1"
    assert await play.actions() == {"daemon.web@a": "update"}
    await play.make(V2)
    assert play.loaded("web", "/etc/web.conf") == "v2"


MOVES = """
thing:
  conf: {key: /etc/web.conf, text: v1}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


async def test_a_source_that_moved_with_equal_content_is_reloaded_on_the_way_back_too(play: Play) -> None:
    await play.make(MOVES)
    before = play.world.snapshot()
    await play.make(MOVES.replace("/etc/web.conf", "/etc/web/web.conf"))
    assert play.loaded("web", "/etc/web/web.conf") == "v1"
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before
    assert (await play.rollback(run=3)).ok
    assert play.loaded("web", "/etc/web/web.conf") == "v1"
    assert await play.actions() == {}
