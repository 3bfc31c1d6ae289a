"""`hacore validate`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ...events import silent
from ..limits import limited
from ..options import as_json
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...errors import StackError
    from ...render.formats import ValidationJson


@click.command("validate")
@stack_options()
@as_json
def command(args: StackArgs, as_json: bool) -> int:
    """Check a stack without contacting any host.

    Reports all mistakes at once, each with its file and line: wrong keys and values,
    missing references, cycles, two resources with the same claim, and mistakes that
    show only when all members of a pair are compared.

    Safe for a stack that you have not read, as on the pull request of a stranger:
    it starts no program, opens no connection, reads no file outside of the stack's
    folder and no environment variable that the stack names (what depends on env()
    is not checked), and ends after 30 seconds or 1 GiB. All other commands run what
    a stack contains.

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
    from ...render.words import count

    terminal = args.runtime.terminal
    request = args.request(silent)
    request = replace(request, load=replace(request.load, closed=True))
    try:
        with limited():
            stack = load_stack(request)
            args.know(stack)
            build_graph(stack, request.means.providers)
            examine_stack(stack, request.means.providers)
    except StackError as error:
        if as_json:
            terminal.say_json(_report(error))
            return 1
        raise
    if as_json:
        terminal.say_json({**_report(), "stack": stack.name, "instances": len(stack.instances)})
        return 0
    if stack.unread:
        names = ", ".join(sorted(stack.unread))
        terminal.tell(f"Not checked: what depends on the environment, which is not read: {names}.")
    resources = {str(address.at(None)) for address in stack.instances}
    terminal.say(
        f"Stack {stack.name} is valid: {count(len(resources), 'resource')}, "
        f"{count(len(stack.instances), 'instance')} on {count(len(stack.hosts), 'host')}."
    )
    return 0


def _report(error: StackError | None = None) -> ValidationJson:
    from ...plan.public_json import FORMAT_VERSION
    from ...render.errors import problems_json

    problems = [] if error is None else problems_json(error)
    return {"format_version": FORMAT_VERSION, "valid": error is None, "problems": problems}
