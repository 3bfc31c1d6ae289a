"""The command `hacore` itself: its commands, each in a module of its own that is imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from .exit_codes import guarded
from .runtime import Runtime

# in the order in which they are used; the module is named after the command
COMMANDS = (
    "init",
    "validate",
    "plan",
    "apply",
    "destroy",
    "import",
    "drift",
    "status",
    "rollback",
    "runs",
    "show",
    "state",
    "unlock",
    "graph",
    "schema",
    "completion",
    "trust",
    "lab",
    "rehearse",
    "version",
)


_MODULES = {"import": "import_"}  # a keyword is no name for a module


class Commands(click.Group):
    """The group of all commands, with our exit codes in place of click's."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".commands.{_MODULES.get(cmd_name, cmd_name)}", __package__).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for an unknown one say which one may be meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no such command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, **_: Any) -> Any:  # type: ignore[override]
        """Run and leave with the exit code; also what click's test runner calls."""
        sys.exit(run(sys.argv[1:] if args is None else list(args)))

    def dispatch(self, argv: Sequence[str], runtime: Runtime) -> Any:
        """Run a command; click's own errors are raised."""
        return super().main(list(argv), prog_name="hacore", standalone_mode=False, obj=runtime)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-C", "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Work in DIR.")
@click.option(
    "--log",
    "level",
    type=click.Choice(["debug", "info", "warning"]),
    help="Write a log to stderr. Secrets are taken out.",
)
@click.option(
    "--version", "version_", is_flag=True, is_eager=True, expose_value=False, callback=lambda *a: _version(*a)
)
@click.pass_obj
def cli(runtime: Runtime, folder: str | None, level: str | None) -> None:
    """Terraform for pairs of real Linux hosts.

    A stack file says what the hosts must be. `hacore plan` shows the way there, `hacore apply` goes
    it and goes back when something breaks, `hacore drift` tells when somebody changed a host by hand.

    \b
    Examples:
      hacore plan                           the stack of this folder, or the only one under stacks/
      hacore apply stacks/nginx-keepalived
      hacore -C /srv/web drift --quiet      for cron
    """
    if folder is not None:
        os.chdir(folder)
        runtime.folder = folder
    if level is not None:
        from .runtime import start_log

        start_log(runtime, level)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from .. import __version__

        ctx.find_root().obj.terminal.say(f"hacore {__version__}")
        ctx.exit()


def run(argv: Sequence[str]) -> int:
    """Run one command with the streams of this process; its exit code."""
    runtime = Runtime.of_process(argv)
    assert isinstance(cli, Commands)
    if "_HACORE_COMPLETE" in runtime.environ:  # a shell asks: see shells
        from .complete.shells import complete

        return complete(cli, runtime)
    group = cli
    return guarded(runtime, lambda: group.dispatch(argv, runtime))
