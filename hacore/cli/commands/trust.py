"""`hacore trust`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ...errors import Cancelled, HostKeyError, UsageError
from ..complete import candidates
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...load.stack import Stack
    from ...model import Host
    from ...render.terminal import Terminal
    from ...transport.trust import Accept, HostKey, PresentedKeys, Trusted


@click.command("trust")
@click.argument("host", metavar="HOST", shell_complete=candidates.host)
@stack_options()
@click.option(
    "--fingerprint",
    "fingerprints",
    metavar="SHA256:…",
    multiple=True,
    help="Accept the key with this fingerprint without a question (repeatable).",
)
def command(args: StackArgs, host: str, fingerprints: tuple[str, ...]) -> int:
    """Show the keys of an unknown host, and add them to known_hosts.

    Reads the host keys of each host on the way there, jump hosts first, shows their
    fingerprints and asks for a literal `yes`; then adds the keys to known_hosts
    (the file of ssh_config, else ~/.ssh/known_hosts), as ssh(1) does. Compare the
    fingerprints with the console of the machine, its cloud-init log, or
    `ssh-keygen -lf` there. A changed key is never accepted: the error names the line
    of known_hosts with the old one.

    \b
    Examples:
      hacore trust lb1
      hacore trust lb1 stacks/nginx-keepalived
      hacore trust lb1 \\
        --fingerprint SHA256:ZVQmDXPa4PmcbsVY6a1/WHGdTfAbLwHNTCkjxUoNwUs
    """
    from ..interruptible import run
    from ..lab_spec import stack_for_lab

    terminal = args.runtime.terminal
    chosen = _host(stack_for_lab(args), host)
    accept = _given(fingerprints) if fingerprints else _asked(terminal)
    result = run(terminal, lambda _: _trust(chosen, accept))
    for keys in result.met:
        count = f"{len(keys.keys)} key{'s' if len(keys.keys) > 1 else ''}"
        terminal.say(f"{keys.label} is trusted now: {count} added to {keys.file}.")
    if not result.met:
        terminal.say(f"{chosen.name} is already trusted.")
    if result.login_error:
        terminal.tell(f"warning: the host is trusted now, but {result.login_error}")
    return 0


async def _trust(host: Host, accept: Accept) -> Trusted:
    from ...transport import Transport

    async with Transport() as transport:
        return await transport.trust(host, accept)


def _host(stack: Stack, word: str) -> Host:
    """A host of the stack by its name or its address. Raises UsageError when there is none."""
    for host in stack.hosts.values():
        if word in (host.name, host.address):
            if host.connection.transport == "local":
                raise UsageError(f"cannot trust {host.name}: it is this machine (transport: local), without SSH")
            return host
    from ...spelling import suggestion

    hint = suggestion(word, stack.hosts, f"its hosts are {', '.join(sorted(stack.hosts)) or 'none'}")
    raise UsageError(f"cannot trust {word}: not a host of the stack; {hint}")


def _asked(terminal: Terminal) -> Accept:
    from ..prompts import ask_yes

    async def accept(host: PresentedKeys) -> Sequence[HostKey]:
        width = max(len(key.algorithm) for key in host.keys)
        terminal.tell(f"Unknown host {host.label}. It presents these keys:\n")
        for key in host.keys:
            terminal.tell(f"  {key.algorithm:<{width}}  {key.fingerprint}")
        terminal.tell("")
        question = f"Are these the keys of {host.label}?"
        details = f"Compare them with the console of the host. They will be added to {host.file}."
        if not await ask_yes(terminal, question, details, option="--fingerprint"):
            raise Cancelled(f"trust cancelled: {host.label} is still unknown")
        return host.keys

    return accept


def _given(fingerprints: Sequence[str]) -> Accept:
    accepted = {text if ":" in text else f"SHA256:{text}" for text in fingerprints}

    async def accept(host: PresentedKeys) -> Sequence[HostKey]:
        found = [key for key in host.keys if key.fingerprint in accepted]
        if not found:
            shown = ", ".join(f"{key.algorithm} {key.fingerprint}" for key in host.keys)
            raise HostKeyError(f"cannot trust {host.label}: none of its keys has this fingerprint; it presents {shown}")
        return found

    return accept
