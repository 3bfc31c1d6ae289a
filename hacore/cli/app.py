"""The command `hacore`, and its commands: each is a module that is imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from . import extensions
from .exit_codes import guarded
from .runtime import Runtime

# in the order of use; the module has the name of the command
COMMANDS = (
    "init",
    "validate",
    "plan",
    "apply",
    "destroy",
    "import",
    "drift",
    "status",
    "report",
    "drain",
    "undrain",
    "move",
    "roll",
    "drill",
    "rollback",
    "runs",
    "show",
    "output",
    "console",
    "state",
    "unlock",
    "graph",
    "inventory",
    "schema",
    "completion",
    "trust",
    "fleet",
    "lab",
    "rehearse",
    "version",
)


_MODULES = {"import": "import_"}  # a keyword cannot name a module


class Commands(click.Group):
    """The group of all commands, with exit codes of hacore instead of those of click."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order of use; then those that other packages bring."""
        return [*COMMANDS, *extensions.names(COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return extensions.load(cmd_name)
        command: click.Command = import_module(f".commands.{_MODULES.get(cmd_name, cmd_name)}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help; those of other packages are not imported for it."""
        own = {name: self.get_command(ctx, name) for name in COMMANDS}
        width = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        rows = [(name, command.get_short_help_str(width)) for name, command in own.items() if command is not None]
        rows += [(name, extensions.summary(name)) for name in extensions.names(COMMANDS)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Raises click.UsageError with a suggestion for an unknown one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from ..spelling import suggestion

            known = self.list_commands(ctx)
            hint = suggestion(args[0], known, f"the commands are {', '.join(known)}")
            raise click.UsageError(f"unknown command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, **_: Any) -> Any:  # type: ignore[override]
        """Run and exit with the exit code; the test runner of click calls it, too."""
        sys.exit(run(sys.argv[1:] if args is None else list(args)))

    def dispatch(self, argv: Sequence[str], runtime: Runtime) -> Any:
        """Run a command. Raises the errors of click."""
        return super().main(list(argv), prog_name="hacore", standalone_mode=False, obj=runtime)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.option(
    "-C", "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Change to directory DIR first."
)
@click.option(
    "--log",
    "level",
    type=click.Choice(["debug", "info", "warning"]),
    help="Write a log to stderr, with secrets masked.",
)
@click.option(
    "--version",
    "version_",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda *a: _version(*a),
    help="Print the version and exit.",
)
@click.pass_obj
def cli(runtime: Runtime, folder: str | None, level: str | None) -> None:
    """Terraform for pairs of real Linux hosts.

    A stack file describes the desired state of the hosts. `hacore plan` shows the
    changes that are needed, `hacore apply` performs them and rolls back when one
    fails, `hacore drift` reports changes that were made outside of hacore.

    \b
    Examples:
      hacore plan                       the stack of this folder, or the only one
                                        under stacks/
      hacore apply stacks/nginx-keepalived
      hacore -C /srv/web drift --quiet  for cron
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
    if "_HACORE_COMPLETE" in runtime.environ:  # called by a shell for completion
        from .complete.shells import complete

        return complete(cli, runtime)
    group = cli
    return guarded(runtime, lambda: group.dispatch(argv, runtime))
