"""The fleet of a command: FLEET, --where, --processes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError
from .runtime import Runtime

if TYPE_CHECKING:
    from ..fleet.engines import Engine
    from ..fleet.spec import Fleet

F = TypeVar("F", bound=Callable[..., Any])

where = click.option(
    "--where", "where", metavar="LABEL=VALUE", multiple=True, help="Only stacks with this label (repeatable)."
)
processes = click.option(
    "--processes",
    type=click.IntRange(min=0),
    metavar="N",
    help="Run stacks in N processes; 0: in this one (default: 4 for each CPU).",
)


@dataclass(frozen=True)
class FleetArgs:
    """The fleet of a command, as named by the user."""

    runtime: Runtime
    fleet: str | None = None
    where: tuple[str, ...] = ()
    processes: int | None = None

    def load(self) -> Fleet:
        """The fleet. Raises StackError with all mistakes, UsageError."""
        from ..fleet.spec import find_fleet, load_fleet
        from ..urls import url_secrets

        found = load_fleet(find_fleet(self.fleet))
        for member in found.members.values():
            self.runtime.terminal.redactor.add(url_secrets(member.state or ""))
        return found

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of --where. Raises UsageError."""
        for text in self.where:
            if not text.partition("=")[0] or "=" not in text:
                raise UsageError(f"cannot select {text!r}: write LABEL=VALUE")
        return {name: value for name, _, value in (text.partition("=") for text in self.where)}

    def engine(self, at_once: int) -> Engine:
        """Where units run: a pool of processes, or with 0 this process."""
        from ..fleet.engines import InProcess, ProcessPool

        if self.processes == 0:
            from ..engine import Means
            from ..fleet.units import perform
            from . import stack_args

            means = Means(stack_args.providers())
            return InProcess(lambda unit: perform(unit, means))
        return ProcessPool(min(at_once, self.processes or 4 * (os.cpu_count() or 1)))

    def tell(self, what: str, values: Mapping[str, Any]) -> None:
        """Progress, to stderr."""
        from ..render.fleet import ended_text

        terminal = self.runtime.terminal
        if what == "ended":
            terminal.tell(ended_text(values["stack"], values["outcome"], values["done"], values["of"]))
        elif what == "soaking":
            terminal.tell(f"wave {values['wave']} of {values['of']} is applied: checked after {values['seconds']}s")
        elif what == "checked":
            terminal.tell(f"wave {values['wave']} of {values['of']} is done")
        elif what == "unclean":
            terminal.tell(str(values["why"]))


def fleet_argument(function: F) -> F:
    """FLEET and the options above, given to the command as one `args: FleetArgs`."""

    @click.pass_obj
    @functools.wraps(function)
    def wrapped(runtime: Runtime, /, **given: Any) -> Any:
        args = FleetArgs(runtime, **{n: given.pop(n) for n in ("fleet", "where", "processes") if n in given})
        return function(args=args, **given)

    found: Any = click.argument("fleet", required=False, metavar="[FLEET]")(wrapped)
    return found  # type: ignore[no-any-return]
