"""A partition as a drill plays it: what may prevent it, and the rules on a real kernel."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Facts, Partition
from hacore_providers.vrrp_instance.provider import PROVIDER
from tests.providers.vrrp_instance.specs import spec, view


def found(own: dict[str, Any] | None = None, other: dict[str, Any] | None = None) -> Partition:
    members = {
        "lb1": (spec(track_scripts=..., **(own or {})), Facts()),
        "lb2": (spec(track_scripts=..., **{"state": "BACKUP", "priority": 99, **(other or {})}), Facts()),
    }
    parts = PROVIDER.fail_over(replace(view(members["lb1"][0]), members=members))
    assert parts is not None and parts.partition is not None
    return parts.partition


def test_the_second_holder_comes_by_its_own_timer_and_one_goes_within_two() -> None:
    cut = found()
    assert cut.double.seconds == pytest.approx(3 + 157 / 256 + 0.5)
    assert cut.single.seconds == pytest.approx(2 * (3 + 157 / 256) + 0.5)
    assert cut.hazards == ()


@pytest.mark.parametrize(
    ("own", "other", "hazards"),
    [
        ({"notify": {"master": "/n"}}, {}, ("/n",)),
        ({}, {"notify": {"backup": "/b"}}, ("/b",)),
        ({"globals": {"vrrp_notify_fifo": "/run/f"}}, {}, ("vrrp_notify_fifo",)),
        ({"extra": "  notify_stop /s"}, {}, ("notify_stop",)),
        ({}, {"raw_before": "lvs_sync_daemon eth0 VI_1"}, ("lvs_sync_daemon",)),
        ({"extra": "# notify\ndown_timer_adverts 5"}, {}, ()),
    ],
)
def test_what_a_second_holder_starts_on_any_member(
    own: dict[str, Any], other: dict[str, Any], hazards: tuple[str, ...]
) -> None:
    assert found(own, other).hazards == hazards


@pytest.mark.machine
@pytest.mark.parametrize("tool", ["nft", "iptables"])
@pytest.mark.parametrize("kind", ["PASS", "AH"])
def test_adverts_are_dropped_and_nothing_of_the_firewall_is_left_changed(tool: str, kind: str, tmp_path: Path) -> None:
    """In a network namespace of the test's own; repeated, as after a connection that was lost."""
    for name in ("sh", "cat", "tr", "grep", "nft", "iptables", "ip6tables"):
        path = shutil.which(name)
        assert path is not None, "install nftables and iptables"
        if name != "nft" or tool == "nft":
            (tmp_path / name).symlink_to(path)
    cut = found({"authentication": {"type": kind, "password": "secret12"}})
    show = "nft list ruleset 2>/dev/null; iptables -S 2>/dev/null; ip6tables -S 2>/dev/null; echo end of rules\n"
    steps = [show, cut.ready.script, cut.isolate.script, show, cut.isolate.script, cut.rejoin.script, show]
    # a PATH of its own: a host without nft; the scripts add the folders of root's programs to it
    parts = [f"(PATH={tmp_path}\n{step.replace(':/usr/sbin:/sbin', '')}) || exit" for step in steps]
    done = subprocess.run(["unshare", "-rn", "sh", "-c", "\n".join(parts)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, during, after = done.stdout.split("end of rules\n")[:3]
    assert after == before
    numbers = ("112", "51") if kind == "AH" else ("112",)
    for number in numbers:
        assert number in during or {"112": "vrrp", "51": "ah"}[number] in during
    assert ("51" in during or " ah" in during) is (kind == "AH")
    assert ("table inet hacore_drill" in during) is (tool == "nft")
