"""`--target` and `--exclude`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from . import completing

if TYPE_CHECKING:
    from ..plan import Selection

target = click.option(
    "--target",
    "targets",
    metavar="ADDRESS",
    shell_complete=completing.address,
    multiple=True,
    help="Only this, what it needs, and the reloads that follow; can be repeated.",
)
exclude = click.option(
    "--exclude",
    "excludes",
    metavar="ADDRESS",
    shell_complete=completing.address,
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
