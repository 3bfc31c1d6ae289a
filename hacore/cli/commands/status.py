"""`hacore status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..options import Duration, as_json, ask_become_pass
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...engine import StatusReport


@click.command("status")
@stack_options()
@ask_become_pass
@as_json
@click.option(
    "--watch",
    type=Duration(),
    is_flag=False,
    flag_value="2s",
    metavar="TIME",
    help="Show the status again and again, TIME apart (2s if not given), until Ctrl-C.",
)
@click.option("--metrics", is_flag=True, help="Print metrics in the text format of Prometheus.")
@click.option(
    "--accept",
    "accepted",
    type=click.Choice(["drained"]),
    multiple=True,
    help="Exit with 0 also for this verdict.",
)
def command(args: StackArgs, as_json: bool, watch: int | None, metrics: bool, accepted: tuple[str, ...]) -> int:
    """Show who holds and serves each virtual address.

    A verdict for each address, its cause, and the next command. When the stack
    cannot be used (a variable is missing, the file is being edited), the status
    comes from the state alone. Exit code 0: all addresses are healthy;
    2: not healthy; 1: not known.

    \b
    Verdicts, the worst first:
      no-holder      nobody holds the address
      split-brain    several hosts hold it
      not-serving    a check of the holder or of this machine fails
      unknown        nobody is seen to hold it, and a member did not answer
      no-redundancy  no other member would take it over
      drained        a member is out of service on purpose
      healthy

    \b
    Examples:
      hacore status
      hacore status --watch
      hacore status --json | jq '.addresses[] | {address, verdict, cause}'
      hacore status --metrics | sponge /var/lib/node_exporter/web.prom
    """
    if as_json + metrics + (watch is not None) > 1:
        raise UsageError("cannot combine --json, --metrics and --watch: give one of them")
    while True:
        report = reported(args)
        code = _show(args, report, accepted, as_json=as_json, metrics=metrics, watch=watch is not None)
        if watch is None:
            return code
        time.sleep(watch)


def reported(args: StackArgs) -> StatusReport:
    """The status of the stack that the command names."""
    from ...engine import status
    from ...render.progress import Progress
    from ..interruptible import quietly, run

    terminal = args.runtime.terminal
    progress = Progress(terminal)
    request = args.request(quietly(progress))
    url = args.state_url()
    report = run(terminal, lambda _: status(request, url), progress=progress)
    if report.loaded is not None:
        args.know(report.loaded)
    return report


def _show(
    args: StackArgs, report: StatusReport, accepted: tuple[str, ...], *, as_json: bool, metrics: bool, watch: bool
) -> int:
    from ...render.status import status_exit_code, status_json, status_text

    terminal = args.runtime.terminal
    if metrics:
        from ...render.status_metrics import status_metrics

        terminal.say(status_metrics(report))
    elif as_json:
        terminal.say_json(status_json(report, accepted))
    else:
        head = [time.strftime("%H:%M:%S UTC", time.gmtime())] if watch else []
        terminal.say("\n".join([*head, status_text(report, terminal.out_style), *([""] if watch else [])]))
    return status_exit_code(report, accepted)
