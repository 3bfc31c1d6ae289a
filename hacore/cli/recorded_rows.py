"""Reading the state of a stack, and showing rows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .stack_args import StackArgs

if TYPE_CHECKING:
    from ..address import Address
    from ..model import Row
    from ..store import StateReader


@contextmanager
def opened(args: StackArgs) -> Iterator[StateReader | None]:
    """The state, read-only; None when it does not exist yet."""
    from ..store import StateReader

    reader = StateReader.open(args.state_url())
    if reader is None:
        yield None
        return
    with reader:
        yield reader


def selected(args: StackArgs, selector: Address | None) -> Sequence[Row]:
    """The rows that a selector matches, in the order of addresses. Raises UsageError when it matches none."""
    from ..store import matching

    with opened(args) as state:
        rows = {} if state is None else state.rows()
    return [rows[address] for address in (sorted(rows) if selector is None else matching(rows, selector))]


def show(args: StackArgs, selector: Address | None, *, as_json: bool) -> int:
    """Print rows with their attributes."""
    from ..render.state import resources_json, row_text

    terminal = args.runtime.terminal
    rows = selected(args, selector)
    if as_json:
        terminal.say_json(resources_json(rows))
    elif rows:
        terminal.say("\n\n".join(row_text(row, terminal.out_style) for row in rows))
    else:
        terminal.say("The state is empty.")
    return 0
