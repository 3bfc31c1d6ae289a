"""The run of `apply` and `destroy`: of a stack, or of a saved plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..events import silent
from .dialogue import Dialogue
from .stack_args import StackArgs

if TYPE_CHECKING:
    from ..engine import ApplyOptions, Planned, RunResult, SavedPlan
    from ..plan import Selection


def apply_stack(
    args: StackArgs,
    options: ApplyOptions,
    selection: Selection,
    parallelism: int,
    *,
    destroy: bool = False,
    resume: bool = False,
    auto_approve: bool,
    as_json: bool,
) -> int:
    """Plan, ask, run, report; the exit code."""
    if resume and selection:
        raise UsageError("cannot select with --resume: the run continues with the selection it was started with")
    command = "destroy" if destroy else "apply"
    dialogue = Dialogue(args.runtime, command, auto_approve=auto_approve, as_json=as_json)
    request = args.request(
        dialogue.listener, stop=dialogue.stop, parallelism=parallelism, selection=selection, options=options
    )
    if resume:  # hosts may be touched before the stack's secrets are known from a plan
        args.runtime.learn_secrets()

    async def approve(planned: Planned, why: str) -> bool:
        from ..plan import plan_json
        from ..render.plan import plan_text
        from .plan_text import about

        args.know(planned.stack)
        if why:
            dialogue.note(why)
        shown = replace(about(planned, args, on_failure=options.on_failure), next_command="")
        style = args.runtime.terminal.out_style
        dialogue.show_plan(
            lambda: plan_text(planned.plan, shown, style), lambda: {"type": "plan", **plan_json(planned.plan)}
        )
        hosts = ", ".join(sorted({host for change in planned.plan.changes for host in change.hosts}))
        if destroy:
            question = f"Do you really want to destroy these resources on {hosts}?"
            details = "Resources that hacore created are deleted; files it changed are restored."
            return await dialogue.approve(question, details)
        return await dialogue.approve(f"Do you want to perform these actions on {hosts}?")

    async def work() -> RunResult:
        from ..engine import apply

        return await apply(request, approve=approve, destroy=destroy, resume=resume)

    result = dialogue.run(work)
    args.know(result.planned.stack)
    return _report(args, dialogue, result)


def apply_saved_plan(
    args: StackArgs,
    saved: SavedPlan,
    options: ApplyOptions,
    selection: Selection,
    parallelism: int,
    *,
    resume: bool,
    auto_approve: bool,
    signers: Path | None,
    as_json: bool,
) -> int:
    """Run a saved plan, report; the exit code.

    A plan that is authenticated was reviewed when it was made, and is not asked about. Nothing that the file names is
    opened before it is authenticated, or accepted without that.
    """
    from ..engine import check_applyable, check_authentic, state_of
    from ..plan import plan_json

    if resume:
        raise UsageError("cannot resume a saved plan: `hacore apply --resume` continues the run that it started")
    if selection:
        raise UsageError("cannot select from a saved plan: give --target and --exclude to `hacore plan --out`")
    if args.env not in (None, saved.stack["env"]):
        raise UsageError(f"cannot use --env {args.env}: the plan was made with {saved.stack['env'] or 'none'}")
    args = replace(args, env=saved.stack["env"])
    check_applyable(saved.plan, options)
    file = Path(saved.stack["file"])
    doubt = check_authentic(saved, state_of(saved, args.request(silent, file=file)), signers)
    approved = auto_approve or not doubt
    dialogue = Dialogue(args.runtime, saved.plan.command, auto_approve=approved, as_json=as_json, asks=bool(doubt))
    if doubt:
        dialogue.note(f"warning: {saved.path}: {doubt}")
    request = args.request(dialogue.listener, stop=dialogue.stop, parallelism=parallelism, options=options, file=file)
    if not approved:
        question = f"Do you want to apply {saved.path} although it is not known who made it?"
        dialogue.run(lambda: dialogue.approve(question))
    args.runtime.learn_secrets()  # its values come from the environment again, and no plan is made before
    if as_json:
        dialogue.show_plan(str, lambda: {"type": "plan", **plan_json(saved.plan)})

    async def work() -> RunResult:
        from ..engine import apply_saved

        return await apply_saved(saved, request, signers=signers, unauthenticated=bool(doubt))

    result = dialogue.run(work)
    return _report(replace(args, stack=str(file.parent)), dialogue, result)


def _report(args: StackArgs, dialogue: Dialogue, result: RunResult) -> int:
    from ..render.result import run_json, run_text

    commands = {name: args.again(name, result.planned.stack) for name in ("plan", "rollback")}
    commands["resume"] = args.again("apply --resume", result.planned.stack)
    style = args.runtime.terminal.out_style
    dialogue.report(
        lambda: run_text(result, command=dialogue.command, commands=commands, style=style),
        lambda: run_json(result, command=dialogue.command),
    )
    return 0 if result.ok else 1
