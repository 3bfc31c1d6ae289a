"""`hacore plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import StackArgs, as_json, stack_options
from .password import ask_become_pass

if TYPE_CHECKING:
    from ..engine import Planned
    from ..render.plan import PlanText


@click.command("plan")
@stack_options()
@ask_become_pass
@click.option("--destroy", is_flag=True, help="Plan to take everything back.")
@click.option("--detailed-exitcode", "detailed", is_flag=True, help="Exit with 2 for changes or drift.")
@click.option("--profile", is_flag=True, help="Print to stderr how long each phase took.")
@as_json
def command(args: StackArgs, destroy: bool, detailed: bool, profile: bool, as_json: bool) -> int:
    """Show what would be done to make the hosts what the stack says.

    Every host is asked once; nothing is written, here or there, and no lock is taken. What was
    changed outside of hacore since the last run comes first. A host that cannot be reached is
    named, the rest is planned, and the exit code is 1.

    \b
    Examples:
      hacore plan
      hacore plan stacks/nginx-keepalived --env staging
      hacore plan --detailed-exitcode       0: nothing to do, 1: error or incomplete, 2: changes or drift
      hacore plan --json | jq .summary
    """
    from .profile import Clock

    clock = Clock()
    from ..engine import plan
    from ..plan import plan_json
    from ..render.plan import exit_code, plan_text
    from ..render.progress import Progress
    from .running import quietly, run

    terminal = args.runtime.terminal
    progress = Progress(terminal)
    request = args.request(quietly(progress))
    clock.lap("import")
    planned = run(terminal, lambda _: plan(request, destroy=destroy), progress=progress)
    clock.lap("engine")
    args.know(planned.stack)
    if as_json:
        terminal.say_json(plan_json(planned.plan))
    else:
        terminal.say(plan_text(planned.plan, about(planned, args, destroy=destroy), terminal.out_style))
    clock.lap("render")
    if profile:
        terminal.tell(clock.text(planned.phases))
    return exit_code(planned.plan, detailed=detailed)


def about(planned: Planned, args: StackArgs, *, destroy: bool = False, on_failure: str = "rollback") -> PlanText:
    """What the renderer tells besides the plan: the state, the runs, the command that would do it."""
    from ..render.plan import PlanText

    return PlanText(
        state=planned.stack.state,
        last_run=planned.last_run,
        unfinished=planned.unfinished,
        next_command=args.again("destroy" if destroy else "apply", planned.stack),
        on_failure=on_failure,
    )
