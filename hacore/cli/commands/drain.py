"""`hacore drain`."""

from __future__ import annotations

from dataclasses import replace

import click

from ..complete import candidates
from ..options import Duration, as_json, ask_become_pass
from ..stack_args import StackArgs, stack_option, stack_options


@click.command("drain")
@click.argument("host", metavar="HOST", shell_complete=candidates.host)
@stack_options(variables=False, argument=False)
@ask_become_pass
@stack_option
@click.option(
    "--for",
    "seconds",
    type=Duration(least=10),
    metavar="TIME",
    help="The host undrains itself after TIME, as soon as its units and checks are good (requires systemd).",
)
@click.option("--reason", metavar="TEXT", help="Why, for `hacore status`.")
@click.option("--hard", is_flag=True, help="Do not take over even if no other member is left.")
@click.option("--instance", "only", metavar="NAME", multiple=True, help="Drain only this VRRP instance (repeatable).")
@as_json
def command(
    args: StackArgs,
    host: str,
    folder: str | None,
    seconds: int | None,
    reason: str | None,
    hard: bool,
    only: tuple[str, ...],
    as_json: bool,
) -> int:
    """Take a host out of service, for maintenance.

    Another member takes over its addresses first: refused if none would. The host
    stays drained, also over a restart, until `hacore undrain`. Everything comes
    from the state: no variable is needed.

    \b
    Examples:
      hacore drain lb1
      hacore drain lb1 --for 2h --reason "kernel update" --stack stacks/web
    """
    from ...engine.maintenance import DrainOrder, drain
    from ..maintenance_run import show

    order = DrainOrder(host, None if seconds is None else float(seconds), reason or "", hard, only)
    args = replace(args, stack=folder)
    return show(args, lambda means, url, say: drain(means, url, order, say), as_json=as_json)
