"""`hacore drill`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import Cancelled, UsageError
from ..options import Duration, as_json, ask_become_pass, auto_approve
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...drill.measured import Word
    from ...engine.drilling.order import Rehearsed
    from ...engine.drilling.run import DrillResult


@click.command("drill")
@stack_options(variables=False)
@ask_become_pass
@click.option(
    "--scenario",
    "scenarios",
    type=click.Choice(["drain", "stop", "service", "partition", "crash"]),
    multiple=True,
    help="Play this one (repeatable; default: drain and stop).",
)
@click.option(
    "--rate", type=click.FloatRange(1, 200), default=100.0, show_default=True, metavar="N", help="Requests a second."
)
@click.option(
    "--baseline", type=Duration(), default="10s", show_default=True, metavar="TIME", help="Time before and after each."
)
@click.option("--url", metavar="URL", default="", help="Ask this (default: the first check of a vip).")
@click.option("--run-notify", is_flag=True, help="Permit a partition to start the scripts of a second holder.")
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a report.")
@auto_approve
@as_json
def command(
    args: StackArgs,
    scenarios: tuple[Word, ...],
    rate: float,
    baseline: int,
    url: str,
    run_notify: bool,
    page: Path | None,
    auto_approve: bool,
    as_json: bool,
) -> int:
    """Prove the fail-over: cause one, measure it, and undo it.

    New connections at a fixed rate from this machine show what clients lose. Each
    number is compared with its budget, which follows from the configuration. A host
    reverts automatically if this machine fails. Asks for a literal `yes`. Exit code
    0: passed; 2: failed; 1: not known, or not begun; 3: a host was not restored.

    \b
    Scenarios, on the holder of the address:
      drain      as for maintenance
      stop       keepalived is stopped
      service    what it serves is stopped
      partition  the members do not hear each other: both hold the address
      crash      on twins only: keepalived is killed

    \b
    Examples:
      hacore drill
      hacore drill stacks/web --scenario service --html drill.html
    """
    from ...engine.drilling.order import DrillOrder
    from ...engine.drilling.run import drill
    from ...render.drill import drill_exit_code, drill_json, drill_text, order_text
    from ...render.progress import Progress
    from ..interruptible import Stopper, quietly, run

    if as_json and not auto_approve:
        raise UsageError("cannot ask for approval with --json: add --auto-approve")
    terminal = args.runtime.terminal
    args.runtime.json = as_json
    progress = Progress(terminal)
    means, state = args.means(quietly(progress)), args.state_url()
    order = DrillOrder(scenarios or ("drain", "stop"), rate, float(baseline), url, run_notify)

    async def work(stopper: Stopper) -> DrillResult:
        async def approve(plan: Sequence[Rehearsed]) -> bool:
            progress.paused = True
            if not as_json:
                terminal.say(order_text(plan, order))
            stopper.touching = True
            return auto_approve or await _ask(args)

        done = await drill(means, state, order, approve, terminal.tell, stopper.event)
        if done is None:
            raise Cancelled("drill cancelled")
        return done

    done = run(terminal, work, progress=progress)
    if page is not None:
        from ...disk import replace_file
        from ...render.drill_page import drill_page

        replace_file(page, drill_page(done).encode())
    if as_json:
        terminal.say_json(drill_json(done))
    else:
        terminal.say(drill_text(done, terminal.out_style))
    return drill_exit_code(done)


async def _ask(args: StackArgs) -> bool:
    from ..prompts import ask_yes

    return await ask_yes(args.runtime.terminal, "Do you want to begin?")
