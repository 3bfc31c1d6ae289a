"""`hacore inventory`."""

from __future__ import annotations

import click

from ...events import silent
from ..stack_args import StackArgs, stack_options


@click.command("inventory")
@stack_options()
@click.option("--static", "static_", is_flag=True, help="Print the content of a file hosts.yaml instead.")
def command(args: StackArgs, static_: bool) -> int:
    """Print the hosts of a stack as an Ansible inventory.

    JSON as an inventory script prints it with --list: hosts, groups, the
    variables of the hosts, and how they are reached. A variable with a secret
    in its value is left out and named. Contacts no host.

    \b
    Examples:
      hacore inventory stacks/web
      hacore inventory stacks/web --static > hosts.yaml
    """
    from ...engine import load_stack
    from ...render import inventory

    stack = load_stack(args.request(silent))
    args.know(stack)
    form = inventory.static if static_ else inventory.dynamic
    args.runtime.terminal.say_json(form(stack.hosts, stack.groups, stack.secrets))
    for name in inventory.left_out(stack.hosts, stack.secrets):
        args.runtime.terminal.tell(f"warning: left out because its value has a secret: {name}")
    return 0
