"""`hacore undrain`."""

from __future__ import annotations

from dataclasses import replace

import click

from ..complete import candidates
from ..options import as_json, ask_become_pass
from ..stack_args import StackArgs, stack_option, stack_options


@click.command("undrain")
@click.argument("host", metavar="HOST", shell_complete=candidates.host)
@stack_options(variables=False, argument=False)
@ask_become_pass
@stack_option
@click.option("--instance", "only", metavar="NAME", multiple=True, help="Undrain only this VRRP instance (repeatable).")
@as_json
def command(args: StackArgs, host: str, folder: str | None, only: tuple[str, ...], as_json: bool) -> int:
    """Put a drained host back into service.

    Ends when each address is where it stays. Nothing happens to a host that is not
    drained.

    \b
    Examples:
      hacore undrain lb1
      hacore undrain lb1 --stack stacks/web
    """
    from ...engine.maintenance import undrain
    from ..maintenance_run import show

    args = replace(args, stack=folder)
    return show(args, lambda means, url, _: undrain(means, url, host, only), as_json=as_json)
