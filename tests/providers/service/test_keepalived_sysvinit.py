"""Debian's keepalived without systemd: installed, configured, stopped by hand with service(8), and all of it back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hacore.address import Address
from hacore.contract import Change, Work
from hacore.lab import manifest
from hacore.model import Action
from hacore_providers.service.provider import PROVIDER as SERVICE
from hacore_providers.service.spec import ServiceSpec
from hacore_providers.vrrp_instance.provider import PROVIDER as VRRP
from tests.providers.package.tasks import Task, names
from tests.providers.play import Player
from tests.providers.vrrp_instance.specs import address, spec

pytestmark = pytest.mark.twins

SERVED = Address("service", "keepalived", host="one")


def test_keepalived_without_systemd(twin_with: Callable[[str], Player]) -> None:
    host = twin_with("sysvinit")
    before = manifest.take(host.lab, host.twin)
    package = Task(host, names("keepalived"))
    package.go()
    assert host.rc("pgrep keepalived") == 1, "an installation starts nothing"

    first, second = (
        spec(interface="eth0", addresses=["10.77.3.200"], track_scripts={}, priority=priority) for priority in (100, 90)
    )
    change = Change(address("VI_1", "one"), Action.CREATE, first)
    vrrp = Work((change,), wanted=((change.address, first),))
    images = host.capture(VRRP, vrrp)
    host.run(VRRP.apply(vrrp))
    on = ServiceSpec(unit="keepalived", running=True, enabled=True)
    host.apply(SERVICE, SERVED, on)  # Debian enables what it installs

    host.sh("service keepalived stop; while pgrep keepalived; do sleep 0.1; done")
    observed, _ = host.plan(SERVICE, SERVED, on)
    assert observed is not None and dict(observed.attrs) == {"running": False, "enabled": True}
    stopped = dict(host.images)
    host.apply(SERVICE, SERVED, on)
    pid = host.sh("cat /run/keepalived.pid")
    change = Change(address("VI_1", "one"), Action.UPDATE, second)
    host.run(VRRP.apply(Work((change,), wanted=((change.address, second),))))
    host.run(VRRP.trigger(Work((change,)), "reload"))
    host.run(SERVICE.trigger(host.work(SERVICE, SERVED, on, Action.NOOP), "reload"))
    assert host.sh("cat /run/keepalived.pid") == pid, "a reload is no restart"
    host.run(SERVICE.trigger(host.work(SERVICE, SERVED, on, Action.NOOP), "restart"))
    assert host.sh("cat /run/keepalived.pid") != pid

    host.images = stopped
    host.undo(SERVICE, SERVED, on)
    host.run(VRRP.undo(Work((change,), images)))
    package.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
