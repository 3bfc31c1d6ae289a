"""The watchdog of a drill is set over one connection, which is closed, and proven over another one."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from hacore.contract import Host, Output, Step
from hacore.engine.connections import Hosts
from hacore.engine.drilling.play import _armed
from hacore.engine.maintenance_site import MaintenanceSite
from hacore.errors import PlanError
from hacore.events import silent
from hacore.probe import Batch, Frame, HostLink
from hacore.probe.link import Result
from hacore.transport import Transport

HOST = Host(name="lb1", address="192.0.2.1")


class Link:
    """A connection that records the steps that are run over it; the watchdog lives, or does not."""

    def __init__(self, number: int, steps: list[tuple[int, str]], *, alive: bool) -> None:
        self._number, self._steps, self._alive = number, steps, alive

    async def steps(self, batch: Sequence[Frame], token: str) -> Batch:
        (frame,) = batch
        (step,) = frame.steps
        word = "arm" if step.script == "arm" else "prove" if "is-active" in step.script else "disarm"
        self._steps.append((self._number, word))
        failed = word == "prove" and not self._alive
        return Batch({frame.id: Result((Output(1, b"", b"it ended") if failed else Output(0),))})


async def armed(*, alive: bool) -> list[tuple[int, str]]:
    steps: list[tuple[int, str]] = []
    numbers = iter(range(1, 9))

    async def connect(host: Host) -> HostLink:
        return cast("HostLink", Link(next(numbers), steps, alive=alive))

    hosts = Hosts(Transport(), silent, connect)
    hosts.connect({"lb1": HOST})
    await hosts.link("lb1")
    held = cast("Any", SimpleNamespace(token="token"))
    site = MaintenanceSite(cast("Any", None), "drill", cast("Any", None), {}, {"lb1": HOST}, hosts, held)
    try:
        await _armed(site, "lb1", Step("arm"))
    except PlanError as error:
        assert str(error) == "cannot drill lb1: it ended"
        steps.append((0, "refused"))
    finally:
        await hosts.close()
    return steps


async def test_it_is_set_over_a_connection_of_its_own_and_proven_over_another() -> None:
    assert await armed(alive=True) == [(2, "arm"), (1, "prove")]


async def test_without_the_proof_it_is_removed_and_nothing_begins() -> None:
    assert await armed(alive=False) == [(2, "arm"), (1, "prove"), (1, "disarm"), (0, "refused")]
