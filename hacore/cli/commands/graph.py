"""`hacore graph`."""

from __future__ import annotations

import click

from ...events import silent
from ..stack_args import StackArgs, stack_options


@click.command("graph")
@stack_options()
@click.option("--mermaid", is_flag=True, help="Print Mermaid instead of DOT.")
def command(args: StackArgs, mermaid: bool) -> int:
    """Print the dependency graph of a stack.

    An arrow points to the dependency. The format is DOT (graphviz), or Mermaid.

    \b
    Examples:
      hacore graph | dot -Tsvg > graph.svg
      hacore graph stacks/web --mermaid
    """
    from ...engine import load_stack
    from ...graph import build_graph
    from ...render import graph as drawn

    request = args.request(silent)
    stack = load_stack(request)
    args.know(stack)
    built = build_graph(stack, request.means.providers)
    needs = {address: built.needs[address] for address in built.order}
    args.runtime.terminal.say(drawn.mermaid(needs) if mermaid else drawn.dot(needs))
    return 0
