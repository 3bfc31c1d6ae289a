"""Tasks of package changes on a twin, and what to look at there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hacore.contract import Action, Address, Change, Image, Work
from hacore_providers.package.provider import PROVIDER
from hacore_providers.package.spec import PackageSpec
from tests.providers.play import Player

Specs = dict[Address, PackageSpec]


def spec(label: str = "it", /, **fields: Any) -> Specs:
    """One resource on the twin."""
    return {Address("package", label, host="one"): PackageSpec(**fields)}


def names(*wanted: str) -> Specs:
    """A resource of these names."""
    return spec("-".join(wanted).replace("+", "p"), names=wanted)


@dataclass
class Task:
    """A task of several package changes on the twin, as the walker runs it. `others`: resources that do not change."""

    player: Player
    specs: Specs
    images: dict[Address, Image] = field(default_factory=dict)
    others: Specs = field(default_factory=dict)

    def work(self, action: Action, wanted: Specs, images: dict[Address, Image], foreign: tuple[str, ...]) -> Any:
        asks = [ask for one in self.specs.values() for ask in PROVIDER.facts(one)]
        changes = tuple(Change(address, action, one) for address, one in self.specs.items())
        return Work(changes, images, tuple((wanted | self.others).items()), frozenset(foreign), self.player.facts(asks))

    def capture(self, action: Action = Action.CREATE) -> dict[Address, Image]:
        work = self.work(action, self.specs, {}, ())
        if action is not Action.DELETE:
            self.player.run(PROVIDER.prepare(work))
        step = PROVIDER.capture(work)
        assert step is not None and step.parse is not None
        self.images = dict(step.parse(self.player.run([step])[0]))
        return self.images

    def apply(self, *foreign: str) -> None:
        self.player.run(PROVIDER.apply(self.work(Action.CREATE, self.specs, {}, foreign)))

    def undo(self, *foreign: str) -> None:
        self.player.run(PROVIDER.undo(self.work(Action.CREATE, self.specs, self.images, foreign)))

    def delete(self, origins: dict[Address, Image], wanted: Specs | None = None) -> None:
        self.player.run(PROVIDER.delete(self.work(Action.DELETE, wanted or {}, origins, ())))

    def go(self) -> dict[Address, Image]:
        """Capture and apply; the images."""
        images = self.capture()
        self.apply()
        assert self.as_wanted()
        return images

    def as_wanted(self) -> bool:
        for address, one in self.specs.items():
            observed, desired = self.player.plan(PROVIDER, address, one)
            assert desired.attrs is not None
            if observed is None or {k: observed.attrs.get(k) for k in desired.attrs} != desired.attrs:
                return False
        return True
