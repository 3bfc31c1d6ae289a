from __future__ import annotations

from pathlib import Path

import pytest

from hacore_providers.vrrp_instance.config_text import ContradictionError, masked, merged_globals, render
from hacore_providers.vrrp_instance.spec import Unicast
from tests.providers.vrrp_instance.specs import CHECK, address, pair, spec

GOLDEN = Path(__file__).parent / "golden"

RICH = spec(
    name="EXT",
    state=None,
    version=3,
    advert_interval=0.25,
    authentication=None,
    priority=254,
    virtual_router_id=7,
    preempt_delay=2.5,
    unicast=Unicast(peers=("10.0.0.1", "10.0.0.2")),
    unicast_src_ip="10.0.0.1",
    addresses=["10.0.0.200/24", {"address": "10.0.0.201", "dev": "eth2", "label": "eth2:vip", "scope": "link"}],
    track_scripts={"check": {"script": "/bin/check --port 80", "timeout": 3, "rise": 2, "fall": 3, "user": "nobody"}},
    track_files={"gate": {"file": "/run/gate", "weight": -10, "init_file": 0}},
    track_processes={"nginx": {"process": "nginx", "quorum": 1, "delay": 0.5}},
    track_interfaces={"eth9": {"weight": -5}},
    notify={"master": "/bin/up now", "any": "/bin/moved"},
    globals={
        "notification_email": ["a@example.org", "b@example.org"],
        "vrrp_garp_master_refresh": 60,
        "enable_dbus": False,
    },
    router_id=None,
    extra="garp_master_delay 1\n\ndont_track_primary",
)


@pytest.mark.parametrize(
    ("name", "companions"),
    [
        ("master", [(address(), pair()["lb1"])]),
        ("backup", [(address(host="lb2"), pair()["lb2"])]),
        ("rich", [(address("EXT"), RICH)]),
        ("nopreempt", [(address(), spec(state="BACKUP", preempt=False, track_scripts={}, authentication=None))]),
        (
            "two",
            [
                (
                    address("VI_2"),
                    spec(name="VI_2", virtual_router_id=67, priority=50, state="BACKUP", addresses=["192.168.1.201"]),
                ),
                (address(), spec()),
            ],
        ),
    ],
)
def test_golden(name: str, companions: list[tuple[object, object]]) -> None:
    """To accept a new form: delete the golden file, run, read it, and commit it."""
    golden = GOLDEN / f"{name}.conf"
    text = render(companions)  # type: ignore[arg-type]
    if not golden.exists():
        golden.write_text(text)
        pytest.fail(f"{golden} was missing: read what is in it now")
    assert text == golden.read_text()


def test_the_members_of_a_pair_differ_only_where_they_must() -> None:
    one, two = (render([(address(host=h), s)]).splitlines() for h, s in pair().items())

    assert [(a.strip(), b.strip()) for a, b in zip(one, two, strict=True) if a != b] == [
        ("router_id nginx_master", "router_id nginx_backup"),
        ("state MASTER", "state BACKUP"),
        ("interface eth1", "interface eth2"),
        ("priority 100", "priority 99"),
    ]


def test_the_order_in_which_instances_come_does_not_matter() -> None:
    both = [(address("A"), spec(name="A")), (address("B"), spec(name="B", virtual_router_id=9))]

    assert render(both) == render(both[::-1])


def test_scripts_of_two_instances_are_written_once() -> None:
    text = render([(address("A"), spec(name="A")), (address("B"), spec(name="B", virtual_router_id=9))])

    assert text.count("vrrp_script chk_http_port {") == 1
    assert text.count("vrrp_instance ") == 2


def test_a_password_that_is_no_plain_word_is_quoted() -> None:
    text = render([(address(), spec(authentication={"password": "a#b!c"}))])

    assert 'auth_pass "a#b!c"\n' in text


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"router_id": "else"}, "is 'nginx_master' in vrrp_instance.A@lb1 and 'else' in vrrp_instance.B@lb1"),
        ({"globals": {"script_user": "nobody"}}, None),
        ({"track_scripts": {"chk_http_port": CHECK | {"interval": 5}}}, "vrrp_script chk_http_port is"),
    ],
)
def test_instances_of_a_host_that_contradict_each_other_are_refused(other: dict[str, object], told: str | None) -> None:
    companions = [(address("A"), spec(name="A")), (address("B"), spec(name="B", **other))]

    if told is None:
        assert merged_globals(companions)["script_user"] == "nobody"
        return
    with pytest.raises(ContradictionError) as error:
        render(companions)
    assert told in str(error.value)


def test_masking_hides_passwords_and_nothing_else() -> None:
    text = render([(address(), spec(authentication={"password": "s3cr3t"}))])

    assert "s3cr3t" not in masked(text)
    assert "        auth_pass (hidden)\n" in masked(text)
    assert masked(text).replace("(hidden)", "s3cr3t") == text


@pytest.mark.parametrize("keyword", ["auth_pass", "key", "password"])
def test_every_keyword_with_a_secret_is_masked(keyword: str) -> None:
    text = f"a {{\n    {keyword} s3cr3t word\n    keyword open\n}}\n"

    assert masked(text) == f"a {{\n    {keyword} (hidden)\n    keyword open\n}}\n"
