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
    help="Accept the key with this fingerprint, and do not ask; can be repeated.",
)
def command(args: StackArgs, host: str, fingerprints: tuple[str, ...]) -> int:
    """Show the keys of a host that was never met from here, and remember them.

    Asks each host on the way there, the jump hosts first, for its host keys, shows their fingerprints
    and asks for a literal `yes`; then the keys are added to known_hosts (the file that ssh_config
    names, else ~/.ssh/known_hosts), as ssh(1) would. Compare the fingerprints with what the machine
    itself says: its console or cloud-init's log shows them, or `ssh-keygen -lf` there. A key that has
    changed is never accepted: the error names the line of known_hosts that has the old one.

    \b
    Examples:
      hacore trust lb1
      hacore trust lb1 stacks/nginx-keepalived
      hacore trust lb1 --fingerprint SHA256:ZVQmDXPa4PmcbsVY6a1/WHGdTfAbLwHNTCkjxUoNwUs
    """
    from ..interruptible import run
    from ..lab_spec import stack_for_lab

    terminal = args.runtime.terminal
    chosen = _host(stack_for_lab(args), host)
    accept = _given(fingerprints) if fingerprints else _asked(terminal)
    result = run(terminal, lambda _: _trust(chosen, accept))
    for meeting in result.met:
        count = f"{len(meeting.keys)} key{'s' if len(meeting.keys) > 1 else ''}"
        terminal.say(f"{meeting.label} is trusted from now on: {count} added to {meeting.file}.")
    if not result.met:
        terminal.say(f"{chosen.name} is trusted already.")
    if result.login_error:
        terminal.tell(f"warning: its key is known now, but {result.login_error}")
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
                raise UsageError(f"cannot trust {host.name}: it is this machine, which is not reached over SSH")
            return host
    from difflib import get_close_matches

    close = get_close_matches(word, stack.hosts, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(stack.hosts)) or 'none'}"
    raise UsageError(f"cannot trust {word}: the stack has no such host; {hint}")


def _asked(terminal: Terminal) -> Accept:
    from ..prompts import ask_yes

    async def accept(meeting: PresentedKeys) -> Sequence[HostKey]:
        width = max(len(key.algorithm) for key in meeting.keys)
        terminal.tell(f"{meeting.label} was never met from here. It shows:\n")
        for key in meeting.keys:
            terminal.tell(f"  {key.algorithm:<{width}}  {key.fingerprint}")
        terminal.tell("")
        question = f"Are these the keys of {meeting.label}?"
        details = f"They will be added to {meeting.file}."
        if not await ask_yes(terminal, question, details, option="--fingerprint"):
            raise Cancelled(f"trust cancelled: {meeting.label} stays unknown")
        return meeting.keys

    return accept


def _given(fingerprints: Sequence[str]) -> Accept:
    wanted = {text if ":" in text else f"SHA256:{text}" for text in fingerprints}

    async def accept(meeting: PresentedKeys) -> Sequence[HostKey]:
        found = [key for key in meeting.keys if key.fingerprint in wanted]
        if not found:
            shown = ", ".join(f"{key.algorithm} {key.fingerprint}" for key in meeting.keys)
            raise HostKeyError(f"cannot trust {meeting.label}: no key of it has that fingerprint; it shows {shown}")
        return found

    return accept
