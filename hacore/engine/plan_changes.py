"""What changed between a plan that was shown and the plan made under the lock."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence

from ..plan import Plan
from ..plan.differences import Difference, differences
from ..plan.saved_format import plan_to_json

NAMED = 5
"""Differences in a message; more are counted."""


def plan_differences(shown: Plan, made: Plan) -> tuple[Difference, ...]:
    """How two plans of this process differ, as a saved plan is compared; notes, warnings and serials do not count."""
    key = secrets.token_bytes(32)

    def seal(value: str) -> str:
        return f"hmac:{hmac.digest(key, value.encode('utf-8', 'surrogatepass'), 'sha256').hex()}"

    return differences(plan_to_json(shown, seal), plan_to_json(made, seal))


def changed_words(found: Sequence[Difference]) -> str:
    """The differences as one sentence without a full stop."""
    named = "; ".join(map(str, found[:NAMED]))
    more = f"; {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"The plan changed since it was shown: {named}{more}"


__all__ = ["NAMED", "changed_words", "plan_differences"]
