"""`hacore output`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...errors import UsageError
from ..complete import candidates
from ..options import as_json
from ..stack_args import StackArgs, stack_options


@click.command("output")
@click.argument("words", nargs=-1, metavar="[NAME] [STACK]", shell_complete=candidates.stack)
@stack_options(argument=False)
@click.option("--raw", is_flag=True, help="Print the value of NAME alone, without quotes and line break.")
@as_json
def command(args: StackArgs, words: tuple[str, ...], raw: bool, as_json: bool) -> int:
    """Show the outputs of a stack.

    Shows all outputs, or the one with this name. A sensitive output is masked,
    unless it is asked for by its name with --raw or --json: it is then printed as it
    is, for a script. Reads the stack alone: no host and no state.

    \b
    Examples:
      hacore output
      hacore output url stacks/web
      curl "$(hacore output url --raw)"
      hacore output --json | jq .url.value
    """
    from ...engine import load_stack
    from ...events import silent
    from ...render.result import value_lines

    name, stack_name = _sorted(words)
    if raw and name is None:
        raise UsageError("cannot use --raw without the name of an output")
    args = replace(args, stack=stack_name)
    request = args.request(silent)
    stack = load_stack(request)
    args.know(stack)
    terminal, hidden = args.runtime.terminal, stack.sensitive_outputs
    if name is None:
        if as_json:
            shown = {n: _described(n, "(sensitive)" if n in hidden else v, hidden) for n, v in stack.outputs.items()}
            terminal.say_json(shown)
        else:
            terminal.say("\n".join(value_lines(stack.outputs, hidden)) or f"Stack {stack.name} has no outputs.")
        return 0
    value = _value(name, stack.outputs)
    if as_json:
        terminal.hand_over(json.dumps(value, ensure_ascii=False) + "\n")
    elif raw:
        terminal.hand_over(_plain(name, value))
    else:
        terminal.say("\n".join(value_lines({name: value}, hidden)))
    return 0


def _sorted(words: Sequence[str]) -> tuple[str | None, str | None]:
    """The name of an output and a stack: a word that is a path, or names one under stacks/, is a stack."""
    stacks = [w for w in words if "/" in w or Path(w).exists() or (Path("stacks") / w).exists()]
    names = [w for w in words if w not in stacks]
    if len(stacks) > 1 or len(names) > 1:
        raise UsageError("cannot show more than one: give the name of one output, and one stack")
    return next(iter(names), None), next(iter(stacks), None)


def _described(name: str, value: Any, hidden: frozenset[str]) -> dict[str, Any]:
    return {"sensitive": name in hidden, "value": value}


def _value(name: str, outputs: Mapping[str, Any]) -> Any:
    if name in outputs:
        return outputs[name]
    from ...spelling import suggestion

    known = ", ".join(sorted(outputs)) or "none"
    raise UsageError(f"unknown output {name!r}: {suggestion(name, outputs, f'the outputs are {known}')}")


def _plain(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(f"cannot print {name} with --raw: it is {type(value).__name__}, not text or a number; use --json")
