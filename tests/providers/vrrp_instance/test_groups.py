"""Sync groups: how they are written, what drains them, and each wrong group beside its right neighbour."""

from __future__ import annotations

from pathlib import Path

import pytest

from hacore_providers.vrrp_instance.config_text import render
from tests.providers.vrrp_instance.specs import address, spec
from tests.providers.vrrp_instance.test_check_all import wrong

HERE = {"authentication": None, "track_scripts": {}, "sync_group": "front"}
V4 = spec(name="V4", **HERE)
V6 = spec(name="V6", addresses=["2001:db8::200"], version=3, **HERE)


def test_a_group_is_written_with_the_drains_of_all_members() -> None:
    text = render([(address("V6"), V6), (address("V4"), V4)])
    assert (
        "vrrp_sync_group front {\n"
        "    group {\n        V4\n        V6\n    }\n"
        "    track_file {\n        hacore_drain_V4\n        hacore_drained_V4\n"
        "        hacore_drain_V6\n        hacore_drained_V6\n    }\n}\n"
    ) in text
    for name in ("V4", "V6"):
        drain = f"vrrp_track_file hacore_drain_{name} {{\n    file /run/hacore-drain.{name}\n    weight 0\n"
        assert drain in text
        own = text.partition(f"vrrp_instance {name} {{")[2].partition("\n}\n")[0]
        assert "track_file" not in own, "a weight of a member is ignored, so the tracker is that of the group"


def test_an_instance_without_group_keeps_its_own_drain() -> None:
    text = render([(address("V4"), V4), (address("V6"), V6), (address("X"), spec(name="X", addresses=["10.0.0.9"]))])
    own = text.partition("vrrp_instance X {")[2]
    assert "track_file {\n        hacore_drain_X\n        hacore_drained_X\n    }" in own
    assert "weight -253" in text.partition("vrrp_track_file hacore_drain_X {")[2].partition("}")[0]


FOUR = "{members: a, interface: eth1, virtual_router_id: 1, priority: PRIORITY, addresses: [192.168.1.200], MORE}"
PRIORITY = "\"{{ {'lb1': 101}.get(host.name, 100) }}\""
OTHER = "\"{{ {'lb2': 101}.get(host.name, 100) }}\""
THREE = "\"{{ {'lb1': 101, 'lb2': 100}.get(host.name, 99) }}\""


def two(four: str, six: str, *, priority: str = PRIORITY, members: str = "a") -> str:
    v4 = FOUR.replace("PRIORITY", PRIORITY).replace("MORE", four)
    v6 = FOUR.replace("192.168.1.200", "'2001:db8::200'").replace("members: a", f"members: {members}")
    return f"    V4: {v4}\n    V6: {v6.replace('PRIORITY', priority).replace('MORE', six)}\n"


def test_a_dual_stack_pair_is_right(tmp_path: Path) -> None:
    assert wrong(tmp_path, two("sync_group: front", "sync_group: front")) == []


GROUP = "sync_group: front"


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        (two(GROUP, "extra: accept"), "is front, which no other instance on its hosts has: a group needs two"),
        (two(GROUP, "sync_group: back"), "is back, which no other instance on its hosts has"),
        (
            two(GROUP, GROUP, members="[a, b]", priority=THREE),
            "is front on lb1, lb2, lb3, and vrrp_instance.V4 is in it on lb1, lb2",
        ),
        (
            two(f"{GROUP}, preempt: false", GROUP),
            "preempt is true here and false in vrrp_instance.V4, which is in the same sync_group front",
        ),
        (
            two(f"{GROUP}, preempt_delay: 5", GROUP),
            "preempt_delay is 0 here and 5 in vrrp_instance.V4, which is in the same sync_group front",
        ),
        (
            two(GROUP, GROUP, priority=OTHER),
            "priority prefers lb2 (101) before lb1 (100), and vrrp_instance.V4 in the same sync_group front prefers "
            "lb1 (101) before lb2 (100)",
        ),
        (
            two(f"{GROUP}, track_scripts: {{web: {{script: /bin/check, weight: -2}}}}", GROUP),
            "track_scripts.web.weight is -2 in the sync_group front: keepalived ignores weights of its members",
        ),
        (
            two(GROUP, f"{GROUP}, track_files: {{gate: {{file: /run/gate}}}}"),
            "track_files.gate.weight is 1 in the sync_group front",
        ),
        (
            two(GROUP, f"{GROUP}, config: /etc/other.conf"),
            "config is /etc/other.conf, and that of vrrp_instance.V4 in the same sync_group is /etc/keepalived/",
        ),
        (two("sync_group: 'a b'", "sync_group: 'a b'"), "sync_group is 'a b': use letters, digits, _ . -"),
    ],
)
def test_groups_that_cannot_work(tmp_path: Path, instances: str, said: str) -> None:
    found = wrong(tmp_path, instances)
    assert any(said in text for text in found), found


def test_groups_of_one_name_on_other_hosts_are_others(tmp_path: Path) -> None:
    elsewhere = two(GROUP, GROUP).replace("V4:", "B4:").replace("V6:", "B6:").replace("members: a", "members: [b, c]")
    elsewhere = elsewhere.replace("192.168.1.200", "192.168.1.201").replace("2001:db8::200", "2001:db8::201")
    elsewhere = elsewhere.replace("virtual_router_id: 1", "virtual_router_id: 2").replace("'lb1'", "'lb3'")
    assert wrong(tmp_path, two(GROUP, GROUP) + elsewhere) == []
