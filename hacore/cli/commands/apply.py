"""`hacore apply`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..options import apply_options, as_json, ask_become_pass, auto_approve, parallelism, replacing, selection
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...engine import ApplyOptions
    from ...plan import Selection


@click.command("apply")
@stack_options(metavar="[STACK|PLAN]")
@ask_become_pass
@auto_approve
@apply_options()
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
@click.option(
    "--signers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Apply PLAN only if one of these keys signed it (ssh-keygen(1), ALLOWED SIGNERS).",
)
@selection
@replacing
@parallelism
@as_json
def command(
    args: StackArgs,
    options: ApplyOptions,
    resume: bool,
    signers: Path | None,
    selection: Selection,
    parallelism: int,
    auto_approve: bool,
    as_json: bool,
) -> int:
    """Apply the stack to the hosts, or apply a saved plan.

    Shows the plan and asks for a literal `yes`. Before a host is changed, its
    before-images are saved; when a task fails, the tasks of its lane are rolled
    back to these bytes. The first Ctrl-C lets running tasks finish, the second one
    aborts. After a successful apply the hosts are checked again: no change may
    remain.

    With PLAN, a file of `hacore plan --out FILE`, that saved plan is applied:
    without a question, once, and not at all when anything that it depends on has
    changed since. Sensitive variables must be given again; a plan without some
    hosts needs --allow-degraded. A plan is authenticated by the key of its state, or
    by a signature (--signers); one that was changed is refused, and one that nothing
    authenticates is applied only after a `yes`, or with --auto-approve.

    With --confirm-within a change of a firewall, of sshd or of the network cannot
    lock you out: each host reverts automatically when it gets no message for TIME,
    or when one of the hosts accepts no new connection at the end of the run.
    TIME is 90s, 5m or 1h, for example; the minimum is 10s.

    \b
    Examples:
      hacore apply
      hacore apply stacks/nginx-keepalived --var vip=192.168.1.201
      hacore apply --env staging        env/staging.yaml, with a state of its own
      hacore apply --auto-approve --json
      hacore apply --on-failure halt
      hacore apply --ask-become-pass    if sudo on the hosts asks for a password
      hacore apply --target file.nginx.conf --target file.site@lb1
      hacore apply --replace source_build.nginx@lb2
      hacore apply --no-irreversible    refuse changes that cannot be undone
      hacore apply --confirm-within 5m  revert hosts that are no longer reachable
      hacore apply --resume
      hacore apply web.plan             a plan of `hacore plan --out web.plan`
      hacore apply web.plan --signers deployers
      hacore apply --take-over          after the state of the hosts was lost
    """
    from ..apply_run import apply_saved_plan, apply_stack
    from ..saved_plans import named_plan

    saved = named_plan(args)
    if saved is not None:
        return apply_saved_plan(
            args,
            saved,
            options,
            selection,
            parallelism,
            resume=resume,
            auto_approve=auto_approve,
            signers=signers,
            as_json=as_json,
        )
    if signers is not None:
        raise UsageError("cannot use --signers: it is for a saved plan")
    return apply_stack(args, options, selection, parallelism, resume=resume, auto_approve=auto_approve, as_json=as_json)
