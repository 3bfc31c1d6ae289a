"""One service's life, the same on systemd and on sysvinit; and everything back as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from hacore.address import Address
from hacore.contract import Ask
from hacore.lab import manifest
from hacore.model import Action
from hacore_providers.facts.systemd import UNIT
from hacore_providers.service.provider import PROVIDER
from hacore_providers.service.spec import ServiceSpec
from tests.providers.play import Player, StepFailedError
from tests.providers.service.inits import Init

pytestmark = pytest.mark.twins

ADDRESS = Address("service", "probe", host="one")


def spec(**fields: object) -> ServiceSpec:
    return ServiceSpec.model_validate({"unit": "probe", **fields})


@pytest.fixture(scope="module", params=["systemd", "sysvinit"])
def system(request: pytest.FixtureRequest, twin_with: Callable[[str], Player]) -> Init:
    return Init(request.param, twin_with({"systemd": "debian"}.get(request.param, request.param)))


@pytest.fixture
def init(system: Init) -> Iterator[Init]:
    """The twin, and the certainty that a test leaves it as it found it."""
    system.host.images = {}
    before = manifest.take(system.host.lab, system.host.twin)
    yield system
    assert manifest.diff(before, manifest.take(system.host.lab, system.host.twin)) == []


@pytest.fixture
def packaged(init: Init) -> Iterator[Init]:
    """The service as a package would bring it: not running, not enabled."""
    init.package()
    yield init
    init.unpack()


def test_a_defined_service_is_created_changed_and_deleted(init: Init) -> None:
    host = init.host
    first = spec(running=True, enabled=True, definition=init.definition(100))
    assert host.plan(PROVIDER, ADDRESS, first)[0] is None
    host.apply(PROVIDER, ADDRESS, first, times=2)
    origin = host.images[ADDRESS]
    started = init.pid()
    host.apply(PROVIDER, ADDRESS, first)  # nothing to do
    assert init.pid() == started != ""

    second = spec(running=True, enabled=True, definition=init.definition(200))
    observed, _ = host.plan(PROVIDER, ADDRESS, second)
    assert observed is not None and observed.texts["definition"] == init.definition(100)
    host.apply(PROVIDER, ADDRESS, second)
    assert init.pid() == started, "a new definition alone must not restart"
    host.run(PROVIDER.trigger(host.work(PROVIDER, ADDRESS, second, Action.UPDATE), "restart"))
    assert "sleep 200" in host.sh(f"tr '\\0' ' ' </proc/{init.pid()}/cmdline")

    host.undo(PROVIDER, ADDRESS, second, times=2)
    host.settled(PROVIDER, ADDRESS, first)
    host.delete(PROVIDER, ADDRESS, second, origin)
    assert host.plan(PROVIDER, ADDRESS, second)[0] is None
    assert init.pid() == ""


def test_undo_of_what_was_only_half_done(init: Init) -> None:
    host = init.host
    wanted = spec(running=True, enabled=True, definition=init.definition())
    work = host.work(PROVIDER, ADDRESS, wanted, Action.CREATE)
    host.images = host.capture(PROVIDER, work)
    host.undo(PROVIDER, ADDRESS, wanted)
    host.run(PROVIDER.apply(work)[:1])
    host.undo(PROVIDER, ADDRESS, wanted, times=2)


def test_drift_by_hand_is_seen_and_put_right_and_back(packaged: Init) -> None:
    host = packaged.host
    on, off = spec(running=True, enabled=True), spec(running=False, enabled=False)
    host.settled(PROVIDER, ADDRESS, off)  # adopted: already in the desired state
    packaged.by_hand("start")
    packaged.by_hand("enable")
    observed, _ = host.plan(PROVIDER, ADDRESS, off)
    assert observed is not None and dict(observed.attrs) == {"running": True, "enabled": True}
    host.settled(PROVIDER, ADDRESS, on)
    before = manifest.take(host.lab, host.twin)
    host.apply(PROVIDER, ADDRESS, off, times=2)
    assert packaged.pid() == ""
    host.undo(PROVIDER, ADDRESS, off, times=2)
    host.settled(PROVIDER, ADDRESS, on)
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    packaged.by_hand("stop")
    packaged.by_hand("disable")


def test_a_reload_reloads_what_runs_and_leaves_alone_what_does_not(packaged: Init) -> None:
    host, wanted = packaged.host, spec(running=True)
    reload = PROVIDER.trigger(host.work(PROVIDER, ADDRESS, wanted, Action.NOOP), "reload")
    assert [step.disrupts for step in reload] == ["reload"]
    assert "is not running" in host.run(reload)[0].text
    host.apply(PROVIDER, ADDRESS, wanted)
    before = packaged.pid()
    host.run(reload)
    assert packaged.pid() == before
    end = time.monotonic() + 10
    while host.rc("test -e /run/probe.hup"):
        assert time.monotonic() < end, "the daemon got no signal"
    host.sh("rm /run/probe.hup")
    host.undo(PROVIDER, ADDRESS, wanted)


def test_what_cannot_run_fails_with_its_last_words(init: Init) -> None:
    host = init.host
    wanted = spec(running=True, definition=init.dying)
    with pytest.raises(StepFailedError, match=r"no such luck(.|\n)*cannot keep probe(\.service)? running") as failure:
        host.apply(PROVIDER, ADDRESS, wanted)
    assert "unbound" not in str(failure.value)
    host.undo(PROVIDER, ADDRESS, wanted)
    with pytest.raises(StepFailedError, match=r"cannot find probe(\.service)?: nothing on this host provides"):
        host.apply(PROVIDER, ADDRESS, spec(running=False))


def test_a_definition_for_another_init_system_is_refused_before_anything_is_touched(init: Init) -> None:
    other = Init("sysvinit" if init.name == "systemd" else "systemd", init.host)
    wanted = spec(running=True, definition=other.definition())
    with pytest.raises(StepFailedError, match=r"cannot define probe by .*: this host runs .*, which needs"):
        init.host.apply(PROVIDER, ADDRESS, wanted)


def test_remove_takes_away_what_was_found(init: Init) -> None:
    wanted = spec(running=True, enabled=True, definition=init.definition())
    init.host.apply(PROVIDER, ADDRESS, wanted)
    init.host.delete(PROVIDER, ADDRESS, wanted, PROVIDER.absent(wanted, "absent"))


SCRIPTS = {
    # name: (the script, what it should be taken for)
    "nostatus": ("case $1 in start) ;; *) echo usage ;; esac", "inactive"),
    "alive": ("# pidfile: /run/alive.pid\ncase $1 in start) ;; *) echo usage; exit 2 ;; esac", "active"),
    "removed": ("[ -x /nowhere ] || exit 0\ncase $1 in status) echo runs ;; esac", "inactive"),
    "died": ("case $1 in status) echo dead; exit 1 ;; esac", "failed"),
    "unsure": ("case $1 in status) exit 4 ;; esac", "unknown"),
}


def test_scripts_that_say_little_are_looked_through(twin_with: Callable[[str], Player]) -> None:
    host = twin_with("sysvinit")
    for name, (text, _) in SCRIPTS.items():
        host.sh(f"printf '#!/bin/sh\\n%b\\n' '{text}' >/etc/init.d/{name}; chmod 755 /etc/init.d/{name}")
    host.sh("echo $$ >/run/alive.pid; echo 999999 >/run/nostatus.pid; pgrep -o sshd >/run/alive.pid")
    names = [*SCRIPTS, "none", "ssh"]
    facts = host.facts([Ask(UNIT, f"{name}.service") for name in names])
    host.sh(f"cd /etc/init.d; rm {' '.join(SCRIPTS)} /run/alive.pid /run/nostatus.pid")
    found = {name: facts.get(UNIT, f"{name}.service") for name in names}
    assert {name: state.active for name, state in found.items() if state} == {
        **{name: active for name, (_, active) in SCRIPTS.items()},
        "none": "inactive",
        "ssh": "active",
    }
    assert [name for name, state in found.items() if state and not state.found] == ["none"]
    assert [name for name, state in found.items() if state and state.file_state == "enabled"] == ["ssh"]
