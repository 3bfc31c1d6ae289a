"""`hacore rehearse`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ..options import as_json, trusted_stack
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...contract import Provider
    from ...load.stack import Stack


@click.command("rehearse")
@stack_options()
@click.option("--keep", is_flag=True, help="Keep the twins running when the rehearsal fails.")
@click.option("--maintenance", is_flag=True, help="Also reboot the hosts one after the other, and drill the fail-over.")
@trusted_stack
@as_json
def command(args: StackArgs, as_json: bool, keep: bool, maintenance: bool) -> int:
    """Rehearse the life of a stack on twins of its hosts.

    For CI, of stacks that are trusted (--trusted-stack): twins are not a security
    boundary. On bare twins in a network of their own: plan, apply, a second plan that must be
    empty; a file on each host and a service on one are changed by hand, which drift
    must report and apply must repair; rollback must restore every byte, and destroy
    the original twins. No real host is reached. Needs root on Linux with
    systemd-nspawn. Exit code 0: all steps passed.

    \b
    Examples:
      hacore rehearse stacks/nginx-keepalived
      hacore rehearse --trusted-stack --var-file ci.yaml --json >report.json
      hacore rehearse --maintenance --keep
    """
    from ...engine import load_stack
    from ...events import silent
    from ...graph import build_graph
    from ...lab import Lab
    from ...lab.rehearsal import Rehearsal, rehearsal_spec
    from ...render.rehearsal import report_json, report_text
    from ..lab_spec import lab_spec, lab_users
    from ..stack_args import providers

    if args.state is not None:
        raise click.UsageError("cannot use --state with rehearse: a rehearsal has a state of its own")
    terminal = args.runtime.terminal
    request = args.request(silent)
    stack = load_stack(request)
    args.know(stack)
    build_graph(stack, request.means.providers)
    _no_real_host(stack)
    kinds = providers()
    lab = Lab(rehearsal_spec(lab_spec(stack, kinds)), say=terminal.tell)
    folder, options = str(request.load.file.absolute()), _options(args)
    rehearsal = Rehearsal(
        lab,
        stack.name,
        lambda words: [words[0], *_named(words[0], folder), *_fitting(words[0], options), *words[1:]],
        _claims(stack, kinds),
        lab_users(stack),
        maintenance,
        say=terminal.tell,
    )
    report = rehearsal.play(keep=keep)
    if as_json:
        terminal.say_json(report_json(report))
    else:
        terminal.say(report_text(report, terminal.out_style))
        if keep and not report.ok:
            name = lab.spec.stack
            terminal.say(
                f"The twins are running: hacore lab exec {name} -- ssh {report.hosts[0]}; hacore lab down {name}"
            )
    return 0 if report.ok else 1


def _no_real_host(stack: Stack) -> None:
    real = [name for name, host in stack.hosts.items() if host.connection.transport != "ssh"]
    if real:
        raise UsageError(
            f"cannot rehearse {stack.name}: {', '.join(real)} is this machine (transport: local), which has no "
            "twin; give it an address and transport: ssh in an environment for rehearsals (--env)"
        )


def _claims(stack: Stack, kinds: Mapping[str, Provider[Any]]) -> dict[str, list[str]]:
    return {
        str(address): [c.token for c in kinds[address.kind].claims(instance.spec) if c.mode == "own"]
        for address, instance in stack.instances.items()
    }


def _options(args: StackArgs) -> dict[str, list[str]]:
    """The options that select the stack, for hacore in the lab."""
    variables = [word for text in args.var for word in ("--var", text)]
    files = [word for path in args.var_file for word in ("--var-file", str(path.absolute()))]
    return {"variables": [*variables, *files], "env": ["--env", args.env] if args.env else []}


def _named(verb: str, folder: str) -> list[str]:
    """The stack, as a command takes it."""
    return ["--stack", folder] if verb == "roll" else [folder]


def _fitting(verb: str, options: Mapping[str, list[str]]) -> list[str]:
    """The options that a command accepts: drift and rollback have no variables."""
    return [*(options["variables"] if verb in ("plan", "apply", "destroy") else []), *options["env"]]
