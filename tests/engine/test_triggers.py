"""Reloads and restarts: when they are due, when not, and that none is lost."""

from __future__ import annotations

import pytest

from hacore.address import Address
from hacore.errors import StoreError
from hacore.model import is_waiting
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
    assert not any(map(is_waiting, play.row("daemon.web@a").loaded.values()))


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


async def test_a_source_taken_out_is_no_reason_to_reload(play: Play) -> None:
    await play.make(WEB)
    without = """
thing:
  bin: {hosts: a, key: /bin/web, text: v1}
daemon:
  web: {hosts: a, reads: [/etc/web.conf, /bin/web], restart_on: [thing.bin]}
"""
    await play.make(without)
    assert ops(play) == ["start"]
    assert set(play.row("daemon.web@a").loaded) == {"thing.bin@a"}
    assert await play.actions() == {}


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
    assert (str(drifted.address), "not taken in" in drifted.reason) == ("daemon.web@a", True)
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
    assert is_waiting(play.row("daemon.web@a").loaded["thing.conf@a"])
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
