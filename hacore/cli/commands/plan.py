"""`hacore plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..options import as_json, ask_become_pass, selection
from ..plan_text import about
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...plan import Selection


@click.command("plan")
@stack_options()
@ask_become_pass
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, for `hacore apply FILE`.")
@selection
@click.option("--destroy", is_flag=True, help="Plan to take everything back.")
@click.option("--no-refresh", is_flag=True, help="Compare with what is recorded; ask no host.")
@click.option("--detailed-exitcode", "detailed", is_flag=True, help="Exit with 2 for changes or drift.")
@click.option("--profile", is_flag=True, help="Print to stderr how long each phase took.")
@as_json
def command(
    args: StackArgs,
    out: Path | None,
    selection: Selection,
    destroy: bool,
    no_refresh: bool,
    detailed: bool,
    profile: bool,
    as_json: bool,
) -> int:
    """Show what would be done to make the hosts what the stack says.

    Every host is asked once; nothing is written, here or there, and no lock is taken. What was
    changed outside of hacore since the last run comes first. A host that cannot be reached is
    named, the rest is planned, and the exit code is 1.

    With --out the plan is saved, and is the one thing that is written: `hacore apply FILE` does
    exactly that, once, and refuses when anything it rests on has changed since. Contents of files
    are in it (0600), sensitive values are not.

    \b
    Examples:
      hacore plan
      hacore plan stacks/nginx-keepalived --env staging
      hacore plan --detailed-exitcode       0: nothing to do, 1: error or incomplete, 2: changes or drift
      hacore plan --json | jq .summary
      hacore plan --no-refresh              what the stack changes, as far as the state can tell
      hacore plan --target file.nginx.conf@lb1
      hacore plan --out web.plan            then: hacore show web.plan, hacore apply web.plan
    """
    from ..profile import Clock

    clock = Clock()
    from ...engine import plan

    if out is not None:
        if no_refresh:
            raise UsageError("cannot save a plan with --no-refresh: it rests on no facts that an apply could compare")
        from ..saved_plans import check

        check(out)
    from ...plan import plan_json
    from ...render.plan import exit_code, plan_text
    from ...render.progress import Progress
    from ..interruptible import quietly, run

    terminal = args.runtime.terminal
    progress = Progress(terminal)
    request = args.request(quietly(progress), selection=selection, refresh=not no_refresh)
    clock.lap("import")
    planned = run(terminal, lambda _: plan(request, destroy=destroy, whole=out is not None), progress=progress)
    clock.lap("engine")
    args.know(planned.stack)
    if out is not None:
        from ..saved_plans import save

        save(args, planned, request, out)
    if as_json:
        terminal.say_json(plan_json(planned.plan))
    else:
        terminal.say(plan_text(planned.plan, about(planned, args, destroy=destroy, out=out), terminal.out_style))
    clock.lap("render")
    if profile:
        terminal.tell(clock.text(planned.phases))
    return exit_code(planned.plan, detailed=detailed)
