"""A plan as a page, for a review: the text that the terminal shows, and the same as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plan import plan_json
from .page import escaped, page, page_style, preformatted
from .plan import count_line, plan_text

if TYPE_CHECKING:
    from ..plan import Plan
    from .plan import PlanText


def plan_page(plan: Plan, about: PlanText) -> str:
    """The page of a plan."""
    style = page_style()
    title = f"Plan of {plan.stack}"
    parts = [f"<h1>{escaped(title)}</h1>", f"<p>{escaped(count_line(plan))}</p>"]
    return page(title, [*parts, preformatted(plan_text(plan, about, style), style)], "plan", plan_json(plan))


__all__ = ["plan_page"]
