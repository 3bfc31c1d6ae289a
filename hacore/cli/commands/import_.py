"""`hacore import`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ...address import Address
from ...errors import Cancelled, UsageError
from ..complete import candidates
from ..options import as_json, ask_become_pass, auto_approve
from ..stack_args import StackArgs, stack_option, stack_options

if TYPE_CHECKING:
    from ...engine import Adoption
    from ...render.progress import Progress


@click.command("import")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...", shell_complete=candidates.written)
@stack_options(argument=False)
@ask_become_pass
@stack_option
@auto_approve
@as_json
def command(args: StackArgs, addresses: tuple[str, ...], folder: str | None, auto_approve: bool, as_json: bool) -> int:
    """Record existing resources in the state, as they are now.

    The stack must describe the addresses. No host is changed: where a resource
    differs from the stack, the next plan shows the change, and `destroy` restores
    the imported content. Shows the resources and asks for a literal
    `yes`.

    \b
    Examples:
      hacore import file.nginx.conf                 on all of its hosts
      hacore import service.nginx@lb1 package.web@lb1 --stack stacks/web
    """
    from ...engine import adopt
    from ...render.adoption import adopted_text, adoption_json, adoption_text
    from ...render.progress import Progress
    from ..interruptible import Stopper, quietly, run

    if as_json and not auto_approve:
        raise UsageError("cannot ask for approval with --json: add --auto-approve")
    args = replace(args, stack=folder)
    terminal = args.runtime.terminal
    args.runtime.json = as_json
    progress = Progress(terminal)
    request = args.request(quietly(progress))
    selectors = [Address.parse(text) for text in addresses]

    async def approve(shown: Adoption) -> bool:
        args.know(shown.planned.stack)
        if as_json:
            return True
        _pause(progress)
        terminal.say(adoption_text(shown, terminal.out_style))
        terminal.say("")
        return auto_approve or await _ask(args)

    async def work(_: Stopper) -> Adoption:
        return await adopt(request, selectors, approve=approve)

    done = run(terminal, work, progress=progress)
    if as_json:
        terminal.say_json(adoption_json(done))
    else:
        terminal.say(adopted_text(done, args.again("plan", done.planned.stack), terminal.out_style))
    return 0


def _pause(progress: Progress) -> None:
    progress.paused = True


async def _ask(args: StackArgs) -> bool:
    from ..prompts import ask_yes

    if not await ask_yes(args.runtime.terminal, "Do you want to record these resources?"):
        raise Cancelled("import cancelled")
    return True
