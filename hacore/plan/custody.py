"""Whose the hosts are, as far as a state can tell: machines that are not the ones recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..address import Address
from ..contract import Facts
from ..model import Row


@dataclass(frozen=True, slots=True)
class NewMachine:
    """A host behind whose address another machine answers than the recorded one; both by machine-id(5)."""

    host: str
    address: str
    recorded: str
    found: str


@dataclass(frozen=True, slots=True)
class Custody:
    """What a state finds out about its hosts before it compares anything.

    `lost`: recorded addresses whose machines are gone. They are planned as if they had never been
    recorded: nothing is deleted for them, and no image of the old machine is brought to the new one.
    """

    new_machines: tuple[NewMachine, ...] = ()
    lost: frozenset[Address] = frozenset()


def new_machines(
    recorded: Mapping[str, str], facts: Mapping[str, Facts], addresses: Mapping[str, str]
) -> list[NewMachine]:
    """The hosts whose machine-id is another one than recorded. A machine that has none is not judged.

    All mappings are by host: recorded machine-ids, answers, network addresses.
    """
    found = []
    for host, answer in sorted(facts.items()):
        before, now = recorded.get(host, ""), answer.host.machine_id
        if before and now and before != now:
            found.append(NewMachine(host, addresses.get(host, ""), before, now))
    return found


def lost_rows(rows: Mapping[Address, Row], machines: list[NewMachine]) -> frozenset[Address]:
    """The rows all of whose hosts are new machines; one that also lives elsewhere stands."""
    new = {machine.host for machine in machines}
    return frozenset(a for a, row in rows.items() if row.hosts and new.issuperset(row.hosts)) if new else frozenset()
