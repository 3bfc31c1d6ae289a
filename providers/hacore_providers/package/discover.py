"""The packages of a pair that runs, as resources of a new stack."""

from __future__ import annotations

from collections.abc import Iterator

from hacore.contract import Ask, Discover, Discovered, Discovery, Facts, LeftOut

from ..facts.packages import ABSENT, PACKAGE

__all__ = ["DISCOVER"]

_OF: dict[str, tuple[str, ...]] = {
    "keepalived": ("keepalived",),
    "nginx": ("nginx", "nginx-light", "nginx-core", "nginx-full", "nginx-extras"),
    "haproxy": ("haproxy",),
}
"""By a name for `links`: packages, of which the first one that is installed is enough."""


def _find(facts: Facts) -> Discovery:
    """The packages of one host, without versions: which one is installed is up to its updates."""
    return Discovery(tuple(_resources(facts)), tuple(_left(facts)))


def _resources(facts: Facts) -> Iterator[Discovered]:
    for place, names in _OF.items():
        name = next((n for n in names if _state(facts, n) == "installed"), None)
        if name is not None:
            yield Discovered(name, {}, f"package:{place}")


def _left(facts: Facts) -> Iterator[LeftOut]:
    for name in (name for names in _OF.values() for name in names):
        if _state(facts, name) == "broken":
            yield LeftOut(f"package {name}", "it is not installed completely: repair it, then add it")


def _state(facts: Facts, name: str) -> str:
    return (facts.get(PACKAGE, name) or ABSENT).status


DISCOVER = Discover(tuple(Ask(PACKAGE, name) for names in _OF.values() for name in names), _find)
