"""`hacore drift`."""

from __future__ import annotations

import click

from .options import StackArgs, as_json, stack_options
from .password import ask_become_pass


@click.command("drift")
@stack_options(variables=False)
@ask_become_pass
@as_json
@click.option("--quiet", is_flag=True, help="Print nothing when there is no drift.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after this time."
)
def command(args: StackArgs, as_json: bool, quiet: bool, timeout: float | None) -> int:
    """Tell whether somebody changed a host by hand since the last run.

    Reads the state and the hosts only, and writes nothing: no variable and no file of the stack is
    needed, and no password but sudo's where hosts ask for one. Exit code 0: clean, 2: drift, 1:
    could not tell (a host that cannot be reached beats drift).

    \b
    Examples:
      hacore drift
      hacore drift --env staging
      hacore drift --json | jq '.drift[].address'
      */15 * * * *  hacore -C /srv/web drift --quiet --timeout 60      (a crontab line)
    """
    from ..engine import drift
    from ..render.drift import drift_exit_code, drift_json, drift_text
    from ..render.progress import Progress
    from .options import providers
    from .running import quietly, run

    terminal = args.runtime.terminal
    progress = Progress(terminal)
    url, password = args.state_url(), args.password()
    report = run(
        terminal,
        lambda _: drift(url, providers=providers(), listener=quietly(progress), timeout=timeout, password=password),
        progress=progress,
    )
    code = drift_exit_code(report)
    if as_json:
        terminal.say_json(drift_json(report))
    elif code or not quiet:
        terminal.say(drift_text(report, terminal.out_style))
    return code
