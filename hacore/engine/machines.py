"""Machines that are not the recorded ones: what a command does about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..contract import Facts
from ..journal import Live
from ..model import Host
from ..plan import NewMachine, new_machines
from ..store import HostRecord, RunRecord

_OPTION = "machines"


def replaced(
    recorded: Mapping[str, HostRecord], facts: Mapping[str, Facts], hosts: Mapping[str, Host]
) -> list[NewMachine]:
    """The hosts that are other machines than the state records."""
    return new_machines({n: r.machine_id for n, r in recorded.items()}, facts, _addresses(hosts))


def machines_of(facts: Mapping[str, Facts]) -> dict[str, dict[str, str]]:
    """What a run keeps among its options, so that its images are never brought to other machines."""
    return {_OPTION: {name: answer.host.machine_id for name, answer in sorted(facts.items())}}


def replaced_since(
    run: RunRecord, recorded: Mapping[str, HostRecord], facts: Mapping[str, Facts], hosts: Mapping[str, Host]
) -> list[NewMachine]:
    """The hosts that are other machines than those the run worked on."""
    then = run.options.get(_OPTION) or {n: r.machine_id for n, r in recorded.items()}
    return new_machines(then, facts, _addresses(hosts))


def spare(lives: Iterable[Live], machines: Iterable[NewMachine]) -> None:
    """Let an undo pass over the tasks of machines that are gone: there is nothing left to bring back to."""
    gone = {machine.host for machine in machines}
    for live in lives:
        if live.task.host in gone:
            live.intent = False
            live.image_ids = {}


def _addresses(hosts: Mapping[str, Host]) -> dict[str, str]:
    return {name: host.address for name, host in hosts.items()}
