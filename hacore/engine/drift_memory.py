"""Drift that was reported already, so that a cron job reports only what is new.

A file of the user who checks, not of the state, to which drift writes nothing. It has digests, no values.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..disk import replace_file
from ..errors import HacoreError
from ..model import digest
from ..plan import Drift
from ..store.legacy import reported_reason
from ..xdg import state_folder
from .results import DriftReport

_VERSION = 1
_SILENT = "host "  # before the name of a host that did not answer
_NEW = "machine "  # before the name of a host of which the machine was replaced
_OUTAGE = "address "  # before an address that nobody or several hosts hold
_STRANGE = "stranger "  # before the name of a host that another state manages


@dataclass(frozen=True, slots=True)
class ReportedDrift:
    """What the last check reported: address or host to a digest of the difference. `at` is Unix time, 0: never."""

    seen: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)  # address -> host
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class NewDrift:
    """A report without what was reported before, which `known` counts. `fresh`: something is new."""

    report: DriftReport
    known: int
    since: float
    fresh: bool


def place(environ: Mapping[str, str], lineage: str) -> Path:
    """The file for a state, by the XDG base directory specification."""
    return state_folder(environ) / "drift" / f"{lineage}.json"


def read(path: Path) -> ReportedDrift:
    """What was reported; nothing when there is no such file or it is unreadable: then all is new."""
    try:
        data = json.loads(path.read_text())
        if data["format_version"] != _VERSION:
            return ReportedDrift()
        return ReportedDrift(dict(data["seen"]), dict(data["hosts"]), float(data["at"]))
    except (OSError, ValueError, TypeError, KeyError):
        return ReportedDrift()


def news(report: DriftReport, before: ReportedDrift) -> NewDrift:
    """The new part of a report."""
    now = _entries(report)
    fresh = {key for key, value in now.items() if before.seen.get(key) != value}
    found = tuple(d for d in report.drift if str(d.address) in fresh)
    owner = replace(
        report.ownership,
        new_machines=tuple(m for m in report.ownership.new_machines if f"{_NEW}{m.host}" in fresh),
        foreign_hosts=tuple(s for s in report.ownership.foreign_hosts if f"{_STRANGE}{s.host}" in fresh),
    )
    addresses = tuple(a for a in report.addresses if a not in report.outages or f"{_OUTAGE}{a.address}" in fresh)
    known = len(report.drift) - len(found) + len(report.addresses) - len(addresses)
    return NewDrift(replace(report, drift=found, ownership=owner, addresses=addresses), known, before.at, bool(fresh))


def write(path: Path, report: DriftReport, before: ReportedDrift) -> None:
    """Remember a report; entries of hosts that did not answer are kept. Raises HacoreError."""
    kept = {key: value for key, value in before.seen.items() if before.hosts.get(key) in report.unreachable}
    seen = {**kept, **_entries(report)}
    hosts = {key: before.hosts[key] for key in kept}
    hosts |= {str(d.address): d.host for d in report.drift if d.host is not None}
    data = {"format_version": _VERSION, "stack": report.stack, "at": time.time(), "seen": seen, "hosts": hosts}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, json.dumps(data, sort_keys=True).encode())
    except OSError as error:
        raise HacoreError(f"cannot record the reported drift in {path}: {error.strerror}") from error


def _entries(report: DriftReport) -> dict[str, str]:
    found = {str(drift.address): _digest(drift) for drift in report.drift}
    found |= {f"{_SILENT}{host}": "silent" for host in report.unreachable}
    found |= {f"{_OUTAGE}{one.address}": digest([one.verdict, list(one.holders)]) for one in report.outages}
    found |= {f"{_NEW}{m.host}": digest([m.recorded, m.found]) for m in report.ownership.new_machines}
    return found | {f"{_STRANGE}{s.host}": digest([s.why, s.marker.lineage]) for s in report.ownership.foreign_hosts}


def _digest(drift: Drift) -> str:
    """The digest of a difference; a sensitive value is an HMAC already."""
    reason = reported_reason(gone=drift.gone, again=drift.again, pending=drift.pending)
    return digest([reason, [[a.path, a.before, a.after] for a in drift.attrs]])


__all__ = ["NewDrift", "ReportedDrift", "news", "place", "read", "write"]
