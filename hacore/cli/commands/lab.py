"""`hacore lab`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ..complete import candidates
from ..options import as_json, trusted_stack
from ..runtime import Runtime
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...lab import Lab
    from ...lab.lab import LabInfo
    from ...render.formats import LabJson, LabsJson


@click.group("lab", no_args_is_help=True)
def command() -> None:
    """Run twins of the hosts of a stack on this machine.

    A twin is a container with systemd and sshd that has the true address and
    interface of its host, in a network of its own: it is not visible outside, and
    reaches no real host. Needs root on Linux with systemd-nspawn.

    \b
    Examples:
      hacore lab up stacks/web
      hacore lab exec stacks/web -- hacore apply stacks/web
      hacore lab down stacks/web
    """


@command.command("up")
@stack_options()
@trusted_stack
def up(args: StackArgs) -> int:
    """Start the twins and the bystanders of a stack.

    The first start creates an image of the system, which takes a minute or two;
    later ones take a few seconds. Variables without a value get a placeholder, as
    a lab depends on hosts and addresses only. In a lab that was up before, twins that
    are off start again with their disks; the others are not touched. Twins are not a security boundary: root
    in a twin can become root on this machine.

    \b
    Examples:
      hacore lab up stacks/nginx-keepalived
    """
    from ...lab import Lab
    from ...lab.users import admit
    from ..lab_spec import lab_spec, lab_users, stack_for_lab
    from ..stack_args import providers

    terminal = args.runtime.terminal
    stack = stack_for_lab(args)
    lab = Lab(lab_spec(stack, providers()), say=terminal.tell)
    again = lab.up()
    admit(lab, lab_users(stack))
    if again:
        terminal.say(f"Started again, with their disks: {', '.join(again)}. The other twins were not touched.")
    terminal.say(f"Lab {lab.spec.stack} is up: {', '.join(f'{t.name} {t.address}' for t in lab.spec.twins)}.")
    terminal.say(
        f"Run commands in it: hacore lab exec {args.stack or lab.spec.stack} -- hacore plan {args.stack or ''}".rstrip()
    )
    return 0


@command.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("stack", metavar="STACK", shell_complete=candidates.stack)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_obj
def exec_(runtime: Runtime, stack: str, argv: tuple[str, ...]) -> int:
    """Run a command in the network of a lab.

    There plain ssh reaches the twins. The command runs in this folder, with this environment and these streams; its
    exit code is passed on. The lab has a state of its own for the stack, never that
    of the real hosts.

    \b
    Examples:
      hacore lab exec stacks/web -- hacore plan stacks/web
      hacore lab exec stacks/web -- ssh root@192.168.1.166 ip addr
      hacore lab exec web -- curl http://192.168.1.200/
    """
    words = argv[1:] if argv[0] == "--" else argv
    if not words:
        raise click.UsageError("missing COMMAND: give the command to run in the lab")
    return _lab(StackArgs(runtime, stack)).exec(words)


@command.command("down")
@stack_options(variables=False)
def down(args: StackArgs) -> int:
    """Destroy a lab, complete or not.

    \b
    Examples:
      hacore lab down stacks/nginx-keepalived
      hacore lab down nginx-keepalived
    """
    lab = _lab(args)
    lab.down()
    args.runtime.terminal.say(f"Lab {lab.spec.stack} destroyed.")
    return 0


@command.command("list")
@as_json
@click.pass_obj
def list_(runtime: Runtime, as_json: bool) -> int:
    """List the labs of this machine.

    \b
    Examples:
      hacore lab list
    """
    from ...lab import Lab

    labs = Lab.list_labs()
    if as_json:
        runtime.terminal.say_json(_labs_json(labs))
        return 0
    for lab in labs:
        off = [name for name, on in lab.twins.items() if not on]
        state = "up" if not off else f"{', '.join(off)} off" if lab.alive else "down"
        runtime.terminal.say(f"{lab.name}  {state}  {', '.join(lab.addresses)}")
    if not labs:
        runtime.terminal.say("No labs.")
    return 0


def _labs_json(labs: Iterable[LabInfo]) -> LabsJson:
    from ...plan.public_json import FORMAT_VERSION

    found: list[LabJson] = [
        {"name": lab.name, "alive": lab.alive, "addresses": list(lab.addresses), "twins": dict(lab.twins)}
        for lab in labs
    ]
    return {"format_version": FORMAT_VERSION, "labs": found}


def _lab(args: StackArgs) -> Lab:
    """The lab of a stack, by the name in its file; the stack need not load."""
    from ...lab import Lab
    from ..stack_args import lab_name

    return Lab.named(lab_name(args), say=args.runtime.terminal.tell)
