"""Units, outcomes and limits as JSON: what crosses to a process, and what a record has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .rollout import Policy
from .values import Member, Outcome, Unit


def member_to_json(member: Member) -> dict[str, Any]:
    """A member as JSON. It has the values of its variables: never for a file."""
    return {
        "name": member.name,
        "file": member.file,
        "labels": dict(member.labels),
        "variables": dict(member.variables),
        "state": member.state,
        "env": member.env,
    }


def unit_to_json(unit: Unit) -> dict[str, Any]:
    """A unit as JSON: never for a file."""
    return {"verb": unit.verb, "member": member_to_json(unit.member), "run": unit.run, "since": unit.since}


def unit_from_json(value: Mapping[str, Any]) -> Unit:
    """A unit from its JSON."""
    member = value["member"]
    return Unit(
        verb=value["verb"],
        member=Member(
            name=member["name"],
            file=member["file"],
            labels=member["labels"],
            variables=member["variables"],
            state=member["state"],
            env=member["env"],
        ),
        run=value["run"],
        since=value["since"],
    )


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    return {
        "result": outcome.result,
        "run": outcome.run,
        "counts": dict(outcome.counts),
        "digest": outcome.digest,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
    }


def outcome_from_json(value: Mapping[str, Any]) -> Outcome:
    """An outcome from its JSON."""
    return Outcome(
        result=value["result"],
        run=value["run"],
        counts=value["counts"],
        digest=value["digest"],
        error=value["error"],
        seconds=value["seconds"],
    )


def policy_to_json(policy: Policy) -> dict[str, Any]:
    """Limits as JSON."""
    return {
        "at_once": policy.at_once,
        "at_once_per": dict(policy.at_once_per),
        "failed": policy.failed,
        "unreachable": policy.unreachable,
        "strict": policy.strict,
        "min_done": policy.min_done,
    }


def policy_from_json(value: Mapping[str, Any]) -> Policy:
    """Limits from their JSON."""
    return Policy(
        at_once=value["at_once"],
        at_once_per=value["at_once_per"],
        failed=value["failed"],
        unreachable=value["unreachable"],
        strict=value["strict"],
        min_done=value["min_done"],
    )
