"""Saved plans: `plan --out FILE`, `show FILE`, `apply FILE`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .stack_args import StackArgs, again

if TYPE_CHECKING:
    from ..engine import Planned, Request, RunResult, SavedPlan
    from .interruptible import Stopper
    from .options import Options


def check(out: Path) -> None:
    """Raise UsageError for a place where no plan can be saved."""
    from ..engine import check_place

    check_place(out)


def save(args: StackArgs, planned: Planned, request: Request, out: Path) -> None:
    """Save a plan, and tell of a key that must go with it."""
    from ..engine import save_plan

    terminal = args.runtime.terminal
    saved = save_plan(planned, request, out, redact=terminal.redactor.data)
    terminal.tell(f"Saved the plan to {out}.")
    if saved.key is not None:
        terminal.tell(
            f"The state has no key yet: the plan's sensitive values are compared by the key in {out}.key, "
            "which goes where the plan goes."
        )


def named_plan(args: StackArgs) -> SavedPlan | None:
    """The saved plan that is named in place of a stack; None when it is a stack."""
    from ..engine import load_plan, names_plan

    path = names_plan(args.stack)
    return None if path is None else load_plan(path)


def show_plan(args: StackArgs, *, as_json: bool) -> int | None:
    """Show a saved plan; None when no plan is named."""
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


def go_saved(args: StackArgs, saved: SavedPlan, options: Options) -> int:
    """Apply a saved plan, and tell; the exit code."""
    from ..plan import plan_json
    from ..render.progress import Progress
    from ..render.result import run_json, run_text
    from .interruptible import as_lines, run, stoppable

    if options.resume:
        raise UsageError("cannot resume a saved plan: `hacore apply --resume` goes on with the run that it began")
    if options.selection:
        raise UsageError("cannot select from a saved plan: it is done as it is; give --target and --exclude to `plan`")
    if args.env not in (None, saved.stack["env"]):
        raise UsageError(f"cannot use --env {args.env}: the plan was made with {saved.stack['env'] or 'none'}")
    terminal = args.runtime.terminal
    args.runtime.json = options.as_json
    args = replace(args, env=saved.stack["env"])
    progress = Progress(terminal)
    listener = as_lines(terminal) if options.as_json else progress
    request = args.request(listener, parallelism=options.parallelism, file=Path(saved.stack["file"]))
    request = replace(request, options=options.apply())
    args.runtime.learn_secrets()  # its values come from the environment again, and no plan is shown before
    if options.as_json:
        terminal.say_json({"type": "plan", **plan_json(saved.plan)}, line=True)

    async def work(stopper: Stopper) -> RunResult:
        from ..engine import apply_saved

        return await apply_saved(saved, replace(request, means=stoppable(request.means, stopper)))

    result = run(terminal, work, progress=None if options.as_json else progress)
    if options.as_json:
        terminal.say_json(run_json(result, command=saved.plan.command), line=True)
    else:
        there = replace(args, stack=str(Path(saved.stack["file"]).parent))
        commands = {name: there.again(name, result.planned.stack) for name in ("plan", "rollback")}
        terminal.say(run_text(result, command=saved.plan.command, commands=commands, style=terminal.out_style))
    return 0 if result.ok else 1
