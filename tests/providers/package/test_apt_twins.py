"""apt on a real Debian: what comes, what starts, and that all of it goes again, byte for byte."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from hacore.contract import Action, Address, Change, Image, Work
from hacore_providers.package import PROVIDER
from hacore_providers.package_spec import PackageSpec
from tests.hosts import manifest
from tests.providers.play import Player

pytestmark = pytest.mark.twins

Specs = dict[Address, PackageSpec]


def spec(name: str = "it", **fields: Any) -> Specs:
    return {Address("package", name, host="one"): PackageSpec(**fields)}


def names(*wanted: str) -> Specs:
    return spec(names=wanted)


@dataclasses.dataclass
class Task:
    """A task of several package changes on the twin, as the walker runs it."""

    player: Player
    specs: Specs
    action: Action = Action.CREATE
    wanted: Specs = dataclasses.field(default_factory=dict)
    images: dict[Address, Image] = dataclasses.field(default_factory=dict)

    def work(self, images: dict[Address, Image] | None = None) -> Work[PackageSpec]:
        asks = [ask for one in self.specs.values() for ask in PROVIDER.facts(one)]
        changes = tuple(Change(address, self.action, one) for address, one in self.specs.items())
        wanted = tuple((self.wanted if self.action is Action.DELETE else self.specs).items())
        return Work(changes, images or self.images, wanted, facts=self.player.facts(asks))

    def capture(self) -> None:
        work = self.work()
        self.player.run(PROVIDER.prepare(work))
        step = PROVIDER.capture(work)
        assert step is not None and step.parse is not None
        self.images = dict(step.parse(self.player.run([step])[0]))

    def apply(self) -> None:
        self.player.run(PROVIDER.apply(self.work()))

    def undo(self) -> None:
        self.player.run(PROVIDER.undo(self.work()))

    def delete(self, origins: dict[Address, Image]) -> None:
        self.action = Action.DELETE
        self.player.run(PROVIDER.delete(self.work(origins)))

    def as_wanted(self) -> bool:
        for address, one in self.specs.items():
            observed, desired = self.player.plan(PROVIDER, address, one)
            assert desired.attrs is not None
            if observed is None or {k: observed.attrs.get(k) for k in desired.attrs} != desired.attrs:
                return False
        return True


def marks(player: Player) -> list[str]:
    return player.sh("apt-mark showauto").split()


def state(player: Player, name: str) -> str:
    return player.sh(f"dpkg-query -W -f '${{db:Status-Abbrev}}${{Version}}' {name} 2>/dev/null || :").strip()


def versions(player: Player, name: str) -> list[str]:
    return player.sh(f"apt-cache madison {name} | awk -F ' *[|] *' '{{print $2}}'").split()


@pytest.fixture
def host(one: Player) -> Iterator[Player]:
    """The twin; whatever a test does to it must be gone at its end, or the next test would not start bare."""
    before = manifest.take(one.lab, one.twin)
    yield one
    left = manifest.diff(before, manifest.take(one.lab, one.twin))
    if left:
        one.lab.reset()
    assert left == []


@pytest.mark.parametrize(
    "wanted",
    [
        ["tree"],
        ["nginx"],
        ["keepalived", "curl"],
        ["gcc", "make", "libpcre3-dev", "zlib1g-dev", "libssl-dev"],
    ],
    ids=lambda wanted: wanted[0],
)
def test_there_and_back(host: Player, wanted: list[str]) -> None:
    task = Task(host, names(*wanted))
    units = host.sh("systemctl list-units --type=service --state=running --no-legend --plain | cut -d' ' -f1")

    task.capture()
    task.undo()  # a run that stopped before its first effect
    task.apply()
    assert task.as_wanted()
    assert not set(wanted) & set(marks(host))
    task.apply()  # resumed
    assert task.as_wanted()
    assert host.rc("test -e /usr/sbin/policy-rc.d") == 1
    assert units == host.sh("systemctl list-units --type=service --state=running --no-legend --plain | cut -d' ' -f1")
    task.undo()
    task.undo()
