"""Drift as metrics of Prometheus, in a file for node_exporter's textfile collector."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import HacoreError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ...engine import DriftReport


def write_metrics(path: Path, stack: str, report: DriftReport | None, code: int, seconds: float) -> None:
    """Write the file anew, whole or not at all. Without a `report` the check itself failed.

    `seconds`: the duration of the check. Raises HacoreError when the file cannot be written.
    """
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(f"hacore_drift_{name}", text, ["stack"], registry=registry).labels(stack).set(value)

    gauge("exit_code", "0: no drift, 2: drift, 1: not known for all hosts", code)
    gauge("complete", "1 when all hosts were checked", float(report is not None and report.complete))
    gauge("last_look_timestamp_seconds", "Time of the check", time.time())
    gauge("duration_seconds", "Duration of the check", seconds)
    if report is not None:
        gauge("resources", "Resource instances that were compared", report.checked)
        drifted = Gauge("hacore_drift_drifted", "Instances that differ", ["stack", "host"], registry=registry)
        unreachable = Gauge(
            "hacore_drift_unreachable", "1: the host was not checked", ["stack", "host"], registry=registry
        )
        for host in report.hosts:
            drifted.labels(stack, host).set(sum(d.host == host for d in report.drift))
            unreachable.labels(stack, host).set(float(host in report.unreachable))
        drifted.labels(stack, "").set(sum(d.host is None for d in report.drift))
        holders = Gauge("hacore_drift_holders", "Hosts that hold the address", ["stack", "address"], registry=registry)
        for found in report.addresses:
            holders.labels(stack, found.address).set(len(found.holders))
    write_registry(path, registry)


def write_registry(path: Path, registry: CollectorRegistry) -> None:
    """Write the file anew, whole or not at all. Raises HacoreError when it cannot be written."""
    from prometheus_client import write_to_textfile

    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise HacoreError(f"cannot write the metrics to {path}: {error.strerror}") from error
