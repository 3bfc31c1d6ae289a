"""Budgets of a fail-over, from the configuration of the members.

skew         (256 - priority of the taker) / 256 seconds; in version 3 times the interval   RFC 5798, 6.1; RFC 3768
master_down  down_timer_adverts (3) x interval + skew

the holder stops, or enters FAULT: it sends priority 0, and the taker waits for skew only
the holder is lowered by a weight: the taker ignores its adverts for master_down, and it serves meanwhile
a check fails: interval x fall + timeout until keepalived sees it, then one of the two
the former holder returns: rise x interval, the start, preempt_delay, and its own master_down
"""

from __future__ import annotations

from hacore.contract import Budget, FailOver, View

from .members import longest_start, master_down
from .partition import partition
from .spec import VrrpInstanceSpec

MARGIN = 0.5
"""Seconds for the system: the daemon's loop, and the ARP entries of the network."""

BACK = 1.0
"""Seconds for the start of keepalived."""


def fail_over(view: View[VrrpInstanceSpec]) -> FailOver | None:
    """The fail-over from this member; None without a peer."""
    others = {host: spec for host, (spec, _) in view.members.items() if host != view.address.host}
    if view.address.host is None or not others:
        return None
    spec = view.spec
    taker = max(others.values(), key=lambda other: other.priority)
    skew = _skew(taker)
    graceful = Budget(skew + MARGIN, f"skew {skew:.3f} + {MARGIN:g}")
    none = Budget(0.0, "0: the holder serves until the taker is master")
    return FailOver(
        name=spec.name,
        unit=spec.service,
        drain=none if spec.drain_weight else graceful,
        stop=graceful,
        service=_service(spec, taker),
        back=_back(spec, max(other.priority for other in others.values())),
        notify=tuple(spec.notify.scripts().values()),
        partition=partition(view),
    )


def _skew(spec: VrrpInstanceSpec) -> float:
    unit = spec.advert_interval if spec.version == 3 or any(":" in vip.address for vip in spec.vips) else 1.0
    return (256 - min(spec.priority, 254)) / 256 * unit


def _service(spec: VrrpInstanceSpec, taker: VrrpInstanceSpec) -> Budget | None:
    """By the slowest check: which of them watches the service is not known."""
    found: list[Budget] = []
    for name, script in spec.track_scripts.items():
        fall = script.fall or 1
        timeout = script.timeout or script.interval
        seen = script.interval * fall + timeout
        then, word = (master_down(taker), "master_down") if script.weight else (_skew(taker), "skew")
        words = f"{name}: interval {script.interval:g} x fall {fall} + timeout {timeout:g}"
        words += f" + {word} {then:.3f} + {MARGIN:g}"
        found.append(Budget(seen + then + MARGIN, words))
    return max(found, key=lambda budget: budget.seconds, default=None)


def _back(spec: VrrpInstanceSpec, best: int) -> Budget | None:
    if spec.nopreempt or spec.priority <= best:
        return None
    rise = max(((script.rise or 1) * script.interval for script in spec.track_scripts.values()), default=0.0)
    delay, down = spec.preempt_delay or 0.0, master_down(spec)
    start = max(0.0, longest_start(spec) - down - delay - rise - BACK)
    seconds = rise + start + delay + down + BACK
    parts = [f"rise x interval {rise:g}" if rise else "", f"startup delay {start:g}" if start else ""]
    parts += [f"preempt_delay {delay:g}" if delay else "", f"master_down {down:.3f}", f"{BACK:g}"]
    return Budget(seconds, " + ".join(part for part in parts if part))


__all__ = ["fail_over"]
