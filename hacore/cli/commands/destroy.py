"""`hacore destroy`."""

from __future__ import annotations

import click

from ..options import (
    allow_degraded,
    as_json,
    ask_become_pass,
    auto_approve,
    exclude,
    no_irreversible,
    on_failure,
    parallelism,
    selection,
    target,
)
from ..stack_args import StackArgs, stack_options


@click.command("destroy")
@stack_options()
@ask_become_pass
@auto_approve
@on_failure
@allow_degraded
@target
@exclude
@no_irreversible
@parallelism
@as_json
def command(
    args: StackArgs,
    auto_approve: bool,
    on_failure: str,
    allow_degraded: bool,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    no_irreversible: bool,
    parallelism: int,
    as_json: bool,
) -> int:
    """Take back everything that hacore made of this stack.

    What hacore made goes, what it found and changed comes back as it was before the first run, what
    it adopted stays. Shows the plan and asks for a literal `yes`.

    \b
    Examples:
      hacore plan --destroy
      hacore destroy
      hacore destroy stacks/quickstart --auto-approve
      hacore destroy --target package.build-tools
    """
    from ..apply_run import go
    from ..options import Options

    return go(
        args,
        Options(
            destroy=True,
            auto_approve=auto_approve,
            on_failure=on_failure,
            allow_degraded=allow_degraded,
            selection=selection(targets, excludes),
            parallelism=parallelism,
            as_json=as_json,
            no_irreversible=no_irreversible,
        ),
    )
