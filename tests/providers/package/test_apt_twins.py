"""apt on a real Debian: installed packages, started daemons, and an exact undo, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from hacore.lab import manifest
from tests.providers.package.families import Family
from tests.providers.package.tasks import Task, names, spec
from tests.providers.play import Player

pytestmark = pytest.mark.twins


def state(player: Player, name: str) -> str:
    """dpkg's status and version, such as `ii 1.0`; empty if dpkg does not know it."""
    return player.sh(f"dpkg-query -W -f '${{db:Status-Abbrev}}${{Version}}' {name} 2>/dev/null || :").strip()


SERVICES = "systemctl list-units --type=service --state=running --no-legend --plain | cut -d ' ' -f 1"


@pytest.mark.parametrize(
    "wanted",
    [["nginx", "keepalived", "curl"], ["gcc", "make", "libpcre3-dev", "zlib1g-dev", "libssl-dev"]],
    ids=lambda wanted: wanted[0],
)
def test_there_and_back(host: Player, wanted: list[str]) -> None:
    task = Task(host, names(*wanted))
    services = host.sh(SERVICES)

    task.capture()
    task.undo()  # a run that stopped before its first effect
    task.apply()
    assert task.as_wanted()
    assert not set(wanted) & Family(host, Path()).auto()
    task.apply()  # resumed
    assert task.as_wanted()
    assert host.rc("test -e /usr/sbin/policy-rc.d") == 1
    assert host.sh(SERVICES) == services
    task.undo()
    task.undo()


def test_a_configuration_file_that_lay_there_before_the_package_outlives_it(host: Player) -> None:
    """Debian takes it for its own: kept at the installation, removed by the purge."""
    host.sh("mkdir /etc/nginx /etc/nginx/conf.d; chmod 0751 /etc/nginx; echo mine >/etc/nginx/nginx.conf")
    host.sh("chmod 0604 /etc/nginx/nginx.conf; chown daemon /etc/nginx/nginx.conf")
    before = manifest.take(host.lab, host.twin)
    task = Task(host, names("nginx"))
    task.go()
    assert host.sh("cat /etc/nginx/nginx.conf") == "mine\n"
    task.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    host.sh("rm -r /etc/nginx")


def test_what_somebody_else_needs_now_stays(host: Player) -> None:
    """jq brings libjq1; since then somebody wants libjq1 for itself."""
    task = Task(host, names("jq"))
    task.go()
    host.sh("apt-get install -y libjq1")
    task.undo()
    assert (state(host, "jq"), state(host, "libjq1")[:2], state(host, "libonig5")[:2]) == ("", "ii", "ii")
    host.sh("apt-get purge -y --auto-remove libjq1")


def test_deletes_take_what_was_brought_and_leave_what_was_found(host: Player) -> None:
    host.sh("apt-get install -y hello")
    found, first, second = (
        Task(host, names("hello")),
        Task(host, names("jq")),
        Task(host, spec("other", names=["jq", "tree"])),
    )
    origins = {**found.go(), **first.go(), **second.go()}

    first.delete(origins, wanted=second.specs)
    assert state(host, "jq")[:2] == "ii"  # the other one wants it too
    second.delete(origins)
    assert (state(host, "tree"), state(host, "jq")[:2]) == ("", "ii")  # jq was there when the second came
    found.delete(origins)
    assert state(host, "hello")[:2] == "ii"
    first.delete(origins)
    assert (state(host, "jq"), state(host, "libjq1"), state(host, "libonig5")) == ("", "", "")
    host.sh("apt-get purge -y hello")
