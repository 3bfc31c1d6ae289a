"""Options that several commands share, and what they amount to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from .complete import candidates
from .runtime import BECOME_PASSWORD, Runtime

if TYPE_CHECKING:
    from ..engine import ApplyOptions
    from ..plan import Selection


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
parallelism = click.option(
    "--parallelism",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="At most N things at once.",
)
no_irreversible = click.option(
    "--no-irreversible", is_flag=True, help="Refuse a plan with something that cannot be undone (marked !)."
)
auto_approve = click.option("--auto-approve", is_flag=True, help="Do not ask.")


@dataclass(frozen=True)
class Options:
    """How to apply."""

    destroy: bool = False
    auto_approve: bool = False
    on_failure: str = "rollback"
    allow_degraded: bool = False
    resume: bool = False
    take_over: bool = False
    selection: Selection | None = None
    parallelism: int = 10
    as_json: bool = False
    no_irreversible: bool = False
    confirm_within: int = 0

    def apply(self) -> ApplyOptions:
        """As the engine has it."""
        from ..engine import ApplyOptions

        return ApplyOptions(
            on_failure="halt" if self.on_failure == "halt" else "rollback",
            allow_degraded=self.allow_degraded,
            take_over=self.take_over,
            no_irreversible=self.no_irreversible,
            confirm_within=self.confirm_within,
        )

    @property
    def command(self) -> str:
        """The command's name."""
        return "destroy" if self.destroy else "apply"


on_failure = click.option(
    "--on-failure",
    type=click.Choice(["rollback", "halt"]),
    default="rollback",
    show_default=True,
    help="When a task fails: undo the tasks of its lane, or leave all as it is then.",
)


allow_degraded = click.option("--allow-degraded", is_flag=True, help="Go on although a host cannot be reached.")


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_object(Runtime).ask_become_pass = True  # type: ignore[union-attr]


ask_become_pass = click.option(
    "-K",
    "--ask-become-pass",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help=f"Ask for sudo's password on the hosts; else {BECOME_PASSWORD}, if there is one.",
)
"""For commands that connect; what was typed is `become_password`'s to give."""


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """A number of seconds, minutes or hours; the value is in seconds, at least `least`."""

    name = "duration"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds. Usage errors say what would be right."""
        found = re.fullmatch(r"(\d+)([smh]?)", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no duration: write 90s, 5m or 1h", param, ctx)
        seconds = int(found[1]) * _UNITS[found[2]]
        if seconds < self.least:
            self.fail(f"{value} is too short: it takes {self.least}s or more", param, ctx)
        return seconds


target = click.option(
    "--target",
    "targets",
    metavar="ADDRESS",
    shell_complete=candidates.address,
    multiple=True,
    help="Only this, what it needs, and the reloads that follow; can be repeated.",
)


exclude = click.option(
    "--exclude",
    "excludes",
    metavar="ADDRESS",
    shell_complete=candidates.address,
    multiple=True,
    help="All but this and what rests on it; can be repeated.",
)


def selection(targets: Sequence[str], excludes: Sequence[str]) -> Selection:
    """What the two options say. Raises UsageError for what is no address."""
    from ..plan import Selection

    return Selection.parse(targets, excludes)


def words(selected: Selection) -> list[str]:
    """The options as the user would type them again."""
    found = [word for one in selected.targets for word in ("--target", str(one))]
    return found + [word for one in selected.excludes for word in ("--exclude", str(one))]
