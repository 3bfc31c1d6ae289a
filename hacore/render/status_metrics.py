"""Status as metrics in the text format of Prometheus, for node_exporter's textfile collector."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..contract import VERDICTS
from .status import moves, status_exit_code

if TYPE_CHECKING:
    from ..engine.status_check import StatusReport


def status_metrics(report: StatusReport) -> str:
    """Holders, verdict and moves of each address; state and drain of each member; hosts that answered."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    stack, now = report.stack, time.time()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"hacore_{name}", text, ["stack", *labels], registry=registry)

    gauge("status_exit_code", "0: healthy, 2: not healthy, 1: not known").labels(stack).set(status_exit_code(report))
    gauge("status_timestamp_seconds", "Time of the check").labels(stack).set(now)
    interrupted = report.unfinished is not None and not report.running
    gauge("interrupted_run", "1: a run was interrupted").labels(stack).set(interrupted)
    reachable = gauge("host_reachable", "1: the host answered all questions", "host")
    for host, status in report.hosts.items():
        reachable.labels(stack, host).set(status.facts is not None and not status.facts.failed)
    holders = gauge("address_holders", "Hosts that hold the address", "address")
    verdict = gauge("address_verdict", "1: this is the verdict on the address", "address", "verdict")
    moved = gauge("address_moves", "Moves outside of runs that the logs of the hosts have", "address")
    state = gauge("member_state", "1: the member is in this state", "address", "host", "state")
    drained = gauge("member_drained", "1: the member is drained", "address", "host")
    since = gauge("member_state_seconds", "Seconds since the last change of state", "address", "host")
    for found in report.addresses:
        holders.labels(stack, found.address).set(len(found.holders))
        for word in VERDICTS:
            verdict.labels(stack, found.address, word).set(word == found.verdict)
        times, known = moves(found)
        if known is not None:
            moved.labels(stack, found.address).set(times)
        for member in found.members:
            state.labels(stack, found.address, member.host, member.state).set(1)
            drained.labels(stack, found.address, member.host).set(member.drained)
            if member.since is not None:
                since.labels(stack, found.address, member.host).set(max(0.0, now - member.since))
    return generate_latest(registry).decode().rstrip("\n")


__all__ = ["status_metrics"]
