"""`hacore roll`."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ...errors import Cancelled, UsageError
from ..complete import candidates
from ..options import ask_become_pass, auto_approve
from ..stack_args import StackArgs, stack_option, stack_options

if TYPE_CHECKING:
    from ...engine.roll import Act, RollResult


@click.command("roll")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@stack_options(variables=False, argument=False)
@ask_become_pass
@stack_option
@click.option(
    "--host",
    "hosts",
    metavar="HOST",
    multiple=True,
    shell_complete=candidates.host,
    help="Only this host (repeatable; default: all hosts that serve an address together).",
)
@click.option("--restart", "unit", metavar="UNIT", help="Restart this unit on each host.")
@click.option("--reboot", is_flag=True, help="Reboot each host.")
@click.option("--resume", "number", type=click.IntRange(min=1), metavar="RUN", help="Roll the remaining hosts of RUN.")
@auto_approve
def command(
    args: StackArgs,
    words: tuple[str, ...],
    folder: str | None,
    hosts: tuple[str, ...],
    unit: str | None,
    reboot: bool,
    number: int | None,
    auto_approve: bool,
) -> int:
    """Restart or reboot all hosts of a pair, one after the other.

    Each host is drained, restarted (a unit, the host, or a shell command is run as root),
    verified and undrained; the one that holds the addresses is last. Stops at the first
    failure, with that host drained. Asks for a literal `yes`.

    \b
    Examples:
      hacore roll --restart nginx
      hacore roll --reboot --stack stacks/web
      hacore roll -- "apt-get -y upgrade && systemctl restart nginx"
      hacore roll --resume 12
    """
    from ...engine.roll import order_of, rest_of, roll
    from ...render.progress import Progress
    from ..interruptible import Stopper, quietly, run

    chosen = _act(words, unit, reboot=reboot)
    if (chosen is None) is (number is None):
        raise UsageError("cannot roll: give one of --restart UNIT, --reboot, -- COMMAND and --resume RUN")
    args = replace(args, stack=folder)
    terminal = args.runtime.terminal
    progress = Progress(terminal)
    means, url = args.means(quietly(progress)), args.state_url()

    async def work(stopper: Stopper) -> RollResult:
        act, wanted = (chosen, list(hosts)) if chosen is not None else rest_of(url, number or 0)
        order = await order_of(means, url, wanted)
        progress.paused = True
        if not auto_approve:
            await _ask(args, act, order)
        stopper.touching = True
        return await roll(means, url, act, order, terminal.tell, stopper.event)

    return _show(args, run(terminal, work, progress=progress))


def _act(words: tuple[str, ...], unit: str | None, *, reboot: bool) -> Act | None:
    from ...engine.roll import Act

    acts = [Act("command", words[0] if len(words) == 1 else shlex.join(words))] if words else []
    acts += [Act("restart", unit)] if unit is not None else []
    acts += [Act("reboot")] if reboot else []
    if len(acts) > 1:
        raise UsageError("cannot roll: give only one of --restart UNIT, --reboot and -- COMMAND")
    return acts[0] if acts else None


async def _ask(args: StackArgs, act: Act, order: list[str]) -> None:
    from ..prompts import ask_yes

    terminal = args.runtime.terminal
    terminal.say(f"One after the other: {', '.join(order)}. Each: drain, {act}, verify, undrain.")
    if not await ask_yes(terminal, "Do you want to do this?"):
        raise Cancelled("roll cancelled")


def _show(args: StackArgs, done: RollResult) -> int:
    from ...printable import one_line

    say = args.runtime.terminal.say
    words = {"done": "done", "failed": "failed", "hold": "not begun"}
    for one in done.hosts:
        say(f"{one.host}: {words[one.status]}" + (f": {one_line(one.error)}" if one.error else ""))
    if done.ok:
        say(f"Roll complete, as run {done.run}.")
        return 0
    say(f"Roll incomplete, as run {done.run}. The remaining hosts: {args.again(f'roll --resume {done.run}')}")
    return 1
