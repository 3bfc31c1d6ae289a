"""A command that belongs to a kind: data that the command line makes a command of.

A package names it in its entry points, in the group `hacore.commands`, with the command's name:

    [project.entry-points."hacore.commands"]
    lint = "hacore_providers.lint.command:COMMAND"

The first line of that module's docstring is the summary in `hacore --help`, which does not import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .facts import Ask, Facts

__all__ = ["Command", "CommandOption", "CommandResult"]


@dataclass(frozen=True, slots=True)
class CommandOption:
    """An option: `name` without its dashes, as `format`.

    `metavar`: what its value is called in the help; empty for a flag. `choices`: the values that it takes. `many`: it
    can be given several times, and is a tuple.
    """

    name: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: str | None = None
    many: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return not self.metavar and not self.choices


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command prints to stdout (`data` as JSON if it is not None, else `text`), and its exit code."""

    text: str = ""
    data: Any = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A command `hacore NAME ARGUMENT... [OPTIONS]`.

    `help`: its description, as a docstring. `argument`: the name of its arguments in the help, as FILE; any number of
    them. `run` gets the arguments, the values of the options by their names, and the answers of hosts by argument; it
    prints nothing and may raise UsageError (exit 64) and InputError (exit 1).

    `asks`: the questions to an argument that is a host, [USER@]HOST[:PORT]; none for other arguments. The engine asks
    all hosts at once, one exec each, before `run`; one that cannot be asked ends the command with exit 1.
    """

    name: str
    help: str
    argument: str
    options: tuple[CommandOption, ...]
    run: Callable[[tuple[str, ...], Mapping[str, Any], Mapping[str, Facts]], CommandResult]
    asks: Callable[[str, Mapping[str, Any]], tuple[Ask, ...]] | None = None
