"""Commands that belong to kinds: the entry-point group `hacore.commands`.

An entry point names a `hacore.contract.Command`. The engine knows no kind, and so none of these commands; the name of
one of its own commands cannot be taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from importlib.abc import InspectLoader
from typing import TYPE_CHECKING, Any

import click

from .options import ask_become_pass

if TYPE_CHECKING:
    from ..contract.commands import Command, CommandOption
    from .runtime import Runtime

__all__ = ["GROUP", "load", "names", "summary"]

GROUP = "hacore.commands"
"""The entry-point group."""


def names(taken: Collection[str]) -> list[str]:
    """The names of all such commands, sorted, without those that are `taken`."""
    from importlib.metadata import entry_points

    return sorted(entry_points(group=GROUP).names - set(taken))


def summary(name: str) -> str:
    """The first line of the docstring of the command's module, without importing what the module imports."""
    import ast
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    found = next(iter(entry_points(group=GROUP, name=name)))
    spec = find_spec(found.module)
    loader = spec.loader if spec is not None else None
    text = loader.get_source(found.module) if isinstance(loader, InspectLoader) else None
    doc = ast.get_docstring(ast.parse(text or "")) or ""
    return doc.partition("\n")[0]


def load(name: str) -> click.Command | None:
    """Import the command of this name; None if no package has it."""
    from importlib.metadata import entry_points

    found = next(iter(entry_points(group=GROUP, name=name)), None)
    return _clicked(found.load()) if found is not None else None


def _clicked(command: Command) -> click.Command:
    argument = click.Argument(["arguments"], metavar=f"{command.argument}...", nargs=-1, type=click.Path())

    @click.pass_obj
    def call(runtime: Runtime, /, arguments: tuple[str, ...], **options: Any) -> int:
        given = {option.name: options[option.name.replace("-", "_")] for option in command.options}
        hosts = {}
        if command.asks is not None and (asks := {a: found for a in arguments if (found := command.asks(a, given))}):
            from .named_hosts import ask_hosts

            hosts = ask_hosts(runtime, asks, sudo=options["sudo"])
        result = command.run(arguments, given, hosts)
        if result.data is not None:
            runtime.terminal.say_json(result.data)
        elif result.text:
            runtime.terminal.say(result.text)
        return result.exit_code

    params = [argument, *map(_option, command.options)]
    if command.asks is not None:
        params.append(click.Option(["--sudo"], is_flag=True, help="Become root on hosts with sudo(8)."))
    clicked = click.Command(command.name, params=params, callback=call, help=inspect.cleandoc(command.help))
    return ask_become_pass(clicked) if command.asks is not None else clicked


def _option(option: CommandOption) -> click.Option:
    if option.is_flag:
        return click.Option([f"--{option.name}"], is_flag=True, help=option.help)
    kind = click.Choice(option.choices) if option.choices else None
    return click.Option(
        [f"--{option.name}"],
        metavar=option.metavar or None,
        type=kind,
        default=() if option.many else option.default,
        show_default=option.default is not None,
        multiple=option.many,
        help=option.help,
    )
