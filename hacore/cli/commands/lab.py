"""`hacore lab`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..complete import candidates
from ..options import as_json
from ..runtime import Runtime
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...lab import Lab


@click.group("lab", no_args_is_help=True)
def command() -> None:
    """Bring up twins of a stack's hosts on this machine.

    A twin is a container with systemd and sshd that has its host's true address and interface, in a
    network of its own: nothing of it is seen outside, and no real host is reached from inside.
    Needs root on Linux with systemd-nspawn.

    \b
    Examples:
      hacore lab up stacks/nginx-keepalived
      hacore lab exec stacks/nginx-keepalived -- hacore apply stacks/nginx-keepalived
      hacore lab down stacks/nginx-keepalived
    """


@command.command("up")
@stack_options()
def up(args: StackArgs) -> int:
    """Bring up the twins and the bystanders of a stack.

    The first time an image of the system is made, which takes a minute or two; after that a lab is
    up in a few seconds. Variables without a value get a placeholder: only the hosts count here.

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
    lab.up()
    admit(lab, lab_users(stack))
    terminal.say(f"Lab {lab.spec.stack} is up: {', '.join(f'{t.name} {t.address}' for t in lab.spec.twins)}.")
    terminal.say(
        f"To work in it: hacore lab exec {args.stack or lab.spec.stack} -- hacore plan {args.stack or ''}".rstrip()
    )
    return 0


@command.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("stack", metavar="STACK", shell_complete=candidates.stack)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_obj
def exec_(runtime: Runtime, stack: str, argv: tuple[str, ...]) -> int:
    """Run a command in the network of a lab, where plain ssh reaches the twins.

    The command runs in this folder, with this environment and these streams; its exit code is
    passed on. The state of the stack is one of the lab's own, never that of the real hosts.

    \b
    Examples:
      hacore lab exec stacks/nginx-keepalived -- hacore plan stacks/nginx-keepalived
      hacore lab exec stacks/nginx-keepalived -- ssh root@192.168.1.166 ip addr
      hacore lab exec nginx-keepalived -- curl http://192.168.1.200/
    """
    words = argv[1:] if argv[0] == "--" else argv
    if not words:
        raise click.UsageError("missing COMMAND: what is to be run in the lab")
    return _lab(StackArgs(runtime, stack)).exec(words)


@command.command("down")
@stack_options(variables=False)
def down(args: StackArgs) -> int:
    """Take a lab away, whole, half-made or crashed.

    \b
    Examples:
      hacore lab down stacks/nginx-keepalived
      hacore lab down nginx-keepalived
    """
    lab = _lab(args)
    lab.down()
    args.runtime.terminal.say(f"Lab {lab.spec.stack} is gone.")
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
        runtime.terminal.say_json(
            [{"name": lab.name, "alive": lab.alive, "addresses": list(lab.addresses)} for lab in labs]
        )
        return 0
    for lab in labs:
        state = "up" if lab.alive else "down"
        runtime.terminal.say(f"{lab.name}  {state}  {', '.join(lab.addresses)}")
    if not labs:
        runtime.terminal.say("No labs.")
    return 0


def _lab(args: StackArgs) -> Lab:
    """The lab of a stack, by the name that its file has; also a stack that does not load any more has one."""
    from ...lab import Lab
    from ..stack_args import lab_name

    return Lab.named(lab_name(args), say=args.runtime.terminal.tell)
