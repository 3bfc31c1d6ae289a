"""Candidates for completion in a shell: stacks, addresses, runs, hosts, environments.

Each function is a `shell_complete` of click, with the context so far and the incomplete word. They never fail:
what cannot be found out is not offered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from .lookup import Known

T = TypeVar("T")


def stack(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Stacks below `stacks/`, else folders."""
    return _stacks(ctx, incomplete) or [CompletionItem(incomplete, type="dir")]


def stack_or_file(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Stacks below `stacks/`, else files."""
    return _stacks(ctx, incomplete) or [CompletionItem(incomplete, type="file")]


def recorded(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Addresses in the state."""
    return _items(_narrowed(_list(_known(ctx).addresses), incomplete))


def written(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Resources of the stack."""
    return _items(_starting(_list(_known(ctx).written), incomplete))


def address(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Addresses in the state, and resources of the stack that are not recorded yet."""
    known = _known(ctx)
    return _items(_narrowed([*_list(known.addresses), *_list(known.written)], incomplete))


def recorded_or_stack(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`[STACK] [ADDRESS]`: addresses in the state, and stacks; else files."""
    found = [*recorded(ctx, param, incomplete), *([] if _named(ctx) else _stacks(ctx, incomplete))]
    return found or [CompletionItem(incomplete, type="file")]


def run_or_stack(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`[STACK] [RUN]`: numbers of runs, and stacks; else folders."""
    runs = [
        CompletionItem(number, help=about) for number, about in _list(_known(ctx).runs) if number.startswith(incomplete)
    ]
    found = [*runs, *([] if _named(ctx) else _stacks(ctx, incomplete))]
    return found or [CompletionItem(incomplete, type="dir")]


def host(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Hosts of the state and of the stack."""
    known = _known(ctx)
    return _items(_starting([*_list(known.hosts), *_list(known.written_hosts)], incomplete))


def environment(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names in `env/`."""
    return _items(_starting(_list(_known(ctx).environments), incomplete))


def _stacks(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """`stacks/NAME`, or NAME alone when the user began with it."""
    base = _base(ctx)
    with suppress(OSError):
        names = sorted(path.name for path in (base / "stacks").iterdir() if any(path.glob("stack.y*ml")))
        return _items(_starting([f"stacks/{name}" for name in names], incomplete) or _starting(names, incomplete))
    return []


def _narrowed(addresses: Iterable[str], incomplete: str) -> list[str]:
    """The addresses, first without host and key; with these as soon as there is only one choice."""
    levels: list[dict[str, None]] = [{}, {}, {}]
    for text in addresses:
        with_key = _without_host(text)
        for level, name in zip(levels, (with_key.partition("[")[0], with_key, text), strict=True):
            level[name] = None
    found: dict[str, None] = {}
    for level in levels:
        if len(found) < 2:
            found.update(dict.fromkeys(_starting(level, incomplete)))
    return list(found)


def _without_host(address: str) -> str:
    """An address up to its `@`; an `@` in a key does not count."""
    head, at, host = address.rpartition("@")
    return head if at and "]" not in host else address


def _starting(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _items(words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words]


def _list(ask: Callable[[], list[T]]) -> list[T]:
    try:
        return ask()
    except Exception:  # errors in stack or state must not disturb the user while typing
        return []


def _known(ctx: click.Context) -> Known:
    from .lookup import Known  # imported here: all commands import this module

    given = ctx.params
    return Known(_base(ctx), _named(ctx), given.get("env"), given.get("state"), os.environ)


def _base(ctx: click.Context) -> Path:
    """The folder of the command: `-C` is not applied yet."""
    return Path.cwd() / (ctx.find_root().params.get("folder") or "")


def _named(ctx: click.Context) -> str | None:
    """The stack, if the user has named it: by argument, by --stack, or among other words."""
    given = ctx.params.get("stack") or (ctx.params.get("folder") if ctx.parent is not None else None)
    if given is not None:
        return str(given)
    base = _base(ctx)
    for word in ctx.params.get("words") or ():
        if not word.isdigit() and ("." not in word or (base / word).exists()):
            return str(word)
    for word in ctx.args:  # before an option without a value yet, click has not parsed the arguments
        if (base / word).exists() or (base / "stacks" / word).exists():
            return str(word)
    return None
