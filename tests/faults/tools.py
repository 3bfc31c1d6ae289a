"""What tests of faults share: steps under a test's control, and waiting for what others do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from hacore.contract import Step
from tests.transport.sshd import read

PATIENCE = 30.0


async def until(check: Callable[[], bool], what: str = "") -> None:
    """Wait until `check` holds; a failure after half a minute."""
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end, f"not within {PATIENCE:g} seconds: {what or check}"
        await asyncio.sleep(0.02)


class Slow:
    """A step that says when it has begun and waits until it may go on; it counts how often it ran."""

    def __init__(self, folder: Path, name: str = "slow") -> None:
        self.begun, self.go, self.count = folder / f"{name}.begun", folder / f"{name}.go", folder / f"{name}.count"

    def script(self, then: str = "echo end") -> str:
        """The script; `then` is what it does once it may go on."""
        return (
            f"echo x >>{self.count}; printf 'half '; echo $$ >{self.begun}\n"
            f"while [ ! -e {self.go} ]; do sleep 0.05; done\n{then}\n"
        )

    def step(self, then: str = "echo end", **more: object) -> Step:
        """The script as a step."""
        return Step(self.script(then), **more)  # type: ignore[arg-type]

    @property
    def times(self) -> int:
        """How often it was begun."""
        return len(read(self.count).split())
