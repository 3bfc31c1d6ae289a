"""The drain of an operator: its files as a real shell writes them, and its effect as keepalived logs it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Ask, Drained, Facts, HostFacts, Step, View
from hacore_providers.facts.addresses import InterfaceAddress
from hacore_providers.facts.keepalived import MAINTENANCE, ConfigFile, drained_from, drained_text
from hacore_providers.facts.keepalived_daemon import DaemonState, LogLine
from hacore_providers.vrrp_instance import maintenance as of
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import spec, view

CONF = "/etc/keepalived/keepalived.conf"
VIP = "192.168.1.200"
NOW = 10_000.0
ORDER = Drained("ann@desk", NOW, None, 'it\'s "new"\nkernel', False)


def facts(*log: str, held: bool = False, drains: bool = True, init: str = "systemd", age: float = 5000.0) -> Facts:
    own = [InterfaceAddress("eth1", "192.168.1.166", 24), *([InterfaceAddress("eth1", VIP, 32)] if held else [])]
    lines = tuple(LogLine(9000.0 + n, f"Keepalived_vrrp[7]: (VI_1) {text}") for n, text in enumerate(log))
    config = ConfigFile("0" * 64, "0600", "root:root", drains=("/var/lib/hacore/drain/VI_1",) if drains else ())
    answers: dict[tuple[str, str], Any] = {
        ("addresses", ""): tuple(own),
        ("keepalived.config", CONF): config,
        ("keepalived.daemon", "keepalived"): DaemonState(age, lines, 100.0),
    }
    return Facts(HostFacts(time=NOW, init=init), answers)


COST = "new connections fail for about %.1f s, until the next member takes over"
LOWERED = "Changing effective priority from 100 to 1"
RAISED = "Changing effective priority from 1 to 100"


def seen(one: VrrpInstanceSpec, given: Facts) -> View[Any]:
    """The first member of a pair; the other one has priority 99."""
    peer = one.model_copy(update={"priority": 99})
    return replace(view(one, given), members={"lb1": (one, given), "lb2": (peer, given)})


def planned(one: VrrpInstanceSpec, given: Facts, order: Drained = ORDER) -> Any:
    return PROVIDER.maintenance(seen(one, given), order, ("nginx",))


@pytest.mark.parametrize(
    ("more", "order", "log", "held", "drained"),
    [
        ({}, ORDER, [LOWERED], False, True),
        ({}, ORDER, [LOWERED], True, False),  # it still holds the address
        ({}, ORDER, [], False, True),  # its log is empty: nothing more can be seen
        ({}, ORDER, ["Entering BACKUP STATE"], False, False),  # it has not noticed
        ({}, ORDER, [LOWERED, RAISED], False, False),
        ({}, Drained(hard=True), [LOWERED], False, False),
        ({}, Drained(hard=True), ["Entering FAULT STATE"], False, True),
        ({"preempt": False, "state": "BACKUP"}, ORDER, ["Entering FAULT STATE"], False, True),
    ],
)
def test_a_drain_is_seen_by_the_address_and_the_log(
    more: dict[str, Any], order: Drained, log: list[str], held: bool, drained: bool
) -> None:
    one = spec(**more)
    assert planned(one, facts(), order).drained(seen(one, facts(*log, held=held))) is drained


def test_it_is_refused_without_a_tracker_and_an_end_without_systemd() -> None:
    assert planned(spec(), facts()).refusal == ""
    assert "has no drain tracker for VI_1 yet: `hacore apply` first" in planned(spec(), facts(drains=False)).refusal
    assert "needs systemd" in planned(spec(), facts(init="sysv"), Drained(until=NOW + 60)).refusal
    assert planned(spec(), facts(init="sysv")).refusal == ""


@pytest.mark.parametrize(
    ("more", "hard", "cost"),
    [
        ({}, False, ""),
        ({}, True, COST % 0.6),
        (
            {"preempt": False, "state": "BACKUP"},
            False,
            COST % 0.6,
        ),
        (
            {"version": 3, "advert_interval": 0.1},
            True,
            COST % 0.1,
        ),
    ],
)
def test_what_a_move_costs(more: dict[str, Any], hard: bool, cost: str) -> None:
    assert planned(spec(**more), facts(), Drained(hard=hard)).cost == cost


def test_whether_the_address_returns() -> None:
    assert planned(spec(), facts()).returns == "its priority is higher (100, not 99) and it preempts"
    assert planned(spec(priority=99), facts()).returns == ""
    assert planned(spec(preempt=False, state="BACKUP"), facts()).returns == ""
    assert PROVIDER.maintenance(view(spec(), facts()), ORDER) is None


class Host:
    """The files of a host in a folder, and a systemctl that writes down what it is told."""

    def __init__(self, top: Path) -> None:
        self.top = top
        for name in ("drain", "units", "bin", "work"):
            (top / name).mkdir()
        (top / "bin/systemctl").write_text(
            f'#!/bin/sh\necho "$*" >>{top}/told\n[ "$1" != is-active ] || ! [ -e {top}/down ]\n'
        )
        (top / "bin/systemctl").chmod(0o755)

    def put(self, text: str) -> str:
        text = text.replace("/var/lib/hacore/drain", f"{self.top}/drain").replace(
            "/etc/systemd/system", f"{self.top}/units"
        )
        return text.replace("export PATH=", f"export PATH={self.top}/bin:")

    def run(self, step: Step) -> subprocess.CompletedProcess[str]:
        for old in (self.top / "work").iterdir():
            old.unlink()
        for name, blob in step.blobs.items():
            (self.top / "work" / name).write_text(self.put(blob.decode()))
        environment = {"PATH": f"{self.top}/bin:{os.environ['PATH']}", "HACORE_WORK": str(self.top / "work")}
        script = "set -eu\n" + self.put(step.script)
        return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)

    def value(self) -> str:
        return (self.top / "drain/VI_1").read_text()

    def files(self) -> list[str]:
        return sorted(p.name for folder in ("drain", "units") for p in (self.top / folder).iterdir())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    (tmp_path / "drain/VI_1").write_text("0\n")
    return made


def test_a_drain_is_written_with_its_order_and_taken_back(host: Host) -> None:
    assert host.run(of.drain(spec(), ORDER)).returncode == 0
    assert host.value() == "1\n"
    assert drained_from((host.top / "drain/VI_1.json").read_text()) == ORDER
    assert host.files() == ["VI_1", "VI_1.json"]
    assert host.run(of.undrain(spec())).returncode == 0
    assert host.value() == "0\n"
    assert host.files() == ["VI_1"]


def test_a_hard_drain_is_two_but_for_a_weight_of_zero(host: Host) -> None:
    host.run(of.drain(spec(), Drained(hard=True)))
    assert host.value() == "2\n"
    host.run(of.drain(spec(preempt=False, state="BACKUP"), Drained(hard=True)))
    assert host.value() == "1\n"


def test_an_end_is_a_timer_that_another_order_replaces(host: Host) -> None:
    host.run(of.drain(spec(), Drained(until=1_795_000_000.0), ["nginx"]))
    timer = (host.top / "units/hacore-undrain-VI_1.timer").read_text()
    assert "OnCalendar=2026-11-18 11:06:40 UTC" in timer and "Persistent=true" in timer
    units = ["hacore-undrain-VI_1.service", "hacore-undrain-VI_1.timer"]
    assert host.files() == ["VI_1", "VI_1.json", "VI_1.undrain", *units]
    host.run(of.drain(spec(), ORDER))
    assert host.files() == ["VI_1", "VI_1.json"]
    assert host.value() == "1\n"


def by_itself(host: Host) -> str:
    done = subprocess.run(["sh", str(host.top / "drain/VI_1.undrain")], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_host_undrains_itself_when_its_units_and_checks_are_good(host: Host) -> None:
    checked = spec(track_scripts={"chk": {"script": f"test ! -e '{host.top}/bad'", "weight": -20}})
    host.run(of.drain(checked, Drained(until=1_795_000_000.0), ["nginx"]))
    (host.top / "down").touch()
    assert by_itself(host) == "VI_1 stays drained: keepalived is not active\n"
    (host.top / "down").unlink()
    (host.top / "bad").touch()
    assert by_itself(host) == "VI_1 stays drained: the check chk fails\n"
    assert host.value() == "1\n"
    (host.top / "bad").unlink()
    assert by_itself(host) == "VI_1 is undrained\n"
    assert host.value() == "0\n"
    assert host.files() == ["VI_1"]
    assert "is-active --quiet nginx" in (host.top / "told").read_text()


def test_without_its_folder_or_through_a_link_nothing_is_drained(host: Host) -> None:
    (host.top / "drain/VI_1").unlink()
    (host.top / "drain/VI_1").symlink_to(host.top / "victim")
    done = host.run(of.drain(spec(), ORDER))
    assert done.returncode == 1
    assert "it is a link" in done.stderr
    assert not (host.top / "victim").exists()
    (host.top / "drain/VI_1").unlink()
    (host.top / "drain").rmdir()
    done = host.run(of.drain(spec(), ORDER))
    assert done.returncode == 1
    assert "run `hacore apply` first" in done.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"since": "x", "until": true, "by": 7}'])
def test_a_record_that_cannot_be_read_is_a_drain_without_an_author(text: str) -> None:
    found = drained_from(text)
    assert (found.since, found.until, found.hard) == (None, None, False)


def test_the_record_is_one_line_and_read_back() -> None:
    text = drained_text(ORDER)
    assert text.count("\n") == 1
    assert drained_from(text) == ORDER
    assert json.loads(text)["by"] == "ann@desk"
    assert MAINTENANCE.parse(f"/x\t{text}".encode()) == {"/x": ORDER}


def test_a_unit_name_has_no_letter_of_a_shell() -> None:
    assert of.timer_name(spec(name="VI_1")) == "hacore-undrain-VI_1"
    assert of.timer_name(spec(name="a b/c")).removeprefix("hacore-undrain-").isalnum()


def test_the_record_is_found_beside_the_file_of_the_tracker(tmp_path: Path) -> None:
    (tmp_path / "VI_1").write_text("1\n")
    (tmp_path / "VI_1.json").write_text(drained_text(ORDER))
    asks = [Ask(MAINTENANCE, str(tmp_path / name)) for name in ("VI_1", "VI_2")]
    said = subprocess.run(["sh", "-c", MAINTENANCE.command(asks)], capture_output=True, check=False)
    assert MAINTENANCE.parse(said.stdout) == {str(tmp_path / "VI_1"): ORDER}
