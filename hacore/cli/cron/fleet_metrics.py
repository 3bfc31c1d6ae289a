"""The stacks of a fleet as metrics of Prometheus, in a file for node_exporter's textfile collector."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...fleet.values import SHOWN
from .metrics import write_registry


def write_metrics(path: Path, fleet: str, verb: str, results: Sequence[str]) -> None:
    """Write the file anew, whole or not at all. Raises HacoreError when it cannot be written."""
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    stacks = Gauge("hacore_fleet_stacks", "Stacks by result", ["fleet", "verb", "result"], registry=registry)
    found = Counter(results)
    for result in SHOWN:
        stacks.labels(fleet, verb, result).set(found[result])
    last = Gauge("hacore_fleet_last_look_timestamp_seconds", "Time of the check", ["fleet", "verb"], registry=registry)
    last.labels(fleet, verb).set(time.time())
    write_registry(path, registry)
