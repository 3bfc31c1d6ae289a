"""Values of a fleet: its members, units of work and their outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Verb = Literal["plan", "apply", "drift", "rollback"]
Result = Literal["changed", "unchanged", "differs", "failed", "unreachable", "refused"]
"""How a unit ended. `differs`: a plan with changes, or drift. `refused`: a rollback of a stack that changed since."""

SHOWN = (*get_args(Result), "open")
"""The results of stacks in reports, in this order; `open`: it has no outcome."""

GOOD: frozenset[Result] = frozenset({"changed", "unchanged"})


@dataclass(frozen=True, slots=True)
class Member:
    """One stack of a fleet. `state`: its URL, None for that of the stack file. `file`: an absolute path."""

    name: str
    file: str
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    state: str | None = None
    env: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work: a verb on a stack. `run`: the run of the stack's state that a rollback undoes.

    `since`: Unix time at which the unit began first, if a coordinator ended before it knew the outcome.
    """

    verb: Verb
    member: Member
    run: int | None = None
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a unit ended. `run`: the run in the stack's state; `counts`: the changes by action; `error`: in words."""

    result: Result
    run: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    digest: str = ""
    error: str = ""
    seconds: float = 0.0
