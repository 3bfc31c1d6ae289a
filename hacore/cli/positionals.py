"""Positional arguments that are distinguished by their form: a stack, the number of a run, an address."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..address import Address
from ..errors import UsageError


def stack_and_run(words: Sequence[str]) -> tuple[str | None, int | None]:
    """`[STACK] [RUN]`: a run is a number, with or without #."""
    stack: str | None = None
    run: int | None = None
    for word in words:
        digits = word.removeprefix("#")
        if digits.isascii() and digits.isdigit():
            if run is not None:
                raise UsageError("cannot use two runs: give one number")
            run = int(digits)
        elif stack is not None:
            raise UsageError(f"cannot use two stacks: {stack!r} and {word!r}; a run is a number")
        else:
            stack = word
    return stack, run


def stack_and_serials(words: Sequence[str]) -> tuple[str | None, tuple[int, int | None]]:
    """`[STACK] SERIAL [SERIAL]`: serials are numbers."""
    numbers = [int(word) for word in words if word.isascii() and word.isdigit()]
    stacks = [word for word in words if not (word.isascii() and word.isdigit())]
    if len(stacks) > 1:
        raise UsageError(f"cannot use two stacks: {stacks[0]!r} and {stacks[1]!r}; a serial is a number")
    if len(numbers) not in (1, 2):
        raise UsageError("cannot compare: give one or two serials; `hacore state history` lists them")
    return stacks[0] if stacks else None, (numbers[0], numbers[1] if len(numbers) == 2 else None)


def stack_and_address(words: Sequence[str]) -> tuple[str | None, Address | None]:
    """`[STACK] [ADDRESS]`: an existing path is a stack, `kind.name` is an address."""
    stack: str | None = None
    address: Address | None = None
    for word in words:
        exists = Path(word).exists() or (Path("stacks") / word).exists()
        if exists or "/" in word.partition("[")[0] or "." not in word:
            if stack is not None:
                raise UsageError(f"cannot use two stacks: {stack!r} and {word!r}; an address is kind.name@host")
            stack = word
        elif address is not None:
            raise UsageError(f"cannot use two addresses: {address} and {word}")
        else:
            address = Address.parse(word)
    return stack, address
