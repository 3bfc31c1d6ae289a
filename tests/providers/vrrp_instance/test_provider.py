from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Change, Claim, Facts, Image, Network, Output, Trigger, Work
from hacore.model import Action, Host
from hacore_providers.facts.addresses import InterfaceAddress
from hacore_providers.facts.keepalived import HEADER, ConfigFile
from hacore_providers.vrrp_instance.config_text import render
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import Unicast, VrrpInstanceSpec
from hacore_providers.vrrp_instance.steps import read_image
from tests.providers.vrrp_instance.specs import HOSTS, address, pair, spec, view

CONF = "/etc/keepalived/keepalived.conf"


@dataclasses.dataclass(frozen=True)
class Files:
    """As much of StackFiles as this kind uses."""

    name: str = "VI_1"
    sensitive: bool = False
    sensitive_fields: tuple[str, ...] = ()
    host: Host = HOSTS["lb1"]
    members: tuple[Host, ...] = ()


def resolved(one: VrrpInstanceSpec, files: Files = Files()) -> VrrpInstanceSpec:
    return PROVIDER.resolve(one, files)  # type: ignore[arg-type]


def facts(text: str, *held: str, mode: str = "0600", drained: bool = False) -> Facts:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    instances = tuple(line.split()[1] for line in text.splitlines() if line.startswith("vrrp_instance "))
    return Facts(
        answers={
            ("keepalived.config", CONF): ConfigFile(
                sha256, mode, "root:root", instances, text=text, managed=text.startswith(HEADER)
            ),
            ("keepalived.version", "/usr/sbin/keepalived"): "2.2.7",
            ("keepalived.drain", "/run/hacore-drain.VI_1"): drained,
            ("addresses", ""): tuple(InterfaceAddress("eth1", a, 32) for a in ("192.168.1.166", *held)),
        }
    )


def change(one: VrrpInstanceSpec, action: Action = Action.UPDATE) -> Change[Any]:
    return Change(address(one.name), action, one)


def test_the_name_is_the_resources_in_keepalived_s_letters() -> None:
    assert resolved(spec(name=""), Files('VI["a b"]')).name == "VI_a_b"
    assert resolved(spec(name="OTHER"), Files("VI_1")).name == "OTHER"


def test_unicast_is_sent_from_the_member_s_address_to_the_others() -> None:
    one = resolved(spec(unicast=True), Files(members=tuple(HOSTS.values())))

    assert one.unicast_src_ip == "192.168.1.166"
    assert one.peers == ("192.168.1.173",)


def test_peers_that_are_named_may_hold_one_s_own() -> None:
    peers = Unicast(peers=("192.168.1.166", "192.168.1.173"))

    assert resolved(spec(unicast=peers)).peers == ("192.168.1.173",)


def test_claims() -> None:
    one = spec(notify={"master": "/usr/local/bin/up now"})

    assert set(PROVIDER.claims(one)) == {
        Claim(f"path:{CONF}", "share"),
        Claim("config:keepalived", "share"),
        Claim(f"vrrp_instance:{CONF}/VI_1", "own"),
        Claim("vrid:eth1/66", "own"),
        Claim("vip:192.168.1.200", "own"),
        Claim("path:/usr/sbin/keepalived", "use"),
        Claim("pkg:keepalived", "use"),
        Claim("path:/usr/local/src/check_nginx_pid.sh", "use"),
        Claim("path:/usr/local/bin/up", "use"),
    }


def test_what_the_engine_asks_of_it() -> None:
    one = spec(addresses=["192.168.1.200/24", {"address": "192.168.1.201", "dev": "eth2"}], service="keepalived-lan")

    assert PROVIDER.network(one) == Network("eth1", ("192.168.1.200/24", "192.168.1.201"))
    assert PROVIDER.daemon(one) == "keepalived-lan"
    assert PROVIDER.whole


def test_one_id_may_serve_both_address_families() -> None:
    six = PROVIDER.claims(spec(name="VI_6", addresses=["2001:db8::1"], authentication=None))

    assert not {c.token for c in PROVIDER.claims(spec()) if c.mode == "own"} & {c.token for c in six if c.mode == "own"}


def test_its_own_change_reloads_it() -> None:
    assert PROVIDER.triggers(spec(), address()) == (Trigger("vrrp_instance.VI_1@lb1", "reload"),)


def test_as_wanted_is_equal() -> None:
    here = view(spec(), facts(render([(address(), spec())]), "192.168.1.200"))

    observed, desired = PROVIDER.observe(here), PROVIDER.desire(here)

    assert observed is not None
    assert observed.attrs == {**(desired.attrs or {}), "addresses": "192.168.1.200"}
    assert observed.info == {"version": "2.2.7", "holds": ["192.168.1.200"], "drained": False}


@pytest.mark.parametrize(
    ("seen", "attr"),
    [
        (facts(render([(address(), spec(priority=101))])), "config"),
        (facts(render([(address(), spec())]), mode="0644"), "mode"),
    ],
)
def test_what_differs_is_told(seen: Facts, attr: str) -> None:
    here = view(spec(), seen)
    observed, desired = PROVIDER.observe(here), PROVIDER.desire(here)

    assert observed is not None
    assert desired.attrs is not None
    assert [key for key in desired.attrs if desired.attrs[key] != observed.attrs[key]] == [attr]


def test_a_file_without_the_instance_is_no_instance() -> None:
    assert PROVIDER.observe(view(spec(), facts(render([(address("VI_2"), spec(name="VI_2"))])))) is None
    assert PROVIDER.observe(view(spec())) is None


def test_a_file_that_is_not_managed_exists_already_whatever_its_instances_are() -> None:
    observed = PROVIDER.observe(view(spec(), facts("vrrp_instance OLD {\n}\n")))
    assert observed is not None
    assert observed.attrs["config"] != PROVIDER.desire(view(spec())).attrs["config"]  # type: ignore[index]


def test_a_secret_is_neither_shown_nor_asked_for_nor_kept_as_a_plain_hash() -> None:
    secret = resolved(spec(), Files(sensitive=True))
    here = view(secret, facts(render([(address(), secret)]) + "\n"))
    observed, desired = PROVIDER.observe(here), PROVIDER.desire(here)

    assert [ask.secret for ask in PROVIDER.facts(secret)] == [True] + [False] * 9
    assert desired.sensitive == {"config"}
    assert observed is not None
    assert not observed.texts
    assert not desired.texts


def test_a_secret_of_one_instance_covers_the_other_in_the_same_file() -> None:
    secret = spec(name="VI_2", sensitive=True)
    here = view(spec(), facts(""), (address("VI_2"), secret))

    assert PROVIDER.desire(here).sensitive == {"config"}
    assert not PROVIDER.desire(here).texts


def test_hunks_do_not_show_a_password_even_if_it_is_no_secret() -> None:
    texts = PROVIDER.desire(view(spec(authentication={"password": "plain1"}))).texts

    assert "plain1" not in texts["config"]
    assert "virtual_router_id 66" in texts["config"]


def test_the_guard_needs_a_peer() -> None:
    assert PROVIDER.guard(view(spec())) is None


def test_the_guard_is_clear_when_no_address_is_here() -> None:
    one, two = pair().values()
    here = dataclasses.replace(view(one), members={"lb1": (one, Facts()), "lb2": (two, Facts())})
    guard = PROVIDER.guard(here)

    assert guard is not None
    assert guard.group == "vrrp_instance.VI_1"
    assert guard.clear(dataclasses.replace(here, facts=facts("")))
    assert not guard.clear(dataclasses.replace(here, facts=facts("", "192.168.1.200")))
    assert not guard.clear(dataclasses.replace(here, facts=Facts())), "a host that says nothing may hold it"


def test_a_mixed_task_writes_what_remains() -> None:
    one, gone = spec(), spec(name="VI_2", virtual_router_id=67)
    work = Work((change(one), change(gone, Action.DELETE)), wanted=((address(), one),))

    install, forget = PROVIDER.apply(work)

    assert install.blobs["keepalived.conf"].decode() == render([(address(), one)])
    assert "hacore-drain.VI_2" in forget.script


def test_deleting_the_last_one_goes_back_to_the_oldest_origin() -> None:
    one, two = spec(), spec(name="VI_2")
    data = {"config": CONF, "type": "file", "mode": "644", "uid": "0", "gid": "0", "missing": []}
    old, new = Image(data, {"content": b"old"}, run=1), Image(data, {"content": b"new"}, run=2)
    deletes = (change(two, Action.DELETE), change(one, Action.DELETE))
    work = Work(deletes, images={address("VI_2"): new, address(): old})

    assert PROVIDER.delete(work)[0].blobs == {"content": b"old"}


def test_a_file_of_our_own_is_no_origin() -> None:
    data = {"config": CONF, "type": "file", "mode": "600", "uid": "0", "gid": "0", "missing": []}
    image = Image(data, {"content": HEADER.encode() + b"\n"}, run=2)

    restore = PROVIDER.delete(Work((change(spec(), Action.DELETE),), images={address(): image}))[0]

    assert "case absent in" in restore.script


def test_one_image_serves_all_instances_of_a_file() -> None:
    one, two = spec(), spec(name="VI_2")
    step = PROVIDER.capture(Work((change(one), change(two))))
    assert step.parse is not None

    images = step.parse(Output(0, b"missing \nfile 644 0 0\nb2xk"))

    assert set(images) == {address(), address("VI_2")}
    assert {image.blobs["content"] for image in images.values()} == {b"old"}
    assert all(image.sensitive for image in images.values())


def test_an_image_knows_which_folders_were_missing() -> None:
    image = read_image(CONF, Output(0, b"missing /etc/keepalived \nabsent\n"))

    assert image.data == {"config": CONF, "type": "absent", "missing": ["/etc/keepalived"]}


def test_the_schema_of_a_spec_is_closed(tmp_path: Path) -> None:
    again = VrrpInstanceSpec.model_validate(spec().model_dump(mode="json"))

    assert again == spec()


@pytest.mark.parametrize(("interval", "patience"), [(1, 30.0), (5, 30.0), (10, 50.0), (40, 170.0)])
def test_a_drain_is_waited_for_longer_than_the_peer_waits_for_adverts(interval: float, patience: float) -> None:
    """Three intervals and the skew time of RFC 5798, 6.1; keepalived may take as long again."""
    one, two = pair(advert_interval=interval).values()
    here = dataclasses.replace(view(one), members={"lb1": (one, Facts()), "lb2": (two, Facts())})
    guard = PROVIDER.guard(here)
    assert guard is not None
    assert guard.patience == patience


def test_a_task_of_deletes_restores_what_it_would_delete_alone() -> None:
    """Apply of it is its delete; with a desired instance left the file is written."""
    one, two = spec(), spec(name="VI_2", virtual_router_id=67)
    data = {"config": CONF, "type": "file", "mode": "644", "uid": "0", "gid": "0", "missing": []}
    images = {address(): Image(data, {"content": b"old"}, run=1)}
    work = Work((change(one, Action.DELETE),), images=images)
    assert PROVIDER.apply(work) == PROVIDER.delete(work)
    left = dataclasses.replace(work, wanted=((address("VI_2"), two),))
    assert PROVIDER.apply(left)[0].blobs["keepalived.conf"].decode() == render([(address("VI_2"), two)])
    assert PROVIDER.delete(left)[0].blobs == PROVIDER.apply(left)[0].blobs


def test_a_task_without_the_desired_instances_writes_its_own() -> None:
    """Where the whole file is not known, no instance that is deleted is written."""
    one, two = spec(), spec(name="VI_2", virtual_router_id=67)
    (install, _) = PROVIDER.apply(Work((change(one, Action.CREATE), change(two, Action.DELETE))))
    assert install.blobs["keepalived.conf"].decode() == render([(address(), one)])


def test_an_undo_forgets_the_drains_of_what_it_created() -> None:
    data = {"config": CONF, "type": "file", "mode": "644", "uid": "0", "gid": "0", "missing": []}
    images = {address(): Image(data, {"content": b"old"}, run=1)}
    (restore,) = PROVIDER.undo(Work((change(spec()),), images=images))
    assert restore.blobs == {"content": b"old"}
    _, forget = PROVIDER.undo(Work((change(spec(), Action.CREATE),), images=images))
    assert "hacore-drain.VI_1" in forget.script
    assert PROVIDER.undo(Work((change(spec()),))) == ()


def test_the_image_of_one_instance() -> None:
    step = PROVIDER.capture(Work((change(spec()),)))
    assert step.parse is not None
    assert list(step.parse(Output(0, b"missing \nabsent\n"))) == [address()]


def test_where_only_the_password_is_sensitive_the_rest_of_the_file_is_shown() -> None:
    one = resolved(spec(authentication={"password": "hunter2"}), Files("VI_1", True, ("authentication.password",)))
    before = render([(address(), one.model_copy(update={"virtual_router_id": 67}))])
    here = view(one, facts(before))
    desired = PROVIDER.desire(here)
    assert desired.sensitive == desired.masked == {"config"}
    assert "auth_pass (hidden)" in desired.texts["config"]
    assert "hunter2" not in str(desired.texts)
    assert not PROVIDER.facts(one)[0].secret
    other = resolved(spec(), Files("VI_1", True, ("authentication.password", "notify.master")))
    assert not PROVIDER.desire(view(other, facts(before))).texts
    assert PROVIDER.facts(other)[0].secret
