"""Options that several commands share, and their values."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError
from .complete import candidates
from .runtime import BECOME_PASSWORD, Runtime

if TYPE_CHECKING:
    from ..plan import Selection

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON (see `hacore schema`).")
parallelism = click.option(
    "--parallelism",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Run at most N commands at the same time.",
)
no_irreversible = click.option(
    "--no-irreversible", is_flag=True, help="Refuse a plan with a change that cannot be undone (marked !)."
)
auto_approve = click.option("--auto-approve", is_flag=True, help="Do not ask for approval.")


on_failure = click.option(
    "--on-failure",
    type=click.Choice(["rollback", "halt"]),
    default="rollback",
    show_default=True,
    help="When a task fails: roll back the tasks of its lane, or halt.",
)


allow_degraded = click.option("--allow-degraded", is_flag=True, help="Continue when some hosts cannot be reached.")


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_object(Runtime).ask_become_pass = True  # type: ignore[union-attr]


ask_become_pass = click.option(
    "-K",
    "--ask-become-pass",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help=f"Ask for the sudo password of the hosts (default: {BECOME_PASSWORD}).",
)
"""For commands that connect; see `become_password`."""


NO_BOUNDARY = "Twins are not a security boundary: root in a twin can become root on this machine."


def _trusted(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    """In CI the stack may be the pull request of a stranger, and nobody reads the warning."""
    runtime = ctx.find_object(Runtime)
    if runtime is None or ctx.resilient_parsing:
        return
    if runtime.environ.get("CI", "").lower() not in ("", "0", "false") and not value:
        raise UsageError(
            f"cannot start twins: CI is set. {NO_BOUNDARY} Give --trusted-stack if you would run this stack on this "
            "machine as root"
        )


trusted_stack = click.option(
    "--trusted-stack",
    is_flag=True,
    expose_value=False,
    callback=_trusted,
    help="Start twins although CI is set: the stack is trusted with this machine.",
)
"""For commands that start twins of a stack."""


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """A number of seconds, minutes or hours; the value is in seconds, at least `least`."""

    name = "duration"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds. Fails with a usage error that names valid forms."""
        found = re.fullmatch(r"(\d+)([smh]?)", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not a duration: write 90s, 5m or 1h", param, ctx)
        seconds = int(found[1]) * _UNITS[found[2]]
        if seconds < self.least:
            self.fail(f"{value} is too short: the minimum is {self.least}s", param, ctx)
        return seconds


take_over = click.option("--take-over", is_flag=True, help="Take over hosts that another state of this stack manages.")


confirm_within = click.option(
    "--confirm-within",
    type=Duration(least=10),
    metavar="TIME",
    help="Revert each host automatically after TIME unless a new SSH connection confirms the change.",
)


target = click.option(
    "--target",
    "targets",
    metavar="ADDRESS",
    shell_complete=candidates.address,
    multiple=True,
    help="Only this resource, what it depends on, and the reloads that follow (repeatable).",
)


exclude = click.option(
    "--exclude",
    "excludes",
    metavar="ADDRESS",
    shell_complete=candidates.address,
    multiple=True,
    help="Exclude this resource and everything that depends on it (repeatable).",
)


replace_ = click.option(
    "--replace",
    "replaces",
    metavar="ADDRESS",
    shell_complete=candidates.address,
    multiple=True,
    help="Delete and create this resource again (repeatable).",
)


def selection(function: F) -> F:
    """--target and --exclude, given to the command as one `selection: Selection`. Raises UsageError for no address."""

    @functools.wraps(function)
    def wrapped(*, targets: Sequence[str], excludes: Sequence[str], **given: Any) -> Any:
        from ..plan import Selection

        return function(selection=Selection.parse(targets, excludes), **given)

    return target(exclude(wrapped))  # type: ignore[return-value]


def replacing(function: F) -> F:
    """--replace, given to the command as part of its selection. Raises UsageError for no address."""

    @functools.wraps(function)
    def wrapped(*, replaces: Sequence[str], selection: Selection, **given: Any) -> Any:
        from ..address import Address

        return function(selection=replace(selection, replaces=tuple(map(Address.parse, replaces))), **given)

    return replace_(wrapped)  # type: ignore[return-value]


def apply_options(*, destroy: bool = False) -> Callable[[F], F]:
    """The options of apply, or of destroy, given to the command as one `options: ApplyOptions`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def wrapped(**given: Any) -> Any:
            from ..engine import ApplyOptions

            names = [one.name for one in fields(ApplyOptions)]
            chosen = {name: given.pop(name) for name in names if name in given}
            chosen = {name: value for name, value in chosen.items() if value is not None}
            return function(options=ApplyOptions(**chosen), **given)

        found: Any = wrapped
        for option in reversed(_DESTROY if destroy else (*_DESTROY, *_APPLY)):
            found = option(found)
        return found  # type: ignore[no-any-return]

    return decorate


_DESTROY = (on_failure, allow_degraded, no_irreversible)
_APPLY = (take_over, confirm_within)


def words(selected: Selection) -> list[str]:
    """The options as the user would type them again."""
    chosen = (("--target", selected.targets), ("--exclude", selected.excludes), ("--replace", selected.replaces))
    return [word for option, selectors in chosen for one in selectors for word in (option, str(one))]
