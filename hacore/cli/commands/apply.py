"""`hacore apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options import apply_options, as_json, ask_become_pass, auto_approve, parallelism, selection
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...engine import ApplyOptions
    from ...plan import Selection


@click.command("apply")
@stack_options(metavar="[STACK|PLAN]")
@ask_become_pass
@auto_approve
@apply_options()
@selection
@parallelism
@as_json
def command(
    args: StackArgs, options: ApplyOptions, selection: Selection, parallelism: int, auto_approve: bool, as_json: bool
) -> int:
    """Make the hosts what the stack says, or do what a saved plan says.

    Shows the plan and asks for a literal `yes`. Before a host is touched its before-image is on
    disk; when a task fails, what belongs together with it is undone, exactly. The first Ctrl-C lets
    what is running end, the second one leaves at once. A successful apply ends with a look at the
    hosts: nothing may be left to do.

    In place of STACK it may be a file of `hacore plan --out`: that plan is done as it was saved,
    without a question, once, and not at all when anything it rests on has changed since. Sensitive
    variables are given again; a plan that lacks a host needs --allow-degraded.

    With --confirm-within a change of a firewall, of sshd or of the network cannot lock you out: each
    host has the way back, and goes it by itself when it hears nothing of us for TIME, or when at
    the end one of the hosts cannot be connected to anew. TIME: 90s, 5m, 1h.

    \b
    Examples:
      hacore apply
      hacore apply stacks/nginx-keepalived --var vip=192.168.1.201
      hacore apply --env staging            env/staging.yaml, with a state of its own
      hacore apply --auto-approve --json
      hacore apply --on-failure halt
      hacore apply --ask-become-pass        where sudo on the hosts asks for a password
      hacore apply --target file.nginx.conf --target file.site@lb1
      hacore apply --no-irreversible        not at all if something of it could not be undone
      hacore apply --confirm-within 5m      hosts that lock us out put themselves back
      hacore apply --resume
      hacore apply web.plan                 a plan that `hacore plan --out web.plan` saved
      hacore apply --take-over              the state that managed the hosts is lost
    """
    from ..apply_run import apply_saved_plan, apply_stack
    from ..saved_plans import named_plan

    saved = named_plan(args)
    if saved is not None:
        return apply_saved_plan(args, saved, options, selection, parallelism, as_json=as_json)
    return apply_stack(args, options, selection, parallelism, auto_approve=auto_approve, as_json=as_json)
