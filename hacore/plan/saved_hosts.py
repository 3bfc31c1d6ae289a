"""Hosts, machines, strangers and health of a saved plan, as JSON and back. Each key is written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract import Facts, Health, HostFacts, Verdict
from ..model import JSON
from ..probe import Marker
from ..store import host_from_json, host_to_json
from .ownership import NewMachine, Stranger
from .types import HostStatus


def health_to_json(health: Health) -> dict[str, JSON]:
    """Who serves an address, and its checks."""
    return {
        "address": health.address,
        "holders": list(health.holders),
        "verdicts": [[v.question, v.good, v.words] for v in health.verdicts],
    }


def health_from_json(data: Mapping[str, Any]) -> dict[str, Health]:
    """The health of each address, from `health_to_json` of each."""
    return {
        address: Health(item["address"], tuple(item["holders"]), tuple(Verdict(*v) for v in item["verdicts"]))
        for address, item in data.items()
    }


def machine_to_json(machine: NewMachine) -> dict[str, JSON]:
    """A machine behind an address that is not the recorded one."""
    return {
        "host": machine.host,
        "address": machine.address,
        "recorded": machine.recorded,
        "found": machine.found,
    }


def machine_from_json(data: Mapping[str, Any]) -> NewMachine:
    """The machine from `machine_to_json`."""
    return NewMachine(host=data["host"], address=data["address"], recorded=data["recorded"], found=data["found"])


def stranger_to_json(stranger: Stranger) -> dict[str, JSON]:
    """A host that another state manages."""
    marker = stranger.marker.to_json()
    return {"host": stranger.host, "address": stranger.address, "marker": marker, "why": stranger.why}


def stranger_from_json(data: Mapping[str, Any]) -> Stranger:
    """The host from `stranger_to_json`."""
    return Stranger(data["host"], data["address"], Marker.from_json(data["marker"]), data["why"])


def status_to_json(status: HostStatus) -> dict[str, JSON]:
    """A host as the plan's probe found it."""
    return {
        "host": host_to_json(status.host),
        "facts": None if status.facts is None else _facts(status.facts.host),
        "error": status.error,
        "answered": status.answered,
    }


def _facts(host: HostFacts) -> dict[str, JSON]:
    """Without what differs with every look: boot id and time."""
    return {
        "family": host.family,
        "os": host.os,
        "init": host.init,
        "packager": host.packager,
        "machine_id": host.machine_id,
        "hostname": host.hostname,
        "cpus": host.cpus,
        "arch": host.arch,
        "uid": host.uid,
    }


def status_from_json(data: Mapping[str, Any]) -> HostStatus:
    """The host from `status_to_json`."""
    facts = None if data["facts"] is None else Facts(_read_facts(data["facts"]))
    return HostStatus(host_from_json(data["host"]), facts, data["error"], data.get("answered", False))


def _read_facts(data: Mapping[str, Any]) -> HostFacts:
    return HostFacts(
        family=data["family"],
        os=data["os"],
        init=data["init"],
        packager=data["packager"],
        machine_id=data["machine_id"],
        hostname=data["hostname"],
        cpus=data["cpus"],
        arch=data["arch"],
        uid=data["uid"],
    )
