"""`hacore validate`."""

from __future__ import annotations

import click

from ...events import silent
from ..options import as_json
from ..stack_args import StackArgs, stack_options


@click.command("validate")
@stack_options()
@as_json
def command(args: StackArgs, as_json: bool) -> int:
    """Check a stack without asking any host.

    All mistakes are told at once, each with its place in the file: wrong keys and values,
    references to what does not exist, circles, two resources that claim the same thing, and faults
    that only show when all members of a pair are looked at together.

    \b
    Examples:
      hacore validate
      hacore validate stacks/nginx-keepalived --var vrrp_password=x
      hacore validate --json
    """
    from ...engine import load_stack
    from ...errors import StackError
    from ...graph import build_graph
    from ...plan import examine_stack
    from ...render.errors import error_json
    from ...render.words import count

    terminal = args.runtime.terminal
    request = args.request(silent)
    try:
        stack = load_stack(request)
        args.know(stack)
        build_graph(stack, request.means.providers)
        examine_stack(stack, request.means.providers)
    except StackError as error:
        if as_json:
            terminal.say_json({"valid": False, "problems": error_json(error)["problems"]})
            return 1
        raise
    if as_json:
        terminal.say_json({"valid": True, "problems": [], "stack": stack.name, "instances": len(stack.instances)})
        return 0
    resources = {str(address.at(None)) for address in stack.instances}
    terminal.say(
        f"Stack {stack.name} is valid: {count(len(resources), 'resource')}, "
        f"{count(len(stack.instances), 'instance')} on {count(len(stack.hosts), 'host')}."
    )
    return 0
