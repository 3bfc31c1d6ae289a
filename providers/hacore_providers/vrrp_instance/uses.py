"""What an instance uses on its host: the programs that keepalived runs for it, and their accounts."""

from __future__ import annotations

from collections.abc import Iterable

from hacore.contract import Claim, account_claims

from .spec import VrrpInstanceSpec
from .steps import first_words


def programs(specs: Iterable[VrrpInstanceSpec]) -> tuple[str, ...]:
    """The programs that the instances run: check scripts and notify scripts."""
    commands: list[str] = []
    for spec in specs:
        commands += [script.script for script in spec.track_scripts.values()]
        commands += spec.notify.scripts().values()
    return first_words(commands)


def accounts(spec: VrrpInstanceSpec) -> Iterable[Claim]:
    """The accounts of its scripts: USER [GROUP]."""
    named = [script.user for script in spec.track_scripts.values()] + [spec.globals.get("script_user")]
    for text in named:
        user, _, group = text.partition(" ") if isinstance(text, str) else ("", "", "")
        yield from account_claims(user, group.strip())


__all__ = ["accounts", "programs"]
