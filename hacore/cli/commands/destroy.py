"""`hacore destroy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options import apply_options, as_json, ask_become_pass, auto_approve, parallelism, selection
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...engine import ApplyOptions
    from ...plan import Selection


@click.command("destroy")
@stack_options()
@ask_become_pass
@auto_approve
@apply_options(destroy=True)
@selection
@parallelism
@as_json
def command(
    args: StackArgs, options: ApplyOptions, selection: Selection, parallelism: int, auto_approve: bool, as_json: bool
) -> int:
    """Destroy all managed resources of the stack.

    Resources that hacore created are deleted, files that it changed are restored to
    their content before the first run, adopted resources stay unchanged. Shows the
    plan and asks for a literal `yes`.

    \b
    Examples:
      hacore plan --destroy
      hacore destroy
      hacore destroy stacks/quickstart --auto-approve
      hacore destroy --target package.build-tools
    """
    from ..apply_run import apply_stack

    return apply_stack(args, options, selection, parallelism, destroy=True, auto_approve=auto_approve, as_json=as_json)
