"""Members that tell each other something change together: never one of them while the other cannot be asked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pytest

from hacore.engine import applying, run
from hacore.errors import PlanError
from hacore.testing import KINDS
from hacore.testing.things import Thing, ThingSpec

from .play import Play

ONE = "talker: {t: {key: /t, mode: '1', text: x}}"


class Talker(Thing):
    """Its members must have the same mode."""

    kind = "talker"

    def agreement(self, spec: ThingSpec) -> Mapping[str, Hashable]:
        return {"mode": spec.mode}


def mode(play: Play, host: str = "a") -> str:
    return str(play.world[host].data["/t"]["mode"])


@pytest.fixture
def play(play: Play) -> Play:
    play.options = {"providers": {**KINDS, "talker": Talker()}}
    return play


async def test_one_member_is_not_changed_alone(play: Play) -> None:
    await play.make(ONE)
    play.world["b"].reachable = False
    play.stack(ONE.replace("'1'", "'2'"))
    why = r"talker.t@a would get another mode than b, which does not answer and keeps what it has"
    with pytest.raises(PlanError, match=why) as caught:
        await play.apply(allow_degraded=True)
    assert "bring the host back first, or remove it from the stack" in str(caught.value)
    assert mode(play) == "1"
    play.world["b"].reachable = True
    assert (await play.apply()).ok
    assert [mode(play, host) for host in "ab"] == ["2", "2"]


async def test_what_members_need_not_agree_about_is_changed(play: Play) -> None:
    await play.make(ONE)
    play.world["b"].reachable = False
    play.stack(ONE.replace("text: x", "text: y"))
    assert (await play.apply(allow_degraded=True)).ok
    assert play.text("/t") == "y"


async def test_a_member_that_the_stack_no_longer_has_is_no_reason(play: Play) -> None:
    await play.make(ONE)
    play.world["b"].reachable = False
    play.stack("talker: {t: {hosts: a, key: /t, mode: '2', text: x}}")
    with pytest.raises(PlanError, match="than b"):  # it is still there, and still recorded
        await play.apply(allow_degraded=True)


async def test_a_new_member_that_nobody_has_yet(play: Play) -> None:
    play.stack(ONE)
    play.world["b"].reachable = False
    assert (await play.apply(allow_degraded=True)).ok


async def test_a_rollback_of_both_members_is_none(play: Play) -> None:
    await play.make(ONE)
    play.world["a"].data["/t"]["text"] = "by hand"
    await play.make(ONE.replace("'1'", "'2'"))
    assert [mode(play, host) for host in "ab"] == ["2", "2"]
    back = await play.rollback(force=True, providers=play.options["providers"])  # both members together
    assert back.ok


async def test_a_rollback_of_one_member_is_refused(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that it undoes brought one member up to the other: an earlier version had changed that one alone."""
    await play.make(ONE)
    play.world["a"].reachable = False
    play.stack(ONE.replace("'1'", "'2'"))
    with monkeypatch.context() as before:
        before.setattr(applying, "check_members", lambda *_: None)
        before.setattr(run, "check_members", lambda *_: None)
        assert (await play.apply(allow_degraded=True)).ok
    play.world["a"].reachable = True
    assert (await play.apply()).ok
    with pytest.raises(PlanError, match=r"cannot roll back: talker.t@a would get another mode than b") as caught:
        await play.rollback(providers=play.options["providers"])
    assert "change the stack and apply it" in str(caught.value)
    assert [mode(play, host) for host in "ab"] == ["2", "2"]


def test_disagreements_are_those_that_a_run_would_make() -> None:
    from hacore.address import Address
    from hacore.engine.agreement import disagreements

    def specs(**texts: str) -> dict[Address, ThingSpec]:
        return {Address("talker", "t", None, host): ThingSpec(key="/t", mode=text) for host, text in texts.items()}

    def found(
        now: dict[Address, ThingSpec], then: dict[Address, ThingSpec]
    ) -> list[tuple[str | None, str | None, str]]:
        return [(one.host, other.host, what) for one, other, what in disagreements(now, then, {"talker": Talker()})]

    assert found(specs(a="1", b="1"), specs(a="2", b="1")) == [("a", "b", "mode")]
    assert found(specs(a="1", b="1"), specs(a="2", b="2")) == []
    assert found(specs(a="2", b="1"), specs(a="3", b="1")) == []  # they disagree already
    assert found(specs(a="2", b="1"), specs(a="1", b="1")) == []
    assert found(specs(b="1"), specs(a="2", b="1")) == [("a", "b", "mode")]  # a new member
    assert found(specs(a="1", b="1", c="1"), specs(a="2", b="1", c="2")) == [("a", "b", "mode"), ("c", "b", "mode")]
