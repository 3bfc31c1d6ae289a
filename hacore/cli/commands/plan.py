"""`hacore plan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..options import as_json, ask_become_pass, replacing, selection
from ..plan_text import about
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...plan import Selection


@click.command("plan")
@stack_options()
@ask_become_pass
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan to FILE, for `hacore apply FILE`."
)
@click.option(
    "--sign", "sign_with", metavar="KEY", help="Sign FILE with an SSH key, for `hacore apply FILE --signers SIGNERS`."
)
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page for a review."
)
@selection
@replacing
@click.option("--destroy", is_flag=True, help="Plan to destroy all managed resources.")
@click.option("--no-refresh", is_flag=True, help="Compare with the state; contact no host.")
@click.option("--refresh-only", is_flag=True, help="Only what was changed outside of hacore; propose nothing.")
@click.option("--detailed-exitcode", "detailed", is_flag=True, help="Exit with code 2 for changes or drift.")
@click.option("-v", "--verbose", is_flag=True, help="Show the names of what effects only count.")
@click.option("--profile", is_flag=True, help="Print the seconds of each phase to stderr.")
@as_json
def command(
    args: StackArgs,
    out: Path | None,
    sign_with: str | None,
    page: Path | None,
    selection: Selection,
    destroy: bool,
    no_refresh: bool,
    refresh_only: bool,
    detailed: bool,
    verbose: bool,
    profile: bool,
    as_json: bool,
) -> int:
    """Show the changes that bring the hosts to the desired state.

    Reads every host once; writes nothing, neither here nor there, and takes no
    lock. Changes that were made outside of hacore since the last run come first. A
    host that cannot be reached is named, the other hosts are planned, and the exit
    code is 1.

    With --out the plan is saved, which is the only thing that is written. `hacore
    apply FILE` applies exactly that plan, once, and refuses when anything that it
    depends on has changed since. The file (mode 0600) has the contents of files,
    but no sensitive values. It is authenticated by the key of the state. To plan on
    one machine and apply on another, sign it: --sign KEY writes FILE.sig.

    \b
    Examples:
      hacore plan
      hacore plan stacks/nginx-keepalived --env staging
      hacore plan --detailed-exitcode   0: no changes, 1: error or incomplete,
                                        2: changes or drift
      hacore plan --json | jq .summary
      hacore plan --no-refresh          compare with the state, contact no host
      hacore plan --refresh-only        what was changed outside of hacore
      hacore plan --target file.nginx.conf@lb1
      hacore plan --replace service.nginx@lb1
      hacore plan --html review.html    the plan as a page
      hacore plan --out web.plan        then: hacore show web.plan,
                                              hacore apply web.plan
    """
    from ..profile import Clock

    clock = Clock()
    from ...engine import plan

    if sign_with is not None and out is None:
        raise UsageError("cannot use --sign without --out: it signs the saved plan")
    if refresh_only:
        _check_refresh_only(
            {"--out": out, "--destroy": destroy, "--no-refresh": no_refresh, "--replace": selection.replaces}
        )
    if out is not None:
        if no_refresh:
            raise UsageError("cannot save a plan with --no-refresh: an apply compares it with facts of the hosts")
        from ..saved_plans import check

        check(out)
    from ...plan import plan_json
    from ...render.plan import exit_code, plan_text
    from ...render.progress import Progress
    from ..interruptible import quietly, run

    terminal = args.runtime.terminal
    progress = Progress(terminal)
    request = args.request(quietly(progress), selection=selection, refresh=not no_refresh)
    clock.lap("import")
    planned = run(terminal, lambda _: plan(request, destroy=destroy, whole=out is not None), progress=progress)
    clock.lap("engine")
    args.know(planned.stack)
    if refresh_only:
        planned = replace(planned, plan=planned.plan.refresh_only())
    if out is not None:
        from ..saved_plans import save

        save(args, planned, request, out, sign_with)
    if page is not None:
        from ...disk import replace_file
        from ...render.plan_page import plan_page

        made = plan_page(planned.plan, about(planned, args, destroy=destroy, out=out))
        replace_file(page, terminal.redactor.text(made).encode())
    if as_json:
        terminal.say_json(plan_json(planned.plan))
    else:
        shown = about(planned, args, destroy=destroy, out=out, verbose=verbose)
        terminal.say(plan_text(planned.plan, shown, terminal.out_style))
    clock.lap("render")
    if profile:
        terminal.tell(clock.text(planned.phases))
    return exit_code(planned.plan, detailed=detailed)


def _check_refresh_only(given: Mapping[str, object]) -> None:
    for option, value in given.items():
        if value:
            raise UsageError(f"cannot use {option} with --refresh-only: such a plan has no action")
