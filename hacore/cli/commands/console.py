"""`hacore console`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import ExpressionError, UsageError
from ...events import silent
from ..complete import candidates
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...load.evaluator import Evaluator
    from ...render.terminal import Terminal

_END = frozenset(("exit", "quit"))


@click.command("console")
@click.argument("words", nargs=-1, metavar="[STACK] [EXPRESSION]", shell_complete=candidates.stack)
@stack_options(argument=False)
@click.option(
    "--host",
    "host",
    metavar="NAME",
    shell_complete=candidates.host,
    help="Evaluate as in a resource on this host (default: the first host of the stack).",
)
def command(args: StackArgs, words: tuple[str, ...], host: str | None) -> int:
    """Evaluate expressions against a stack.

    Evaluates the expression, or without one each line of stdin, with a prompt if that
    is a terminal (`exit` or Ctrl-D ends it). An expression is written as in the stack,
    with or without {{ }}, and uses the same names: var, host, hosts, groups,
    resource, file, env. Values are printed as JSON, sensitive ones are masked. Reads
    the stack alone: no host and no state.

    The exit code is 1 if an expression was wrong. At a prompt it is 0.

    \b
    Examples:
      hacore console
      hacore console groups.all
      hacore console stacks/web "resource.file['/etc/motd'].mode" --host lb2
      echo "var.port + 1" | hacore console
    """
    from ...load import load_evaluator
    from ..prompts import lines_of

    stack_name, expression = _sorted(words)
    args = replace(args, stack=stack_name)
    request = args.request(silent)
    evaluator = load_evaluator(request.load, request.means.providers)
    args.know(evaluator.stack)
    terminal, name = args.runtime.terminal, evaluator.host(host)
    if expression is not None:
        return 0 if _answer(terminal, evaluator, expression, name) else 1
    lines = lines_of(terminal, f"{name}> ")
    wrong = [line for line in _expressions(lines) if not _answer(terminal, evaluator, line, name)]
    return 1 if wrong and not lines.prompted else 0


def _sorted(words: Sequence[str]) -> tuple[str | None, str | None]:
    """A stack and an expression: of two words the first is the stack; one word is a stack if it exists."""
    if len(words) > 2:
        raise UsageError("cannot evaluate more than one expression: quote it, or give one on each line of stdin")
    if len(words) == 2:
        return words[0], words[1]
    if words and _is_stack(words[0]):
        return words[0], None
    return None, next(iter(words), None)


def _is_stack(word: str) -> bool:
    try:
        return Path(word).exists() or (Path("stacks") / word).exists()
    except (OSError, ValueError):  # too long for a path, or with a null
        return False


def _expressions(lines: Iterable[str]) -> Iterator[str]:
    """The lines with an expression, up to one that ends the console."""
    for line in lines:
        text = line.strip()
        if text in _END:
            return
        if text and not text.startswith("#"):
            yield text


def _answer(terminal: Terminal, evaluator: Evaluator, text: str, host: str) -> bool:
    """Print the value of an expression, or its error; whether it has a value."""
    from ...render.errors import error_text
    from ...secrets import MASK

    try:
        found = evaluator.evaluate(text, host)
    except ExpressionError as error:
        terminal.redactor.add(evaluator.secrets)
        terminal.tell(error_text(error, terminal.err_style))
        return False
    terminal.redactor.add(evaluator.secrets)
    if found.sensitive:
        terminal.say(MASK)
    else:
        terminal.say_json(found.value)
    return True
