"""The commands of `hacore fleet` that change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..fleet_options import FleetArgs, fleet_argument, processes, where
from ..options import as_json

if TYPE_CHECKING:
    from ...fleet.record import Book, FleetRun
    from ...fleet.values import Outcome

_metrics = click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write Prometheus metrics to FILE.",
)


@click.command("validate")
@fleet_argument
@as_json
def validate(args: FleetArgs, as_json: bool) -> int:
    """Check a fleet and all of its stacks without a host.

    All mistakes of fleet.yaml and its table are reported at once, with file, line
    and column; then those of the stacks.

    \b
    Examples:
      hacore fleet validate
      hacore fleet validate fleets/edge
    """
    from ...engine import Means, load_stack
    from ...errors import HacoreError, StackError
    from ...fleet.units import request_of
    from ...render.fleet import sweep_json, waves_text
    from .. import stack_args

    fleet = args.load()
    means = Means(stack_args.providers())
    problems = []
    for member in fleet.members.values():
        try:
            load_stack(request_of(member, means, closed=True))
        except StackError as error:
            problems += [one for one in error.problems if one not in problems]
        except HacoreError as error:
            raise type(error)(f"{member.name}: {error}") from error
    if problems:
        raise StackError(problems)
    if as_json:
        args.runtime.terminal.say_json(sweep_json(fleet.name, "validate", fleet.members, {}))
    else:
        args.runtime.terminal.say(
            f"Fleet {fleet.name} is valid: {len(fleet.members)} stacks.\n{waves_text(fleet.waves(list(fleet.members)))}"
        )
    return 0


@click.command("plan")
@fleet_argument
@where
@processes
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@_metrics
@as_json
def plan(args: FleetArgs, detailed_exitcode: bool, metrics: Path | None, as_json: bool) -> int:
    """Plan all stacks of a fleet; equal plans are shown as one group.

    \b
    Examples:
      hacore fleet plan
      hacore fleet plan --where region=eu --detailed-exitcode
      hacore fleet plan --json
    """
    code = _sweep(args, "plan", metrics, as_json=as_json)
    return code if detailed_exitcode or code == 1 else 0


@click.command("drift")
@fleet_argument
@where
@processes
@_metrics
@as_json
def drift(args: FleetArgs, metrics: Path | None, as_json: bool) -> int:
    """Report changes that were made outside of hacore, on all stacks.

    Exits with 0 when there is none, 2 with drift, 1 when a stack could not be
    checked.

    \b
    Examples:
      hacore fleet drift
      hacore fleet drift --metrics /var/lib/node_exporter/fleet.prom
    """
    return _sweep(args, "drift", metrics, as_json=as_json)


def _sweep(args: FleetArgs, verb: Literal["plan", "drift"], metrics: Path | None, *, as_json: bool) -> int:
    from ...fleet.coordinator import sweep
    from ...render.fleet import sweep_json, sweep_text
    from ..interruptible import Stopper, run

    fleet = args.load()
    members = fleet.selected(args.labels)
    terminal = args.runtime.terminal

    async def work(_: Stopper) -> dict[str, Outcome]:
        engine = args.engine(fleet.rollout.at_once)
        try:
            return await sweep(verb, members.values(), engine, fleet.rollout.at_once)
        finally:
            await engine.close()

    outcomes = run(terminal, work)
    if metrics is not None:
        from ..cron.fleet_metrics import write_metrics

        write_metrics(metrics, fleet.name, verb, [outcome.result for outcome in outcomes.values()])
    if as_json:
        terminal.say_json(sweep_json(fleet.name, verb, members, outcomes))
    else:
        terminal.say(sweep_text(fleet.name, outcomes))
    results = {outcome.result for outcome in outcomes.values()}
    return 1 if results & {"failed", "unreachable"} else 2 if "differs" in results else 0


@click.command("runs")
@fleet_argument
@as_json
def runs(args: FleetArgs, as_json: bool) -> int:
    """List the runs of a fleet.

    \b
    Examples:
      hacore fleet runs
      hacore fleet runs fleets/edge --json
    """
    from ...render.fleet import runs_json, runs_text

    fleet = args.load()
    book = _book(args)
    found = [book.read(number) for number in book.numbers()]
    alive = frozenset(run.id for run in found if book.is_running(run.id))
    if as_json:
        args.runtime.terminal.say_json(runs_json(fleet.name, found, alive))
    elif found:
        args.runtime.terminal.say(runs_text(found, alive))
    return 0


@click.command("status")
@fleet_argument
@click.option("--run", "number", type=int, metavar="RUN", help="Show this fleet run (default: the newest one).")
@_metrics
@as_json
def status(args: FleetArgs, number: int | None, metrics: Path | None, as_json: bool) -> int:
    """Show a fleet run by waves, also while it is running.

    \b
    Examples:
      hacore fleet status
      hacore fleet status --run 3 --json
    """
    from ...render.fleet import run_json, run_text

    run, alive = _read(_book(args), number)
    if metrics is not None:
        from ..cron.fleet_metrics import write_metrics

        write_metrics(metrics, run.fleet, run.verb, [run.result(name) for name in run.stacks])
    if as_json:
        args.runtime.terminal.say_json(run_json(run, alive=alive))
    else:
        args.runtime.terminal.say(run_text(run, alive=alive))
    return 0


@click.command("show")
@click.argument("number", type=int, metavar="RUN")
@click.argument("stack", metavar="STACK")
@fleet_argument
def show(args: FleetArgs, number: int, stack: str) -> int:
    """Show one stack of a fleet run.

    \b
    Examples:
      hacore fleet show 3 edge-1
      hacore fleet show 3 edge-1 fleets/edge
    """
    from ...errors import UsageError
    from ...render.fleet import stack_text
    from ...spelling import suggestion

    run, _ = _read(_book(args), number)
    if stack not in run.stacks:
        hint = suggestion(stack, run.stacks, "`hacore fleet status` lists the stacks")
        raise UsageError(f"cannot find {stack} in fleet run {number}: {hint}")
    args.runtime.terminal.say(stack_text(run, stack))
    return 0


def _book(args: FleetArgs) -> Book:
    from ...fleet.record import Book

    return Book(args.load().records)


def _read(book: Book, number: int | None) -> tuple[FleetRun, bool]:
    run = book.read(number)
    return run, book.is_running(run.id)


__all__ = ["drift", "plan", "runs", "show", "status", "validate"]
