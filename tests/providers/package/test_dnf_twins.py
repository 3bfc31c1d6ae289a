"""What is dnf's own: versions in part, epochs, its lock, reasons, the names of a family."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import pytest

from hacore.contract import Ask
from hacore.lab import manifest
from hacore_providers.facts.packages import CANDIDATE, PACKAGE, Package
from tests.providers.package.families import Family
from tests.providers.package.tasks import Task, names, spec
from tests.providers.play import StepFailedError

pytestmark = pytest.mark.twins


@pytest.fixture
def family(family_of: Callable[[str], Family]) -> Family:
    return family_of("dnf")


def test_versions_in_part_and_with_epochs(family: Family) -> None:
    host = family.host
    before = manifest.take(host.lab, host.twin)
    task = Task(host, spec(name="demo", version="1.0"))
    task.go()
    for version in ("1.0", "1.0-1", "1:1.0", "1:1.0-1"):
        assert Task(host, spec(name="demo", version=version)).as_wanted()
    for version in ("0:1.0", "1.0-2", "2.0", "1:2.0-1"):
        assert not Task(host, spec(name="demo", version=version)).as_wanted()
    with pytest.raises(StepFailedError, match=r"no repository of this host has version 2:1\.0"):
        Task(host, spec(name="demo", version="2:1.0")).capture()
    asks = [
        Ask(fact, name) for fact in (PACKAGE, CANDIDATE) for name in ("demo", "demo-lib", "demo-foe", "demo-virtual")
    ]
    facts = host.facts(asks)
    assert facts.host.family == "redhat" and facts.host.packager == "rpm"
    assert facts.get(PACKAGE, "demo") == Package("installed", "1:1.0-1")
    assert [facts.get(CANDIDATE, name) for name in ("demo", "demo-lib", "demo-foe")] == ["1:2.0-1", "1.0-1", "1.0-1"]
    assert facts.get(CANDIDATE, "demo-virtual") is None
    new = Task(host, spec(names={"debian": ["nothing-here"], "redhat": ["demo"]}, ensure="latest"))
    new.go()
    assert host.rc("systemctl is-active demo.service") != 0, "an upgrade starts nothing either"
    new.undo()
    task.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []


def test_a_package_that_is_excluded_is_not_called_missing(family: Family) -> None:
    host = family.host
    host.sh("cp -p /etc/dnf/dnf.conf /root/dnf.conf; echo 'exclude=demo*' >>/etc/dnf/dnf.conf")
    try:
        with pytest.raises(StepFailedError, match="cannot install demo: it is excluded by `exclude`"):
            Task(host, spec(name="demo")).capture()
        with pytest.raises(StepFailedError, match="cannot install demo-nothing: no repository of this host has"):
            Task(host, spec(name="demo-nothing")).capture()
    finally:
        host.sh("mv /root/dnf.conf /etc/dnf/dnf.conf")


def test_yum_does_it_where_there_is_no_dnf(family: Family) -> None:
    """As on RHEL 8 and 9, where both names lead to one program; here the other one is taken away."""
    host = family.host
    host.sh("mv /usr/bin/dnf /usr/bin/yum")
    try:
        before = manifest.take(host.lab, host.twin)
        old, new = Task(host, spec(name="demo", version="1.0")), Task(host, spec(name="demo", version="2.0"))
        for task in (old, new):
            task.go()
            assert task.as_wanted()
        for task in (new, old):
            task.undo()
        assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    finally:
        host.sh("mv /usr/bin/yum /usr/bin/dnf")


def test_the_lock_is_waited_for(family: Family) -> None:
    host = family.host
    task = Task(host, names("demo-lib"))
    task.capture()
    hold = (
        "import dnf, time, os\nwith dnf.lock.build_rpmdb_lock('/var/lib/dnf', True):\n"
        "  open('/run/held', 'w').close()\n  end = time.time() + 60\n"
        "  while os.path.exists('/run/held') and time.time() < end: time.sleep(0.1)"
    )
    failures: list[BaseException] = []

    def keep() -> None:
        try:
            host.sh(f'python3 -c "{hold}"')
        except (AssertionError, subprocess.SubprocessError) as error:
            failures.append(error)

    thread = threading.Thread(target=keep)
    thread.start()
    host.sh("until test -e /run/held; do sleep 0.1; done; (sleep 4; rm /run/held) >/dev/null 2>&1 &")
    task.apply()
    thread.join(60)
    assert failures == [] and task.as_wanted()
    task.undo()


def test_a_killed_upgrade_leaves_one_version_when_it_is_taken_up_again(family: Family) -> None:
    """rpm lists both while it works; the younger one was meant."""
    host = family.host
    task = Task(host, spec(name="demo-lib", version="1.0"))
    task.go()
    host.sh(
        "cd /tmp; printf '%s\\n' 'Name: demo-lib' 'Version: 1.1' 'Release: 1' 'Summary: demo' 'License: demo' "
        "'BuildArch: noarch' %description demo %files >d.spec; "
        "rpmbuild --quiet -bb --define '_topdir /tmp/top' d.spec 2>/dev/null; "
        "rpm -i --force top/RPMS/noarch/*.rpm 2>/dev/null; rm -r d.spec top"
    )
    assert host.sh("rpm -q demo-lib | wc -l").strip() == "2"
    facts = host.facts([Ask(PACKAGE, "demo-lib")])
    found = facts.get(PACKAGE, "demo-lib")
    assert found is not None and set(found.versions) == {"1.0-1", "1.1-1"}
    task.apply()
    assert family.version("demo-lib") == "1.0"
    task.undo()
