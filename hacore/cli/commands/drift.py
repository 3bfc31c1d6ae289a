"""`hacore drift`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import HacoreError
from ..options import Duration, as_json, ask_become_pass
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...engine import DriftReport


@click.command("drift")
@stack_options(variables=False)
@ask_become_pass
@as_json
@click.option("--quiet", is_flag=True, help="Print nothing when there is no drift.")
@click.option(
    "--timeout",
    type=Duration(),
    metavar="TIME",
    help="Give up after this time, for example 90s or 5m (default: no limit).",
)
@click.option(
    "--since-last", is_flag=True, help="Report only differences that are new since the last --since-last check."
)
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write Prometheus metrics to FILE.",
)
@click.option(
    "--webhook",
    envvar="HACORE_WEBHOOK",
    metavar="URL",
    help="POST the report to URL when there is drift (default: $HACORE_WEBHOOK).",
)
@click.option("--print-cron", "printed", flag_value="cron", help="Only print a file for /etc/cron.d.")
@click.option("--print-timer", "printed", flag_value="timer", help="Only print a script that installs a systemd timer.")
def command(
    args: StackArgs,
    as_json: bool,
    quiet: bool,
    timeout: float | None,
    since_last: bool,
    metrics: Path | None,
    webhook: str | None,
    printed: str | None,
) -> int:
    """Report changes that were made outside of hacore.

    Compares the hosts with the state of the last run. Reads the state and the hosts, and changes neither. Needs
    no variables and no
    files of the stack, and no password but that of sudo. Waits for a run in
    progress to end, up to --timeout. Exit code 0: no drift; 2: drift; 1: not known
    for all hosts, which outranks drift.

    \b
    Examples:
      hacore drift
      hacore drift --env staging
      hacore drift --json | jq '.drift[].address'
      hacore drift --quiet --since-last --metrics /var/lib/node_exporter/web.prom
      hacore drift web --print-cron | sudo tee /etc/cron.d/hacore-drift-web
      hacore drift web --print-timer | sudo sh
    """
    if printed is not None:
        from ..cron.schedule import scheduled

        args.runtime.terminal.say(scheduled(args, printed, timeout, since_last=since_last, metrics=metrics).rstrip())
        return 0
    from ...engine.drift_memory import news, place, read, write
    from ...render.drift import drift_exit_code, drift_json, drift_text
    from ..cron.webhook import checked_url, post

    terminal = args.runtime.terminal
    url = checked_url(webhook) if webhook else ""
    terminal.redactor.add([url])
    report = _measured(args, timeout, metrics)
    code, found = drift_exit_code(report), None
    reported = code != 0
    if since_last:
        memory = place(args.runtime.environ, report.lineage)
        before = read(memory)
        found = news(report, before)
        code, reported = drift_exit_code(found.report), found.fresh
    if as_json:
        terminal.say_json(drift_json(report, found))
    elif reported or not quiet:
        terminal.say(drift_text(report, terminal.out_style, found, plan_command=args.again("plan")))
    if url and reported:
        post(url, terminal.redactor.data(drift_json(report, found)))
    if since_last:
        write(memory, report, before)  # after the post: a report that did not arrive is sent again
    return code


def _measured(args: StackArgs, timeout: float | None, metrics: Path | None) -> DriftReport:
    """The drift report; its metrics are written even when the check fails."""
    if metrics is None:
        return _check(args, timeout)
    from ...render.drift import drift_exit_code
    from ..cron.metrics import write_metrics
    from ..cron.schedule import stack_name

    began = time.monotonic()
    try:
        report = _check(args, timeout)
    except HacoreError:
        write_metrics(metrics, stack_name(args), None, 1, time.monotonic() - began)
        raise
    write_metrics(metrics, stack_name(args), report, drift_exit_code(report), time.monotonic() - began)
    return report


def _check(args: StackArgs, timeout: float | None) -> DriftReport:
    from ...engine import drift
    from ...render.progress import Progress
    from ..interruptible import quietly, run

    terminal = args.runtime.terminal
    progress = Progress(terminal)
    url, means = args.state_url(), args.means(quietly(progress))
    return run(
        terminal,
        lambda _: drift(url, means, timeout=timeout, stack=args.load_request()),
        progress=progress,
    )
