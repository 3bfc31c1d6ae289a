"""`hacore schema`."""

from __future__ import annotations

import click

from .runtime import Runtime


@click.command("schema")
@click.pass_obj
def command(runtime: Runtime) -> int:
    """Print the JSON Schema of a stack file, for editors.

    It has all resource kinds that are installed, those of third parties too.

    \b
    Examples:
      hacore schema > stack.schema.json
      # then, as the first line of stack.yaml:
      # yaml-language-server: $schema=stack.schema.json
    """
    from ..load import stack_schema
    from .options import providers

    runtime.terminal.say_json(stack_schema(providers()))
    return 0
