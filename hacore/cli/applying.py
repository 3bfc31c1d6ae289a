"""What `apply` and `destroy` have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from ..errors import Cancelled, UsageError
from ..events import Event, Listener
from .options import StackArgs

if TYPE_CHECKING:
    from ..engine import Planned, Request, RunResult
    from ..plan import Selection
    from ..render.progress import Progress
    from .running import Stopper


@dataclass(frozen=True)
class Options:
    """How to apply."""

    destroy: bool = False
    auto_approve: bool = False
    on_failure: str = "rollback"
    allow_degraded: bool = False
    resume: bool = False
    take_over: bool = False
    selection: Selection | None = None
    parallelism: int = 10
    as_json: bool = False
    no_irreversible: bool = False
    confirm_within: int = 0

    @property
    def command(self) -> str:
        """The command's name."""
        return "destroy" if self.destroy else "apply"


def go(args: StackArgs, options: Options) -> int:
    """Plan, ask, run, and tell; the exit code."""
    from ..render.progress import Progress
    from ..render.result import run_json, run_text
    from .running import as_lines, run

    if options.as_json and not options.auto_approve:
        raise UsageError("cannot ask for approval with --json: use --auto-approve, too")
    terminal = args.runtime.terminal
    args.runtime.json = options.as_json
    progress = Progress(terminal)
    listener = as_lines(terminal) if options.as_json else progress
    request = args.request(listener, parallelism=options.parallelism)
    request = replace(
        request,
        take_over=options.take_over,
        no_irreversible=options.no_irreversible,
        confirm_within=options.confirm_within,
    )
    if options.selection:
        if options.resume:
            raise UsageError("cannot select with --resume: the run goes on with what it was begun with")
        request = replace(request, selection=options.selection)
    if options.resume:  # no plan is shown before that run goes on, so nothing else tells us what is secret
        args.runtime.learn_secrets()

    async def work(stopper: Stopper) -> RunResult:
        return await _apply(args, options, request, stopper, progress)

    result = run(terminal, work, progress=None if options.as_json else progress)
    args.know(result.planned.stack)
    if options.as_json:
        terminal.say_json(run_json(result, command=options.command), line=True)
    else:
        commands = {name: args.again(name, result.planned.stack) for name in ("plan", "rollback")}
        terminal.say(run_text(result, command=options.command, commands=commands, style=terminal.out_style))
    return 0 if result.ok else 1


async def _apply(
    args: StackArgs, options: Options, request: Request, stopper: Stopper, progress: Progress
) -> RunResult:
    from ..engine import apply

    return await apply(
        replace(request, listener=touching(request.listener, stopper)),
        approve=_approval(args, options, stopper, progress),
        destroy=options.destroy,
        on_failure=cast(Literal["rollback", "halt"], options.on_failure),
        allow_degraded=options.allow_degraded,
        stop=stopper.event,
        resume=options.resume,
    )


def touching(listener: Listener, stopper: Stopper) -> Listener:
    """From the run's first event on a signal must let it end in order."""

    from .running import lasting

    def listen(event: Event) -> None:
        if event.type == "run_started":
            stopper.touching = True
        listener(event)

    return lasting(listen, stopper)


def _approval(
    args: StackArgs, options: Options, stopper: Stopper, progress: Progress
) -> Callable[[Planned, str], Awaitable[bool]]:
    from ..plan import plan_json
    from ..render.plan import plan_text
    from .plan import about

    terminal = args.runtime.terminal

    async def approve(planned: Planned, why: str) -> bool:
        stopper.touching = False
        args.know(planned.stack)
        progress.paused = True
        terminal.live("")
        if why:
            terminal.tell(terminal.err_style("yellow", f"{why}: this is the new plan"))
        if options.as_json:
            terminal.say_json({"type": "plan", **plan_json(planned.plan)}, line=True)
        else:
            shown = replace(about(planned, args, on_failure=options.on_failure), next_command="")
            terminal.say(plan_text(planned.plan, shown, terminal.out_style))
            terminal.say("")
        if not options.auto_approve and not await _ask(args, options, planned):
            raise Cancelled(f"{options.command} cancelled")
        progress.paused = False
        stopper.touching = True
        return True

    return approve


async def _ask(args: StackArgs, options: Options, planned: Planned) -> bool:
    from .asking import ask_yes

    hosts = ", ".join(sorted({host for change in planned.plan.changes for host in change.hosts}))
    if options.destroy:
        question = f"Do you really want to take back all of this on {hosts}?"
        details = "What hacore made goes, what it found and changed comes back as it was."
        return await ask_yes(args.runtime.terminal, question, details)
    return await ask_yes(args.runtime.terminal, f"Do you want to perform these actions on {hosts}?")
