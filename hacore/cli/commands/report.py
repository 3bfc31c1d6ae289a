"""`hacore report`."""

from __future__ import annotations

from pathlib import Path

import click

from ..options import ask_become_pass
from ..stack_args import StackArgs, stack_options


@click.command("report")
@stack_options()
@ask_become_pass
@click.option(
    "--html",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="Write the report to FILE.",
)
def command(args: StackArgs, file: Path) -> int:
    """Write a page about a stack, for a browser or a ticket.

    Who holds and serves each address, the hosts, what is managed, what a plan would
    change, the last runs, the last drill with its time line, and what needs what.
    The page has no script and loads nothing from elsewhere; sensitive values are
    masked. Asks the hosts as `hacore status` does, with the same exit codes.

    \b
    Examples:
      hacore report --html web.html
      hacore report stacks/web --html /var/www/internal/web.html
    """
    from ...disk import replace_file
    from ...render.page import page_style, preformatted
    from ...render.plan import PlanText, plan_text
    from ...render.report_page import report_page
    from ...render.status import status_exit_code
    from ..recorded_rows import opened
    from .status import reported

    report = reported(args)
    with opened(args) as state:
        rows = [] if state is None else list(state.rows().values())
        runs = [] if state is None else state.runs()
    style = page_style()
    changes = "<p>Not known.</p>"
    if report.plan is not None:
        about = PlanText(report.state, None, report.unfinished, args.again("apply"))
        changes = preformatted(plan_text(report.plan, about, style), style)
    page = args.runtime.terminal.redactor.text(report_page(report, rows, runs, changes))
    replace_file(file, page.encode())
    args.runtime.terminal.say(f"Wrote {file}.")
    return status_exit_code(report)
