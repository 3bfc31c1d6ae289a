"""Two real hosts: the guard moves the address and keeps it away, reloads move nothing, `vip` sees it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Change, Guard, View, Work
from hacore.model import Action
from hacore_providers.vip.provider import PROVIDER as VIP
from hacore_providers.vip.provider import VipSpec
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.play import Player
from tests.providers.vrrp_instance.specs import address, pair

pytestmark = pytest.mark.twins

Players = Mapping[str, Player]
SHARED = "10.77.4.200"
FRONT = VipSpec(instance="VI_1", address=SHARED)


def configure(members: Players, specs: Mapping[str, VrrpInstanceSpec]) -> None:
    """Write both files, then reload both."""
    works = {h: Work((Change(address(host=h), Action.UPDATE, s),)) for h, s in specs.items()}
    for host, work in works.items():
        members[host].run(PROVIDER.apply(work))
    for host, work in works.items():
        members[host].run(PROVIDER.trigger(work, "reload"))


def views(members: Players, specs: Mapping[str, VrrpInstanceSpec]) -> dict[str, View[Any]]:
    facts = {host: members[host].facts(PROVIDER.facts(spec)) for host, spec in specs.items()}
    known = {host: (spec, facts[host]) for host, spec in specs.items()}
    return {h: View(address(host=h), s, None, facts[h], known) for h, s in specs.items()}


def holders(members: Players) -> list[str]:
    facts = {host: (FRONT, player.facts(VIP.facts(FRONT))) for host, player in members.items()}
    observed = VIP.observe(View(Address("vip", "front"), FRONT, None, members=facts))
    return observed.info["held_by"] if observed else []


def until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def guards(members: Players, specs: Mapping[str, VrrpInstanceSpec]) -> dict[str, Guard]:
    found = {host: PROVIDER.guard(view) for host, view in views(members, specs).items()}
    assert all(found.values())
    return {host: guard for host, guard in found.items() if guard is not None}


NO_TRACKERS: dict[str, Any] = {"addresses": [SHARED], "track_scripts": {}}
PREEMPT = pair(**NO_TRACKERS)
STAY = pair({"state": "BACKUP"}, preempt=False, **NO_TRACKERS)


@pytest.fixture(params=["preempt", "stay"])
def specs(members: Players, request: pytest.FixtureRequest) -> dict[str, VrrpInstanceSpec]:
    """Both members run and lb1 holds the address."""
    chosen = PREEMPT if request.param == "preempt" else STAY
    for player in members.values():
        player.sh("systemctl stop keepalived; rm -f /run/hacore-drain.*")
    configure(members, chosen)
    members["lb1"].sh("systemctl start keepalived")
    assert until(lambda: holders(members) == ["lb1"], 20)
    members["lb2"].sh("systemctl start keepalived")
    return chosen


def test_a_drained_member_lets_go_and_stays_drained(members: Players, specs: dict[str, VrrpInstanceSpec]) -> None:
    guard = guards(members, specs)["lb1"]
    lb1 = members["lb1"]
    assert not guard.clear(views(members, specs)["lb1"])

    lb1.run([guard.drain])
    assert until(lambda: guard.clear(views(members, specs)["lb1"]), guard.patience)
    assert until(lambda: holders(members) == ["lb2"], 5)

    for act in ("reload", "restart"):
        lb1.sh(f"systemctl {act} keepalived")
        assert not until(lambda: "lb1" in holders(members), 6), f"a {act} must not bring the address back"
    info = PROVIDER.observe(views(members, specs)["lb1"])
    assert info is not None
    assert info.info["drained"] is True

    lb1.run([guard.undrain])
    preempts = not specs["lb1"].nopreempt
    assert until(lambda: holders(members) == ["lb1"], 15 if preempts else 6) is preempts
    assert until(lambda: holders(members) == (["lb1"] if preempts else ["lb2"]), 5)


def test_a_reload_on_both_moves_nothing(members: Players, specs: dict[str, VrrpInstanceSpec]) -> None:
    since = {
        host: player.sh("journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p'")
        for host, player in members.items()
    }
    changed = {h: s.model_copy(update={"extra": ("garp_master_refresh 60",)}) for h, s in specs.items()}

    configure(members, changed)

    assert holders(members) == ["lb1"]
    for host, player in members.items():
        log = player.sh(f"journalctl -u keepalived -o cat --after-cursor='{since[host].strip()}'")
        assert "Reload complete" in log
        assert "Entering" not in log, f"{host} must not change its state"


def test_two_masters_are_seen(members: Players, specs: dict[str, VrrpInstanceSpec]) -> None:
    """The fault that validation refuses: another password on one side."""
    wrong = specs["lb2"].model_copy(
        update={"authentication": specs["lb2"].authentication.model_copy(update={"password": "2222"})}  # type: ignore[union-attr]
    )
    mistaken = [m.field for _, m in PROVIDER.validate({"lb1": specs["lb1"], "lb2": wrong}, {})]
    assert "authentication" in mistaken

    configure(members, {"lb2": wrong})

    assert until(lambda: holders(members) == ["lb1", "lb2"], 15)


DUAL: dict[str, Any] = {"track_scripts": {}, "sync_group": "front", "authentication": None}
SIX = "fd00:77:4::200"


def test_both_families_of_a_group_are_drained_together(members: Players) -> None:
    """By the file of one member: its weight would be ignored, so the group has the tracker."""
    for player in members.values():
        player.sh("systemctl stop keepalived; rm -f /run/hacore-drain.*")
    four = pair({"state": "BACKUP"}, name="V4", addresses=[SHARED], **DUAL)
    six = pair({"state": "BACKUP"}, name="V6", addresses=[SIX], version=3, **DUAL)
    for host, player in members.items():
        changes = tuple(Change(address(one.name, host=host), Action.UPDATE, one) for one in (four[host], six[host]))
        player.run(PROVIDER.apply(Work(changes)))
        player.sh("systemctl start keepalived")

    def where() -> list[list[str]]:
        facts = {host: player.facts(VIP.facts(FRONT)) for host, player in members.items()}
        both = (VipSpec(instance="V4", address=SHARED), VipSpec(instance="V6", address=SIX))
        found = [
            VIP.observe(View(Address("vip", "x"), v, None, members={h: (v, f) for h, f in facts.items()})) for v in both
        ]
        return [one.info["held_by"] if one else [] for one in found]

    assert until(lambda: where() == [["lb1"], ["lb1"]], 20), where()
    guard = guards(members, four)["lb1"]
    members["lb1"].run([guard.drain])
    assert until(lambda: where() == [["lb2"], ["lb2"]], guard.patience), where()
    members["lb1"].run([guard.undrain])
    assert until(lambda: where() == [["lb1"], ["lb1"]], 20), where()
