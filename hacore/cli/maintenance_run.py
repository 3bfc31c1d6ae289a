"""Running `drain`, `undrain` and `move` from a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from .stack_args import StackArgs

if TYPE_CHECKING:
    from ..engine import Means
    from ..engine.maintenance import MaintenanceResult

Work = Callable[["Means", str, Callable[[str], None]], Awaitable["MaintenanceResult"]]
"""What to do, with the URL of the state and a function for what the user must know before it is done."""


def show(args: StackArgs, work: Work, *, as_json: bool) -> int:
    """Run it and show the result. Exit code 0: done; 2: done, but an address is not served, or has no standby.

    A drain is done where it leaves no standby: nobody else would take over from the present holder then.
    """
    from ..render.maintenance import maintenance_json, maintenance_text
    from ..render.progress import Progress
    from .interruptible import quietly, run

    terminal = args.runtime.terminal
    args.runtime.json = as_json
    progress = Progress(terminal)
    means, url = args.means(quietly(progress)), args.state_url()
    done = run(terminal, lambda _: work(means, url, terminal.tell), progress=progress)
    if as_json:
        terminal.say_json(maintenance_json(done))
    else:
        terminal.say(maintenance_text(done, terminal.out_style))
    fine = ("healthy", "drained", *(("no-redundancy",) if done.order is not None else ()))
    return 0 if all(found.verdict in fine for found in done.addresses) else 2


__all__ = ["show"]
