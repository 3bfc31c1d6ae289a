"""`hacore completion`."""

from __future__ import annotations

import click

from ..runtime import Runtime


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the completion script for a shell.

    It completes commands, stacks, addresses, hosts and runs from the stack file and
    its SQLite state. It contacts neither hosts nor database servers.

    \b
    Examples:
      hacore completion fish > ~/.config/fish/completions/hacore.fish
      source <(hacore completion bash)      # in ~/.bashrc
      source <(hacore completion zsh)       # in ~/.zshrc, after compinit
    """
    from ..complete.shells import script

    runtime = ctx.find_object(Runtime)
    assert runtime is not None
    runtime.terminal.say(script(ctx.find_root().command, shell).rstrip("\n"))
    return 0
