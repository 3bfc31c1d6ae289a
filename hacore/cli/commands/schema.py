"""`hacore schema`."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from ..runtime import Runtime

STACK = "stack"
FLEET = "fleet"


def _names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    from ...render.schemas import FORMATS

    return [CompletionItem(name) for name in (STACK, FLEET, *FORMATS) if name.startswith(incomplete)]


@click.command("schema")
@click.argument("name", default=STACK, metavar="[NAME]", shell_complete=_names)
@click.option("--list", "listed", is_flag=True, help="List the names of all schemas.")
@click.pass_obj
def command(runtime: Runtime, name: str, listed: bool) -> int:
    """Print a JSON Schema of a stack file or of a --json output.

    NAME is `stack` (the default) or `fleet`, for editors, or a format that --list
    shows. The schema of a stack has all installed kinds of resources. Every format
    has a `format_version`; a stream of events has it in its first line.

    \b
    Examples:
      hacore schema > stack.schema.json
      # then, as the first line of stack.yaml:
      # yaml-language-server: $schema=stack.schema.json
      hacore schema --list
      hacore schema plan
    """
    from ...render.schemas import FORMATS, schema_of

    if listed:
        width = max(map(len, FORMATS))
        runtime.terminal.say(f"{STACK:<{width}}  stack.yaml\n{FLEET:<{width}}  fleet.yaml")
        for each, (_, commands) in FORMATS.items():
            runtime.terminal.say(f"{each:<{width}}  {commands}")
        return 0
    if name == FLEET:
        from ...fleet.models import fleet_schema

        runtime.terminal.say_json(fleet_schema())
        return 0
    if name == STACK:
        from ...load import stack_schema
        from ..stack_args import providers

        runtime.terminal.say_json(stack_schema(providers()))
        return 0
    if name not in FORMATS:
        from ...errors import UsageError
        from ...spelling import suggestion

        known = (STACK, FLEET, *FORMATS)
        raise UsageError(f"unknown schema {name!r}: {suggestion(name, known, '`hacore schema --list` lists them')}")
    runtime.terminal.say_json(schema_of(name))
    return 0
