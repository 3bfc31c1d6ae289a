"""Addresses that a MASTER lost: what the host answers, by programs of recorded output, and what the change does."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Ask, Change, Facts, View, Work
from hacore.model import Action
from hacore_providers.facts.keepalived import ConfigFile
from hacore_providers.facts.keepalived_lost import LOST, lost_arg
from hacore_providers.vrrp_instance import lost
from hacore_providers.vrrp_instance.config_text import render
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import HOSTS, address, pair
from tests.providers.vrrp_instance.test_provider import CONF, facts

ARG = lost_arg("/nowhere/keepalived.conf", "keepalived", "VI_1", -1, ["10.98.0.202", "10.98.0.203"])
ALL = "2: eth1    inet 10.98.0.202/24 scope global eth1\n2: eth1    inet 10.98.0.203/24 scope global secondary eth1\n"
ONE = "2: eth1    inet 10.98.0.203/24 scope global eth1\n2: eth1    inet 110.98.0.202/24 scope global eth1\n"
PAIR = pair(addresses=["10.98.0.202/24", "10.98.0.203/24"])
MASTER, BACKUP = "(VI_1) Entering MASTER STATE", "(VI_1) Entering BACKUP STATE"


def logged(log: str) -> str:
    """The lines as journalctl shows them, one each second from 5000 on."""
    return "".join(f"{at}.5 lb1 Keepalived_vrrp[7]: {text}\n" for at, text in enumerate(log.splitlines(), 5000))


def answer(folder: Path, addresses: str, log: str, arg: str = ARG, *, pid: int | None = None) -> tuple[str, ...] | None:
    """The fact of a host on which these programs answer; its daemon is this process, unless it has ended."""
    programs = {
        "ip": f"cat <<'END'\n{addresses}END",
        "journalctl": f"cat <<'END'\n{logged(log)}END",
        "systemctl": f"echo {os.getpid() if pid is None else pid}",
        "sleep": ":",
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    script = f"export LC_ALL=C HACORE_INIT=systemd\n{LOST.command([Ask(LOST, arg)])}\n"
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True, env=env)
    return LOST.parse(done.stdout).get(arg)


@pytest.mark.parametrize(
    ("addresses", "log", "expected"),
    [
        (ALL, MASTER, None),
        (ONE, MASTER, ("10.98.0.202",)),
        ("1: lo    inet 127.0.0.1/8 scope host lo\n", MASTER, ("10.98.0.202", "10.98.0.203")),
        (ONE, BACKUP, None),
        (ONE, f"{MASTER}\n{BACKUP}", None),
        (ONE, f"{BACKUP}\n{MASTER}\n(VI_1) ip address 10.98.0.201/24 dev eth1, no longer exist", ("10.98.0.202",)),
        (ONE, "VRRP_Instance(VI_1) Transition to MASTER STATE", ("10.98.0.202",)),
        (ONE, "(VI_10) Entering MASTER STATE", None),
        (ONE, "", None),
        ("", MASTER, None),  # no `ip`
    ],
)
def test_what_a_host_lost(tmp_path: Path, addresses: str, log: str, expected: tuple[str, ...] | None) -> None:
    assert answer(tmp_path, addresses, log) == expected


def test_a_daemon_that_has_just_started_or_does_not_run_has_lost_nothing(tmp_path: Path) -> None:
    young = lost_arg("/nowhere/keepalived.conf", "keepalived", "VI_1", 10**9, ["10.98.0.202"])
    assert answer(tmp_path, ONE, MASTER, young) is None
    assert answer(tmp_path, ONE, MASTER, pid=0) is None


@pytest.mark.parametrize(("written", "expected"), [(5001, ("10.98.0.202",)), (5002, None)])
def test_a_file_that_is_not_loaded_yet_decides_nothing(
    tmp_path: Path, written: int, expected: tuple[str, ...] | None
) -> None:
    config = tmp_path / "keepalived.conf"
    config.write_text("")
    os.utime(config, (written, written))
    arg = lost_arg(str(config), "keepalived", "VI_1", -1, ["10.98.0.202"])
    assert answer(tmp_path, ONE, f"{MASTER}\nReload complete", arg) == expected


def seen(
    one: VrrpInstanceSpec,
    *held: str,
    gone: tuple[str, ...] = (),
    servers: tuple[str, ...] = (),
    loaded: VrrpInstanceSpec | None = None,
) -> Facts:
    """A host that runs the instance `loaded`; default: `one`."""
    found = facts(render([(address(), one)]), *held)
    instances = {vip.address: "VI_1" for vip in (loaded or one).vips}
    config = dataclasses.replace(found.answers["keepalived.config", CONF], servers=servers, instance_of=instances)
    answers = {**found.answers, ("keepalived.config", CONF): config}
    if gone:
        answers[LOST.name, lost.question(one)] = gone
    return dataclasses.replace(found, answers=answers)


def view_of(one: VrrpInstanceSpec, here: Facts, peer: tuple[VrrpInstanceSpec, Facts]) -> View[Any]:
    members = {"lb1": (one, here), "lb2": peer}
    return View(address(), one, HOSTS["lb1"], here, members, ((address(), one),))


OTHER = (PAIR["lb2"], facts(""))


def changed(view: View[Any]) -> Change[Any]:
    observed, desired = PROVIDER.observe(view), PROVIDER.desire(view)
    assert observed is not None
    return Change(
        view.address, Action.UPDATE, view.spec, view.host, view.facts, None, observed.attrs, desired.attrs, view
    )


def test_what_is_lost_is_shown_and_healed_by_a_restart() -> None:
    view = view_of(PAIR["lb1"], seen(PAIR["lb1"], gone=("10.98.0.202", "10.98.0.203")), OTHER)
    change, desired = changed(view), PROVIDER.desire(view)
    assert (change.observed or {})["addresses"] == "none"
    assert (change.desired or {})["addresses"] == "10.98.0.202, 10.98.0.203"
    assert desired.effect == (
        "restart keepalived, which is MASTER of VI_1 and has lost 10.98.0.202, 10.98.0.203: a reload does not add an "
        "address again"
    )
    assert desired.disrupts == "restart"
    work = Work((change,))
    assert PROVIDER.apply(work)[-1].disrupts == "restart"
    assert 'systemctl restart "$unit"' in PROVIDER.apply(work)[-1].script
    assert PROVIDER.loads(change)

    healed = PROVIDER.observe(view_of(PAIR["lb1"], seen(PAIR["lb1"], "10.98.0.202", "10.98.0.203"), OTHER))
    assert healed is not None
    assert (change.desired or {}).items() <= healed.attrs.items()


def test_a_member_that_has_its_addresses_is_not_restarted() -> None:
    view = view_of(PAIR["lb1"], seen(PAIR["lb1"], "10.98.0.202"), OTHER)
    change, desired = changed(view), PROVIDER.desire(view)
    assert "addresses" not in (change.desired or {})
    assert (desired.disrupts, desired.effect) == ("none", "reload keepalived")
    assert [step.disrupts for step in PROVIDER.apply(Work((change,)))] == ["none"]
    assert not PROVIDER.loads(change)


def test_an_address_that_another_member_holds_or_may_hold_is_not_lost() -> None:
    here = seen(PAIR["lb1"], gone=("10.98.0.202", "10.98.0.203"))
    there = facts("", "10.98.0.202")
    answers = {
        **there.answers,
        ("addresses", ""): tuple(dataclasses.replace(a, dev="eth2") for a in there.answers["addresses", ""]),
    }
    view = view_of(PAIR["lb1"], here, (PAIR["lb2"], dataclasses.replace(there, answers=answers)))
    assert lost.addresses(view) == ("10.98.0.203",)
    assert lost.addresses(view_of(PAIR["lb1"], here, (PAIR["lb2"], Facts()))) == ()


def test_virtual_servers_that_a_restart_stops_are_named() -> None:
    here = seen(PAIR["lb1"], gone=("10.98.0.202",), servers=("10.98.0.202 80",))
    assert isinstance(here.answers["keepalived.config", CONF], ConfigFile)
    assert PROVIDER.desire(view_of(PAIR["lb1"], here, OTHER)).effect.endswith("its virtual servers stop until then")


def test_an_address_that_the_file_does_not_have_yet_is_not_lost() -> None:
    one = pair(addresses=["10.98.0.209/24"])["lb1"]
    here = seen(one, gone=("10.98.0.209",), loaded=PAIR["lb1"])
    assert PROVIDER.desire(view_of(one, here, OTHER)).disrupts == "none"
