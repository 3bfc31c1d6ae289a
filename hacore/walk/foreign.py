"""Tokens that others own or share: what a task must leave to their owners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from ..address import Address
from ..contract import Claim

__all__ = ["Foreign", "Owned", "Together"]

EVERYWHERE = None
"""The place of what has no host of its own: it meets whatever is claimed on any host."""


@dataclass(frozen=True, slots=True)
class Foreign(Set[str]):
    """Tokens that others own: all owners of each token, less one's own claims. Costs nothing until it is read."""

    owners: Mapping[str, int]
    own: Set[str]

    def __contains__(self, token: object) -> bool:
        return self.owners.get(token, 0) > (token in self.own)  # type: ignore[call-overload,no-any-return]

    def __iter__(self) -> Iterator[str]:
        return (token for token in self.owners if token in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Together(Set[str]):
    """Two sets of tokens as one; the second one is made when it is read."""

    first: Set[str]
    second: Callable[[], Set[str]]

    def __contains__(self, token: object) -> bool:
        return token in self.first or token in self.second()

    def __iter__(self) -> Iterator[str]:
        yield from self.first
        yield from (token for token in self.second() if token not in self.first)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(slots=True)
class Owned:
    """The tokens that wanted instances own or share. `hosts`: of each instance."""

    claims: Mapping[Address, Sequence[Claim]]
    hosts: Mapping[Address, Sequence[str]]
    _owners: dict[str | None, Counter[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for address in self.claims:
            for place in (*self.hosts[address], EVERYWHERE):
                self._owners.setdefault(place, Counter()).update(self._tokens(address))

    def by_others(self, address: Address) -> Set[str]:
        """Tokens on the host of `address` (of one that has none: on any host) that others own or share."""
        return Foreign(self._owners.get(address.host, Counter()), self._tokens(address))

    def _tokens(self, address: Address) -> frozenset[str]:
        return frozenset(claim.token for claim in self.claims.get(address, ()) if claim.mode != "use")
