"""What may begin now: pure functions of what was done. No clock, no file, no host.

A wave begins when the one before it is complete, soaked and checked. Within a wave units begin in order, as far as
`at_once`, the limits of labels and the budgets allow. A unit that has an outcome never begins again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .values import GOOD, Result

Labels = Mapping[str, Mapping[str, str]]
"""The labels of each stack."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A part of the stacks, as written: a count or a share; see `WaveBody`. Key "" of `within`: any label."""

    stacks: int | float
    within: Mapping[str, str] = field(default_factory=dict)
    per: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits of a rollout, as counts. `strict`: see `BudgetBody`; `min_done`: a share or a count of each wave."""

    at_once: int
    at_once_per: Mapping[str, int]
    failed: int
    unreachable: int
    strict: bool
    min_done: int | float


@dataclass(frozen=True, slots=True)
class Progress:
    """What was done: outcomes by stack, what runs now, how many waves were checked, and why a check failed."""

    outcomes: Mapping[str, Result] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    checked: int = 0
    unclean: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    begin: these stacks · wait: for a unit that runs · check: soak, then check the wave · end: `why` it ended, empty
    if all waves are done.
    """

    do: Literal["begin", "wait", "check", "end"]
    stacks: tuple[str, ...] = ()
    wave: int = 0
    why: str = ""


def plan_waves(names: Sequence[str], labels: Labels, waves: Sequence[Wave]) -> list[tuple[str, ...]]:
    """The stacks of each wave, each stack once; what is left is the last wave.

    Shares are cumulative, of all stacks (of those that a wave selects by label), rounded up; a wave has at
    least one new stack, if any is left.
    """
    left = dict.fromkeys(names)
    found: list[tuple[str, ...]] = []
    for wave in waves:
        wanted = [name for name in names if _within(labels[name], wave.within)]
        groups: dict[str, list[str]] = {}
        for name in wanted:
            groups.setdefault(labels[name].get(wave.per, "") if wave.per else "", []).append(name)
        taken: list[str] = []
        for group in groups.values():
            new = [name for name in group if name in left]
            taken += new[: _new(wave.stacks, len(group), len(group) - len(new))]
        for name in taken:
            del left[name]
        if taken:
            found.append(tuple(taken))
    return [*found, tuple(left)] if left else found


def _within(labels: Mapping[str, str], within: Mapping[str, str]) -> bool:
    return all(value in labels.values() if key == "" else labels.get(key) == value for key, value in within.items())


def _new(stacks: int | float, whole: int, done: int) -> int:
    if isinstance(stacks, int):
        return stacks
    return max(1, math.ceil(stacks * whole - 1e-9) - done)


def count_of(amount: int | float, whole: int) -> int:
    """A budget as a count: shares are rounded down, at least 1."""
    return amount if isinstance(amount, int) else max(1, math.floor(amount * whole + 1e-9))


def decide(waves: Sequence[Sequence[str]], labels: Labels, policy: Policy, progress: Progress) -> Decision:
    """The next step of a rollout."""
    why = progress.unclean or _spent(policy, progress.outcomes)
    if why:
        return Decision("wait") if progress.running else Decision("end", why=why)
    if progress.checked >= len(waves):
        return Decision("end")
    wave = waves[progress.checked]
    open_ = [name for name in wave if name not in progress.outcomes and name not in progress.running]
    if not open_ and not progress.running:
        return _complete(wave, progress, policy)
    ready = _allowed(open_, labels, policy, progress)
    return Decision("begin", ready, progress.checked) if ready else Decision("wait")


def _complete(wave: Sequence[str], progress: Progress, policy: Policy) -> Decision:
    good = sum(progress.outcomes[name] in GOOD for name in wave)
    share = policy.min_done
    needed = max(1, min(len(wave), share if isinstance(share, int) else math.ceil(share * len(wave) - 1e-9)))
    if good < needed:
        why = f"wave {progress.checked + 1}: {good} of {len(wave)} stacks are done, {needed} are needed (min_done)"
        return Decision("end", why=why)
    return Decision("check", wave=progress.checked)


def _spent(policy: Policy, outcomes: Mapping[str, Result]) -> str:
    counts = Counter(outcomes.values())
    budgets: dict[Result, int] = {"failed": policy.failed, "unreachable": policy.unreachable}
    for result, budget in budgets.items():
        if counts[result] >= budget:
            return f"the budget is spent: {counts[result]} {result}, {budget} allowed"
    return ""


def at_once_now(policy: Policy, outcomes: Mapping[str, Result]) -> int:
    """How many units may run at once: with a strict budget no more than what is left of it, and one."""
    if not policy.strict:
        return policy.at_once
    counts = Counter(outcomes.values())
    left = min(policy.failed - counts["failed"], policy.unreachable - counts["unreachable"])
    return min(policy.at_once, left + 1)


def _allowed(open_: Sequence[str], labels: Labels, policy: Policy, progress: Progress) -> tuple[str, ...]:
    free = at_once_now(policy, progress.outcomes) - len(progress.running)
    used = Counter((key, labels[name].get(key, "")) for name in progress.running for key in policy.at_once_per)
    ready: list[str] = []
    for name in open_:
        if len(ready) >= free:
            break
        places = [(key, labels[name].get(key, "")) for key in policy.at_once_per]
        if all(used[place] < policy.at_once_per[place[0]] for place in places):
            used.update(places)
            ready.append(name)
    return tuple(ready)
