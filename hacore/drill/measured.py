"""What a drill measured, and the verdict on it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..contract import Budget

Word = Literal["drain", "stop", "service", "partition", "crash"]
SCENARIOS: tuple[Word, ...] = ("drain", "stop", "service", "partition", "crash")
"""drain: the holder is drained; stop: the daemon of its addresses stops; service: what it serves stops; partition: the
members do not hear each other, so two hold the address, and one of them lets it go again afterwards; crash: the daemon
is killed, so the dead holder keeps the address beside the new one until the daemon starts again."""

DOUBLING: tuple[Word, ...] = ("partition", "crash")
"""The scenarios in which the former holder keeps the address beside the new one."""

VOID = 0.01
"""The share of requests that the prober may not have sent in time, before it has measured nothing."""

TOLERANCE = 1
"""Requests that may be lost beyond a budget: one may begin at its very edge. In a drain, too: a new master sends its
advert before its gratuitous ARP (RFC 5798, 6.4.2), so the former one may remove the address a moment before the network
knows where it is."""


EDGE = 0.1
"""Seconds before the act that a request which it ends may have begun."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `at` and `took` in seconds since the begin of the scenario; `lost`: why, empty if it was served."""

    at: float
    took: float
    lost: str = ""

    @property
    def local(self) -> bool:
        """Whether the prober itself failed."""
        return self.lost == "late" or self.lost.startswith("local:")


@dataclass(frozen=True, slots=True)
class Cut:
    """An open connection that ended before an answer that was due. `at` as of a request.

    `word`: `idle`, of which the requests follow each other, or `busy`, of which one is always on its way.
    """

    at: float
    word: str
    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """Who held the address at a moment, in seconds since the begin of the scenario."""

    at: float
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One scenario. `acted` and `restored`: when it began, and when its cause ended; `settled`: when the address was
    back, or stayed where it went, and the baseline afterwards began. All in seconds.

    `budget`: how long new connections may fail; `back`: when the address may be back, None: it stays where it went.
    `double`: of `DOUBLING`, when a second member may hold it as well; of a partition, `back` is when exactly one may
    hold it again.
    `rate`: requests a second.
    """

    scenario: Word
    address: str
    holder: str
    rate: float
    acted: float
    restored: float
    budget: Budget
    back: Budget | None = None
    requests: tuple[Request, ...] = ()
    looks: tuple[Look, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = field(default=())
    settled: float = math.inf
    double: Budget | None = None
    cuts: tuple[Cut, ...] = ()

    @property
    def lost(self) -> tuple[Request, ...]:
        """The requests that were not served."""
        return tuple(one for one in self.requests if one.lost and not one.local)

    @property
    def slowest(self) -> float:
        """Seconds of the slowest answer."""
        return max((one.took for one in self.requests if not one.lost), default=0.0)

    @property
    def gap(self) -> float:
        """Seconds between the first and the last lost request of the longest outage, with the time of one request."""
        longest = begin = 0.0
        last: float | None = None
        for one in sorted(self.lost, key=lambda request: request.at):
            if last is None or one.at - last > 2.0 / self.rate + 0.2:
                begin = one.at
            last = one.at
            longest = max(longest, last - begin + 1.0 / self.rate)
        return longest

    @property
    def took_over(self) -> float | None:
        """Seconds from the act until another host alone held the address, of `DOUBLING` as well; None: none did."""
        return next((o.at - self.acted for o in self.looks if o.at >= self.acted and self._others(o)), None)

    def _others(self, look: Look) -> bool:
        if self.scenario in DOUBLING:
            return any(host != self.holder for host in look.holders)
        return len(look.holders) == 1 and look.holders[0] != self.holder

    @property
    def returned(self) -> float | None:
        """Seconds from the restore until the former holder alone held the address again; None: it did not.

        Of a partition: until one host alone held it, whichever that is, and no other one came back.
        """
        after = [o for o in self.looks if o.at >= self.restored]
        if self.scenario != "partition":
            return next((o.at - self.restored for o in after if o.holders == (self.holder,)), None)
        single: float | None = None
        for look in after:
            single = None if len(look.holders) != 1 else look.at - self.restored if single is None else single
        return single

    @property
    def doubled(self) -> float:
        """Seconds in which more than one host held the address, by looks in a row."""
        return sum(b.at - a.at for a, b in zip(self.looks, self.looks[1:], strict=False) if len(a.holders) > 1)

    def failures(self) -> Iterator[str]:
        """Why the scenario failed; nothing if it passed."""
        if self.problem:
            yield self.problem
        allowed = math.ceil(self.budget.seconds * self.rate) + TOLERANCE
        inside = [one for one in self.lost if self.acted - EDGE <= one.at < self.settled]
        if len(inside) > allowed:
            yield f"{len(inside)} requests were lost, {allowed} by the budget of {self.budget}"
        if self.took_over is None:
            yield f"no other host took {self.address} over"
        elif self.double is not None and self.took_over > self.double.seconds + 0.5:
            yield f"the second holder came after {self.took_over:.1f} s, by the budget of {self.double}"
        if self.back is not None and (self.returned is None or self.returned > self.back.seconds + 0.5):
            if self.scenario == "partition":
                when = "has no single holder" if self.returned is None else f"had two holders for {self.returned:.1f} s"
            else:
                when = "did not return" if self.returned is None else f"returned after {self.returned:.1f} s"
            yield f"{self.address} {when}, by the budget of {self.back}"
        if self.scenario == "crash" and self.looks and len(self.looks[-1].holders) > 1:
            yield f"{self.address} is held by {' and '.join(self.looks[-1].holders)} after the crash"

    @property
    def void(self) -> str:
        """Why nothing is known; empty if it is."""
        own = sum(one.local for one in self.requests)
        if not self.requests:
            return "the prober sent nothing"
        if own > VOID * len(self.requests):
            return f"the prober could not send {own} of {len(self.requests)} requests in time"
        before = sum(one.at < self.acted - EDGE for one in self.lost)
        after = sum(one.at >= self.settled for one in self.lost)
        if before:
            return f"{_requests(before)} lost in the baseline, before anything was done"
        if after and not list(self.failures()):  # what failed explains them
            return f"{_requests(after)} lost in the baseline afterwards"
        return ""


def _requests(number: int) -> str:
    return "1 request was" if number == 1 else f"{number} requests were"


def verdict(found: Sequence[Measured]) -> Literal["passed", "failed", "void"]:
    """On all scenarios: failed if one failed, void if one is not known."""
    if any(list(one.failures()) for one in found if not one.void):
        return "failed"
    return "void" if not found or any(one.void for one in found) else "passed"


def measured_json(one: Measured) -> Mapping[str, object]:
    """The numbers of a scenario, as they are recorded."""
    return {
        "scenario": one.scenario,
        "address": one.address,
        "holder": one.holder,
        "sent": len(one.requests),
        "lost": len(one.lost),
        "cut": len(one.cuts),
        "gap": round(one.gap, 3),
        "slowest": round(one.slowest, 3),
        "took_over": None if one.took_over is None else round(one.took_over, 2),
        "returned": None if one.returned is None else round(one.returned, 2),
        "doubled": round(one.doubled, 2),
        "budget": {"seconds": round(one.budget.seconds, 3), "formula": one.budget.formula},
        "back": None if one.back is None else {"seconds": round(one.back.seconds, 3), "formula": one.back.formula},
        **({"double": {"seconds": round(one.double.seconds, 3), "formula": one.double.formula}} if one.double else {}),
        "failures": [one.void] if one.void else list(one.failures()),
        "passed": not one.void and not list(one.failures()),
    }


__all__ = ["DOUBLING", "SCENARIOS", "Cut", "Look", "Measured", "Request", "Word", "measured_json", "verdict"]
