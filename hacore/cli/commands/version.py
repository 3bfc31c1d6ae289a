"""`hacore version`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..options import as_json
from ..runtime import Runtime

if TYPE_CHECKING:
    from ...render.formats import VersionJson


@click.command("version")
@as_json
@click.pass_obj
def command(runtime: Runtime, as_json: bool) -> int:
    """Print the version; warn of kinds that cannot be used.

    \b
    Examples:
      hacore version
      hacore version --json
      hacore --version
    """
    from ... import __version__
    from ..stack_args import providers

    refused = list(getattr(providers(), "refused", {}).values())
    if as_json:
        runtime.terminal.say_json(_report(__version__, refused))
        return 0
    runtime.terminal.say(f"hacore {__version__}")
    for why in refused:
        runtime.terminal.tell(f"warning: {why}")
    return 0


def _report(version: str, refused: Sequence[object]) -> VersionJson:
    from ...plan.public_json import FORMAT_VERSION

    return {"format_version": FORMAT_VERSION, "hacore": version, "warnings": [str(why) for why in refused]}
