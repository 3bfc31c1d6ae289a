"""Saved plans: `plan --out FILE`, `show FILE`, `apply FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .stack_args import StackArgs, again

if TYPE_CHECKING:
    from ..engine import Planned, Request, SavedPlan


def check(out: Path) -> None:
    """Raise UsageError for a path where a plan cannot be saved."""
    from ..engine import check_place

    check_place(out)


def save(args: StackArgs, planned: Planned, request: Request, out: Path, sign_with: str | None) -> None:
    """Save a plan and sign it; name the key file that belongs to it."""
    from ..engine import save_plan, sign

    terminal = args.runtime.terminal
    saved = save_plan(planned, request, out, redact=terminal.redactor.data)
    terminal.tell(f"Plan saved to {out}.")
    if sign_with is not None:
        terminal.tell(f"Signature saved to {sign(out, sign_with)}.")
    if saved.key is not None:
        terminal.tell(
            f"The state has no key yet: the sensitive values of the plan are compared by the key in {out}.key. "
            "Keep it with the plan."
        )


def named_plan(args: StackArgs) -> SavedPlan | None:
    """The saved plan that is named instead of a stack; None when it is a stack."""
    from ..engine import load_plan, names_plan

    path = names_plan(args.stack)
    return None if path is None else load_plan(path)


def show_plan(args: StackArgs, *, as_json: bool) -> int | None:
    """Show a saved plan; None when the name is not a plan."""
    from ..plan import plan_json

    saved = named_plan(args)
    if saved is None:
        return None
    terminal = args.runtime.terminal
    if as_json:
        terminal.say_json(plan_json(saved.plan))
        return 0
    from ..render.plan import PlanText, plan_text
    from ..render.words import when

    made = f"Saved plan {saved.path}, made {when(saved.made)} by {saved.who}"
    about = PlanText(state=saved.state or "(on a server)", next_command=again(args, saved.path))
    terminal.say(f"{made}\n\n{plan_text(saved.plan, about, terminal.out_style)}")
    return 0
