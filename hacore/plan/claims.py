"""The owner of each token on a host."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..address import Address
from ..contract import Claim
from ..contract.claims import token_type
from ..graph import Graph
from ..load.stack import Stack
from ..model import Row

Owners = Mapping[tuple[str, str], Address]  # host and token -> the desired address that claims it


def owners_of(stack: Stack, graph: Graph) -> Owners:
    """The desired address that claims each token on a host."""
    return {
        (host, claim.token): address
        for address, claims in graph.claims.items()
        for claim in claims
        if claim.mode != "use"
        for host in stack.instances[address].hosts
    }


def moved(row: Row, claims: Collection[str], hosts: Collection[str], owners: Owners) -> bool:
    """Whether the row claims a token that the new spec no longer does, nor any other desired address.

    `claims` and `hosts` are the new ones.
    """
    if row.claims == claims:
        return False
    now = split_claims(claims)
    for token, mode in split_claims(row.claims).items():
        if mode in token_type(token).leaves and token not in now and not any((host, token) in owners for host in hosts):
            return True
    return False


def stored_claims(claims: Collection[Claim]) -> tuple[str, ...]:
    """Claims as a row keeps them: `own path:/x`, `share pkg:gcc`; uses are edges, not claims."""
    return tuple(sorted({f"{c.mode} {c.token}" for c in claims if c.mode != "use"}))


def split_claims(stored: Collection[str]) -> Mapping[str, str]:
    """Token to mode."""
    return {token: mode for mode, _, token in (item.partition(" ") for item in stored)}
