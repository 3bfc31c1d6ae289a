"""Apply over hosts in memory: what is promised of a run that goes well."""

from __future__ import annotations

import pytest

from hacore.store.place import Place
from tests.engine.play import Play

WEB = """
thing:
  conf: {key: /etc/web.conf, text: v1}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


async def test_after_an_apply_the_plan_is_empty(play: Play) -> None:
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "done", play.story(result)
    assert result.leftover is None, play.story(result)
    assert play.text("/etc/web.conf", "b") == "v1"
    assert play.loaded("web", "/etc/web.conf") == "v1"
    assert await play.actions() == {}
    assert (await play.apply()).status == "nothing"


async def test_a_change_is_loaded_by_its_daemon(play: Play) -> None:
    await play.make(WEB)
    await play.make(WEB.replace("v1", "v2"))
    assert play.loaded("web", "/etc/web.conf") == "v2"
    assert play.world["a"].did("reload *") == ["reload web /etc/web.conf"]


async def test_a_state_on_a_network_file_system_is_warned_of(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Place, "network_file_system", lambda _place: "nfs4")
    await play.make("thing: {one: {hosts: a, key: /one, text: v1}}")

    (warning,) = [e.message for e in play.events if e.type == "warning"]
    assert "is on a network file system (nfs4)" in warning
