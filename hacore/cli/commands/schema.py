"""`hacore schema`."""

from __future__ import annotations

import click

from ..runtime import Runtime


@click.command("schema")
@click.argument("what", type=click.Choice(["stack", "plan", "events"]), default="stack", metavar="[stack|plan|events]")
@click.pass_obj
def command(runtime: Runtime, what: str) -> int:
    """Print a JSON Schema: of a stack file, for editors; of a plan; of the events of a run.

    That of a stack has all resource kinds that are installed, those of third parties too. `plan` is
    what `hacore plan --json` prints, `events` each line of `hacore apply --json`; both carry their
    version.

    \b
    Examples:
      hacore schema > stack.schema.json
      # then, as the first line of stack.yaml:
      # yaml-language-server: $schema=stack.schema.json
      hacore schema plan
      hacore schema events
    """
    if what == "stack":
        from ...load import stack_schema
        from ..stack_args import providers

        found = stack_schema(providers())
    else:
        from ...render.schemas import events_schema, plan_schema

        found = plan_schema() if what == "plan" else events_schema()
    runtime.terminal.say_json(found)
    return 0
