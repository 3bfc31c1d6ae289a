"""Units on a real systemd: what is written, enabled, started; and everything back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hacore.address import Address
from hacore.contract import Facts, View
from hacore.lab import manifest
from hacore.model import Action, Image
from hacore_providers.service.provider import PROVIDER, ServiceSpec
from tests.providers.play import Player, StepFailedError

pytestmark = pytest.mark.twins

ADDRESS = Address("service", "probe", host="one")
UNIT = """[Unit]
Description=A daemon for tests
[Service]
ExecStart=/bin/sh -c 'trap "echo again" HUP; while :; do sleep {seconds}; done'
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target rare.target
Alias=other-name.service
Also=probe-side.service
"""
SIDE = """[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""


def spec(**fields: object) -> ServiceSpec:
    return ServiceSpec.model_validate({"unit": "probe", **fields})


@pytest.fixture
def host(one: Player) -> Iterator[Player]:
    """The twin, and the certainty that a test leaves it as it found it."""
    one.images = {}
    before = manifest.take(one.lab, one.twin)
    yield one
    assert manifest.diff(before, manifest.take(one.lab, one.twin)) == []


@pytest.fixture
def package(one: Player) -> Iterator[None]:
    """The unit as a package installs it, with another one in its Also=."""
    names = {"probe": UNIT.format(seconds=100), "probe-side": SIDE}
    for name, text in names.items():
        one.sh(f"cat >/lib/systemd/system/{name}.service <<'E'\n{text}E")
    one.sh("systemctl daemon-reload")
    yield
    one.sh("rm /lib/systemd/system/probe*.service; systemctl daemon-reload; systemctl reset-failed")


def pid(host: Player) -> str:
    return host.sh("systemctl show -p MainPID --value probe").strip()


def test_the_ports_of_a_real_socket_are_found(host: Player) -> None:
    """Ubuntu starts its sshd so; `probe` stands for it, on ports that nobody uses."""
    units = {
        "probe.socket": "[Socket]\nListenStream=127.0.0.1:7022\nListenStream=/run/probe.sock\n",
        "probe.service": SIDE,
    }
    for name, text in units.items():
        host.sh(f"cat >/etc/systemd/system/{name} <<'E'\n{text}E")
    host.sh("systemctl daemon-reload; systemctl start probe.socket")
    try:
        found = list(PROVIDER.examine(host.view(PROVIDER, ADDRESS, spec(running=True, enabled=True))))
        assert [str(m) for m in found if m.warning and "probe.socket" in str(m) and "127.0.0.1:7022)" in str(m)]
        assert len(found) == 1
    finally:
        host.sh(
            "systemctl stop probe.socket; rm -f /etc/systemd/system/probe.* /run/probe.sock; systemctl daemon-reload"
        )


def test_a_defined_service_is_created_changed_and_deleted(host: Player) -> None:
    host.sh(f"cat >/lib/systemd/system/probe-side.service <<'E'\n{SIDE}E\nsystemctl daemon-reload")
    first = spec(running=True, enabled=True, definition=UNIT.format(seconds=100))
    assert host.plan(PROVIDER, ADDRESS, first)[0] is None
    host.apply(PROVIDER, ADDRESS, first, times=2)
    origin = host.images[ADDRESS]
    assert host.rc("test -L /etc/systemd/system/rare.target.wants/probe.service") == 0
    assert host.rc("test -L /etc/systemd/system/multi-user.target.wants/probe-side.service") == 0
    started = pid(host)

    second = spec(running=True, enabled=True, definition=UNIT.format(seconds=200))
    observed, desired = host.plan(PROVIDER, ADDRESS, second)
    assert observed is not None
    assert observed.texts["definition"] == UNIT.format(seconds=100)
    assert desired.effect == "write probe.service"
    host.apply(PROVIDER, ADDRESS, second)
    assert pid(host) == started, "a new definition alone must not restart"
    host.run(PROVIDER.trigger(host.work(PROVIDER, ADDRESS, second, Action.UPDATE), "restart"))
    assert pid(host) != started
    assert "sleep 200" in host.sh("systemctl show -p ExecStart probe")
    started = pid(host)
    host.sh("touch -d '1 minute ago' /etc/systemd/system/probe.service")
    work = host.work(PROVIDER, ADDRESS, second, Action.UPDATE)
    host.run(PROVIDER.trigger(replace(work, sources=(ADDRESS,)), "restart"))
    assert pid(host) == started, "it runs by this definition already"
    gone = Address("file", "gone", host="one")
    host.run(PROVIDER.trigger(replace(work, sources=(gone,)), "restart"))
    assert pid(host) != started, "another source pulled it, which the spec no longer names"

    host.undo(PROVIDER, ADDRESS, second, times=2)
    host.settled(PROVIDER, ADDRESS, first)
    before = manifest.take(host.lab, host.twin)
    host.images = host.capture(PROVIDER, host.work(PROVIDER, ADDRESS, second, Action.DELETE))
    host.delete(PROVIDER, ADDRESS, second, origin)
    host.undo(PROVIDER, ADDRESS, second, times=2)  # a run that deleted it is rolled back
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    host.delete(PROVIDER, ADDRESS, second, origin)
    assert host.plan(PROVIDER, ADDRESS, second)[0] is None
    host.sh("rm /lib/systemd/system/probe-side.service; systemctl daemon-reload")


@pytest.mark.usefixtures("host", "package")
def test_links_of_an_administrator_come_back(one: Player) -> None:
    one.sh("systemctl enable --now probe; mkdir -p /etc/systemd/system/mine.wants")
    one.sh("ln -s /lib/systemd/system/probe.service /etc/systemd/system/mine.wants/; systemctl daemon-reload")
    links = "find /etc/systemd/system -type l -printf '%p %l\\n' | sort"
    before = one.sh(links)
    off = spec(running=False, enabled=False)
    one.apply(PROVIDER, ADDRESS, off)
    assert "mine.wants" not in one.sh(links)
    one.undo(PROVIDER, ADDRESS, off, times=2)
    assert one.sh(links) == before
    assert one.rc("systemctl is-active probe") == 0
    one.sh("rm -r /etc/systemd/system/mine.wants; systemctl disable --now probe")


@pytest.mark.usefixtures("host", "package")
def test_a_masked_unit_runs_and_is_masked_again(one: Player) -> None:
    one.sh("systemctl mask probe")
    wanted = spec(running=True)
    observed, _ = one.plan(PROVIDER, ADDRESS, wanted)
    assert observed is not None
    assert dict(observed.attrs) == {"running": False}
    one.apply(PROVIDER, ADDRESS, wanted)
    one.undo(PROVIDER, ADDRESS, wanted, times=2)
    assert one.sh("systemctl is-enabled probe || :").strip() == "masked"
    assert one.rc("systemctl is-active probe") != 0
    one.sh("systemctl unmask probe")


@pytest.mark.usefixtures("host", "package")
def test_an_alias_is_the_unit_it_stands_for(one: Player) -> None:
    one.sh("systemctl enable --now probe")
    alias = spec(unit="other-name", running=True, enabled=True)
    one.settled(PROVIDER, ADDRESS, alias)
    off = spec(unit="other-name", running=False)
    one.apply(PROVIDER, ADDRESS, off)
    assert one.rc("systemctl is-active probe") != 0
    one.undo(PROVIDER, ADDRESS, off)
    one.settled(PROVIDER, ADDRESS, alias)
    with pytest.raises(StepFailedError, match=r"an alias of probe\.service"):
        one.apply(PROVIDER, ADDRESS, spec(unit="other-name", enabled=False))
    one.settled(PROVIDER, ADDRESS, alias)
    one.sh("systemctl disable --now probe")


def test_a_service_that_dies_fails_with_its_last_words(host: Player) -> None:
    dying = "[Service]\nExecStart=/bin/sh -c 'echo no such luck; sleep 0.3; exit 7'\nRestart=always\nRestartSec=50ms\n"
    wanted = spec(running=True, definition=dying)
    with pytest.raises(
        StepFailedError, match=r"no such luck(.|\n)*cannot keep probe\.service running, it ends"
    ) as failure:
        host.apply(PROVIDER, ADDRESS, wanted)
    assert "unbound" not in str(failure.value)
    host.undo(PROVIDER, ADDRESS, wanted)


def test_odd_names_survive(host: Player) -> None:
    odd = ServiceSpec(unit=r"odd\x2dname@a:b", definition="[Service]\nExecStart=/bin/sleep infinity\n", running=True)
    assert host.plan(PROVIDER, ADDRESS, odd)[0] is None
    host.apply(PROVIDER, ADDRESS, odd, times=2)
    host.undo(PROVIDER, ADDRESS, odd, times=2)


def test_the_absent_image_needs_no_host() -> None:
    assert PROVIDER.absent(spec(), "absent") == Image(data=None)
    assert PROVIDER.observe(View(ADDRESS, spec(running=False), None, Facts())) is None
