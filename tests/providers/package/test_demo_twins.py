"""Packages that misbehave, with apt and with dnf: scripts that make, edit, start, fail and hang."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hacore.contract import Action, Image
from hacore.lab import manifest
from tests.providers.package.families import Family
from tests.providers.package.tasks import Task, names, spec
from tests.providers.play import Player, StepFailedError

pytestmark = pytest.mark.twins


@pytest.fixture(scope="module", params=["apt", "dnf"])
def laid_out(request: pytest.FixtureRequest, family_of: Callable[[str], Family]) -> Family:
    return family_of(request.param)


@pytest.fixture
def family(laid_out: Family) -> Iterator[Family]:
    """A twin; what a test does to it must be gone at its end, byte for byte."""
    before = manifest.take(laid_out.host.lab, laid_out.host.twin)
    yield laid_out
    left = manifest.diff(before, manifest.take(laid_out.host.lab, laid_out.host.twin))
    if left:  # let it spoil no other test
        laid_out.renew()
    assert left == []


@pytest.fixture
def spare(laid_out: Family) -> Iterator[Family]:
    """A twin, for what leaves traces on purpose: bare again afterwards."""
    yield laid_out
    laid_out.renew()


def test_what_maintainer_scripts_make_and_edit_goes_with_them(family: Family) -> None:
    """A user, files in /var/lib and /etc, a line in a registry, a unit enabled: no purge undoes these."""
    host = family.host
    family.forget_lists()  # prepare must read them
    task = Task(host, names("demo"))
    task.go()
    assert host.sh("id -un demo; cat /var/lib/demo/deep/made; tail -n 1 /etc/registry.demo") == "demo\nmade\ndemo\n"
    assert host.rc("systemctl is-active demo.service") != 0
    assert family.auto() >= {"demo-lib"}

    task.apply()
    task.undo()

    assert host.rc("id demo") != 0
    assert host.sh(f"ls /var/lib/hacore/{family.manager}") == ""


def test_what_was_touched_since_is_left(spare: Family) -> None:
    host = spare.host
    task = Task(host, names("demo"))
    task.go()
    host.sh("echo theirs >>/etc/registry.demo; echo theirs >/var/lib/demo/deep/data; echo theirs >/etc/ours")
    task.undo("path:/etc/ours")
    assert host.sh("cat /etc/registry.demo; find /var/lib/demo") == (
        "demo-before\ndemo\ntheirs\n/var/lib/demo\n/var/lib/demo/deep\n/var/lib/demo/deep/data\n"
    )
    assert host.sh("cat /etc/ours") == "theirs\n"


def test_a_failed_installation_is_taken_back(family: Family) -> None:
    host = family.host
    task = Task(host, spec(names=["demo-friend", "demo-broken"]))
    task.capture()
    with pytest.raises(StepFailedError, match="the disk of demo-broken is on fire"):
        task.apply()
    assert family.version("demo-broken") == ""
    assert not task.as_wanted()
    assert host.rc("test -e /usr/sbin/policy-rc.d") == 1
    task.undo()
    task.undo()


def test_a_killed_installation_is_taken_back_or_taken_up_again(family: Family) -> None:
    """Killed with everything that runs for it, with the host's own policy-rc.d set aside."""
    host = family.host
    apt = family.manager == "apt"
    if apt:
        host.sh("printf '#!/bin/sh\\nexit 0\\n' >/usr/sbin/policy-rc.d; chmod 0700 /usr/sbin/policy-rc.d")
    before = manifest.take(host.lab, host.twin)
    task = Task(host, names("demo-slow"))
    task.capture()
    _killed(host, task.apply)
    assert not apt or host.rc("test -e /usr/sbin/policy-rc.d.hacore") == 0
    task.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []

    _killed(host, task.apply)
    host.sh("touch /run/demo-slow.not")
    task.apply()
    assert task.as_wanted()
    host.sh("rm /run/demo-slow.not")
    task.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    host.sh("rm -f /usr/sbin/policy-rc.d")


def _killed(host: Player, apply: Callable[[], None]) -> None:
    """Run a step until the slow package hangs in its script, then kill the script and all above it, up to sshd."""
    host.sh("rm -f /run/demo-slow.pid")
    failures: list[BaseException] = []

    def run() -> None:
        try:
            apply()
        except (AssertionError, subprocess.SubprocessError) as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 120
    while host.rc("test -s /run/demo-slow.pid") != 0:
        assert time.monotonic() < deadline, failures
        time.sleep(0.1)
    host.sh(
        "pid=$(cat /run/demo-slow.pid); all=; while [ $pid -gt 1 ] && [ $(cat /proc/$pid/comm) != sshd ]; do "
        "all=\"$pid $all\"; pid=$(cut -d ' ' -f 4 /proc/$pid/stat); done; kill -9 $all"
    )
    thread.join(timeout=60)
    assert failures


def test_versions_pinned_and_latest_and_back(family: Family) -> None:
    host = family.host
    old = Task(host, spec(name="demo", version="1.0"))
    old.go()
    before = manifest.take(host.lab, host.twin)
    new = Task(host, spec(name="demo", ensure="latest"))
    assert not new.as_wanted()
    new.go()
    assert family.version("demo") == "2.0"
    new.undo()
    assert family.version("demo") == "1.0"
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    old.undo()


def test_presence_alone_changes_no_version(spare: Family) -> None:
    family, host = spare, spare.host
    family.install("demo", version="1.0")
    task = Task(host, spec(names=["demo", "demo-friend"]))
    task.go()
    assert family.version("demo") == "1.0"
    task.undo()
    assert (family.version("demo"), family.version("demo-friend")) == ("1.0", "")


def test_an_old_version_comes_back_from_the_cache_or_is_missed(spare: Family) -> None:
    family, host = spare, spare.host
    old = Task(host, spec(name="demo", version="1.0"))
    old.go()
    new = Task(host, spec(name="demo", version="2.0"))
    new.go()
    family.withdraw("demo", "1.0")
    new.undo()
    assert family.version("demo") == "1.0"
    new.apply()
    family.empty_cache()
    with pytest.raises(
        StepFailedError, match=r"cannot restore demo (1:)?1\.0(-1)?: no repository of this host has this version"
    ):
        new.undo()


def test_removal_and_back(family: Family) -> None:
    host = family.host
    first = Task(host, names("demo"))
    first.go()
    host.sh("echo edited >>/etc/demo/demo.conf")
    before = manifest.take(host.lab, host.twin)
    gone = Task(host, spec("gone", names=["demo"], ensure="absent"))
    gone.go()
    assert family.version("demo") == ""
    assert "edited" in host.sh("cat /etc/demo/demo.conf*")
    gone.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    first.undo()


def test_a_delete_that_is_taken_back(family: Family) -> None:
    host = family.host
    task = Task(host, names("demo"))
    origins = task.go()
    host.sh("echo edited >>/etc/demo/demo.conf")
    before = manifest.take(host.lab, host.twin)
    task.capture(Action.DELETE)
    task.delete(origins)
    assert (family.version("demo"), family.version("demo-lib")) == ("", "")
    task.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    task.delete(origins)


def test_delete_to_nothing(family: Family) -> None:
    """on_delete: remove takes away also what was found."""
    host = family.host
    family.install("demo-friend")
    task = Task(host, names("demo-friend"))
    task.delete(dict.fromkeys(task.specs, Image()))
    assert family.version("demo-friend") == ""
    family.remove("demo-lib")


def test_a_dependency_goes_with_the_last_that_brought_or_needed_it(family: Family) -> None:
    host = family.host
    first, second = Task(host, names("demo-friend")), Task(host, names("demo-user"))
    origins = {**first.go(), **second.go()}
    first.delete(origins)
    assert (family.version("demo-friend"), family.version("demo-lib")) == ("", "1.0")
    second.delete(origins)
    assert (family.version("demo-user"), family.version("demo"), family.version("demo-lib")) == ("", "", "")


def test_what_something_else_depends_on_stays_as_its_dependency(family: Family) -> None:
    host = family.host
    task = Task(host, names("demo-lib"))
    task.go()
    family.install("demo-friend")
    task.undo()
    assert family.version("demo-lib") == "1.0"
    assert "demo-lib" in family.auto()
    family.remove("demo-friend")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"names": ["no-such-package"]}, "cannot install no-such-package: no repository of this host"),
    (
        {"names": ["demo-virtual"]},
        "cannot install demo-virtual: .* for a virtual package, name a package that provides it",
    ),
    ({"name": "demo", "version": "3.0"}, r"cannot install demo: no repository of this host has version 3\.0"),
    ({"names": ["demo-foe"]}, "cannot download demo-foe"),
    ({"names": ["demo-lib"], "ensure": "absent"}, "cannot remove demo-lib: required by demo demo-user"),
    ({"names": {"suse": ["gcc"]}}, "names has suse"),
]


def test_what_cannot_be_done_is_refused_before_anything_changes(family: Family) -> None:
    host = family.host
    task = Task(host, names("demo-user"))
    task.go()
    before = manifest.take(host.lab, host.twin)
    for fields, message in REFUSED:
        with pytest.raises(StepFailedError, match=message):
            Task(host, spec(**fields)).capture()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    task.undo()


def test_a_module_moves_no_pinned_package(family: Family) -> None:
    """It needs demo 2.0, and the stack pins 1.0 in a resource that does not change."""
    host = family.host
    pinned, module = spec("demo", name="demo", version="1.0"), names("demo-mod")
    task = Task(host, pinned)
    task.go()
    before = manifest.take(host.lab, host.twin)
    later = Task(host, module, others=pinned)
    with pytest.raises(StepFailedError, match="cannot download"):
        later.capture()
    assert (family.version("demo"), family.version("demo-mod")) == ("1.0", "")
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    Task(host, names("demo-friend"), others=pinned).go()
    assert (family.version("demo"), family.version("demo-friend")) == ("1.0", "1.0")
    family.remove("demo-friend")
    task.undo()


def test_a_hold_outlives_the_change_that_it_does_not_forbid_and_its_undo(spare: Family) -> None:
    family, host = spare, spare.host
    if family.manager != "apt":
        pytest.skip("dnf has no holds of its own")

    def held() -> str:
        return host.sh("dpkg-query -W -f '${db:Status-Abbrev}${Version}' demo")

    host.sh("apt-get update")
    family.install("demo", version="1.0")
    host.sh("apt-mark hold demo")
    assert held() == "hi 1.0"
    task = Task(host, spec(name="demo", version="2.0"))
    task.go()
    assert held() == "hi 2.0"
    task.undo()
    assert held() == "hi 1.0"


def test_a_hold_of_the_stack_is_set_moves_with_its_version_and_is_undone(spare: Family) -> None:
    family, host = spare, spare.host
    if family.manager != "apt":
        pytest.skip("dnf has no holds of its own")

    def held() -> str:
        return host.sh("dpkg-query -W -f '${db:Status-Abbrev}${Version}' demo 2>/dev/null || :")

    host.sh("apt-get update")
    before = manifest.take(host.lab, host.twin)
    first = Task(host, spec(name="demo", version="1.0", hold=True))
    first.go()
    assert held() == "hi 1.0"
    host.sh("apt-get -y upgrade")
    assert held() == "hi 1.0"
    host.sh("apt-mark unhold demo")
    assert not first.as_wanted()
    again = Task(host, spec(name="demo", version="1.0", hold=True))
    again.go()
    assert held() == "hi 1.0"
    again.undo()
    assert held() == "ii 1.0"
    again.go()
    second = Task(host, spec(name="demo", version="2.0", hold=True))
    second.go()
    assert held() == "hi 2.0"
    second.undo()
    assert held() == "hi 1.0"
    free = Task(host, spec(name="demo", version="1.0", hold=False))
    free.go()
    assert held() == "ii 1.0"
    free.undo()
    assert held() == "hi 1.0"
    first.undo()
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
