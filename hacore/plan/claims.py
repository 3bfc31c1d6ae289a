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


def left_tokens(row: Row, claims: Collection[str], hosts: Collection[str], owners: Owners) -> tuple[str, ...]:
    """The tokens of the row that leave something on the host: neither the new spec nor another address claims them.

    `claims` and `hosts` are the new ones.
    """
    if row.claims == claims:
        return ()
    now = split_claims(claims)
    return tuple(
        token
        for token, mode in split_claims(row.claims).items()
        if mode in token_type(token).leaves and token not in now and not any((host, token) in owners for host in hosts)
    )


def stays(row: Row, claims: Collection[str], left: Collection[str]) -> bool:
    """Whether only a part is left: shared tokens, such as one of several packages, while others stay claimed."""
    before, now = split_claims(row.claims), split_claims(claims)
    return all(before[token] == "share" for token in left) and any(
        mode == "share" and mode in token_type(token).leaves and now.get(token) == mode
        for token, mode in before.items()
    )


def stored_claims(claims: Collection[Claim]) -> tuple[str, ...]:
    """Claims as a row keeps them: `own path:/x`, `share pkg:gcc`; uses are edges, not claims."""
    return tuple(sorted({f"{c.mode} {c.token}" for c in claims if c.mode != "use"}))


def split_claims(stored: Collection[str]) -> Mapping[str, str]:
    """Token to mode."""
    return {token: mode for mode, _, token in (item.partition(" ") for item in stored)}
