"""`hacore fleet`: its commands that change hosts; the others are in fleet_reports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ...errors import Cancelled, UsageError
from ..fleet_options import FleetArgs, fleet_argument, processes, where
from ..options import as_json, auto_approve
from .fleet_reports import drift, plan, runs, show, status, validate

if TYPE_CHECKING:
    from ...fleet.record import FleetRun
    from ...fleet.spec import Fleet
    from ...fleet.values import Member


@click.group("fleet", no_args_is_help=True)
def command() -> None:
    """Plan and apply many stacks, in waves.

    fleet.yaml names the stacks, or one template and a table of pairs, and how a
    rollout proceeds: waves, time to soak, budgets of failures. Each stack keeps a
    state of its own.

    \b
    Examples:
      hacore fleet validate
      hacore fleet plan --where region=eu
      hacore fleet apply
      hacore fleet status
      hacore schema fleet > fleet.schema.json
    """


@command.command("apply")
@fleet_argument
@where
@click.option("--resume", type=int, metavar="RUN", help="Continue this interrupted or stopped fleet run.")
@click.option("--retry-failed", "retry", type=int, metavar="RUN", help="Apply what RUN failed or could not reach.")
@processes
@auto_approve
@as_json
def apply(args: FleetArgs, resume: int | None, retry: int | None, auto_approve: bool, as_json: bool) -> int:
    """Apply the stacks of a fleet, wave by wave.

    A wave begins when the one before it was applied, has soaked, and shows no
    drift. When the budget of failed or unreachable stacks is spent, nothing new
    begins. The first Ctrl-C lets running stacks finish; --resume continues. A
    stack that fails is rolled back as by `hacore apply`, the others are not.

    \b
    Examples:
      hacore fleet apply
      hacore fleet apply fleets/edge --where site=lab --auto-approve
      hacore fleet apply --resume 3
      hacore fleet apply --retry-failed 3
    """
    from ...fleet.coordinator import check_unchanged, new_run
    from ...fleet.record import Book, user_and_process
    from ...fleet.values import GOOD

    if resume is not None and (retry is not None or args.where):
        raise UsageError("cannot select with --resume: the run continues with its stacks")
    fleet = args.load()
    book = Book(fleet.records)
    if resume is not None:
        run = book.read(resume)
        check_unchanged(run, fleet.members)
        return _coordinate(args, fleet, book, run, auto_approve=auto_approve, as_json=as_json)
    members = fleet.selected(args.labels)
    if retry is not None:
        before = book.read(retry)
        names = {name for name, outcome in before.outcomes.items() if outcome.result not in GOOD}
        members = {name: member for name, member in members.items() if name in names}
        if not members:
            args.runtime.terminal.say(f"Nothing to retry: fleet run {retry} has no stack that failed.")
            return 0
    run = new_run(fleet, members, user_and_process(), time.time())
    return _coordinate(args, fleet, book, run, auto_approve=auto_approve, as_json=as_json)


@command.command("rollback")
@click.argument("number", type=int, metavar="RUN")
@fleet_argument
@processes
@auto_approve
@as_json
def rollback(args: FleetArgs, number: int, auto_approve: bool, as_json: bool) -> int:
    """Roll back what a fleet run changed, its waves in reverse order.

    A stack that was changed since by another run is refused and listed.

    \b
    Examples:
      hacore fleet rollback 3
      hacore fleet rollback 3 fleets/edge --auto-approve
    """
    from ...fleet.coordinator import check_unchanged, rollback_of
    from ...fleet.record import Book, user_and_process

    fleet = args.load()
    book = Book(fleet.records)
    run = rollback_of(book.read(number), fleet, user_and_process(), time.time())
    check_unchanged(run, fleet.members)
    return _coordinate(args, fleet, book, run, auto_approve=auto_approve, as_json=as_json)


def _coordinate(args: FleetArgs, fleet: Fleet, book: Any, run: FleetRun, *, auto_approve: bool, as_json: bool) -> int:
    """Ask, record, run to the end, report; the exit code."""
    from ...fleet.coordinator import Coordinator, sweep
    from ...fleet.values import GOOD
    from ...render.fleet import run_json, run_text, sweep_text, waves_text
    from ..interruptible import Stopper
    from ..interruptible import run as interruptible
    from ..prompts import ask_yes

    if as_json and not auto_approve:
        raise UsageError("cannot ask for approval with --json: add --auto-approve")
    terminal = args.runtime.terminal
    members: dict[str, Member] = {name: fleet.members[name] for name in run.stacks if name in fleet.members}
    stopper = Stopper(terminal)

    async def work(stopper: Stopper) -> FleetRun:
        engine = args.engine(run.policy.at_once)
        try:
            if not auto_approve:
                if run.verb == "apply":
                    outcomes = await sweep("plan", members.values(), engine, run.policy.at_once)
                    terminal.say(sweep_text(fleet.name, outcomes))
                terminal.say(waves_text(run.waves))
                if not await ask_yes(terminal, f"Do you want to {_words(run.verb)} these stacks?"):
                    raise Cancelled(f"fleet {run.verb} cancelled")
            stopper.touching = True
            recorded = run if run.id else book.create(run)
            with book.coordinating(recorded.id):
                known = book.read(recorded.id)
                if known.status == "stopped":
                    raise UsageError(
                        f"cannot resume fleet run {known.id}: it ended ({known.why}); `--retry-failed {known.id}` "
                        "applies what failed, and `hacore fleet apply` begins a new one"
                    )
                return await Coordinator(book, engine, members, args.tell, stopper.event).go(known)
        finally:
            await engine.close()

    done = interruptible(terminal, work, stopper=stopper)
    if as_json:
        terminal.say_json(run_json(done, alive=False))
    else:
        terminal.say(run_text(done, alive=False))
    if done.status == "running":
        terminal.tell(f"Continue with `hacore fleet apply --resume {done.id}`.")
        return stopper.code or 1
    good = all(name in done.outcomes and done.outcomes[name].result in GOOD for name in done.stacks)
    return 0 if done.status == "done" and good else 1


def _words(verb: str) -> str:
    return "roll back" if verb == "rollback" else "apply"


for _each in (drift, plan, runs, show, status, validate):
    command.add_command(_each)

__all__ = ["command"]
