"""The commands of hacore as their parser has them: what the command reference and the manual pages are written from."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "providers"), str(ROOT / "docs" / "examples" / "hacore-command")]

from hacore.cli.app import cli  # noqa: E402

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a help text: a paragraph, or lines that stay as they are."""

    text: str
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class CommandText:
    """One command: its words after `hacore`, its usage, its help in parts, its options and its subcommands."""

    words: tuple[str, ...]
    usage: str
    summary: str
    parts: tuple[Part, ...]
    options: tuple[tuple[str, str], ...]
    subcommands: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """With `hacore` in front: `hacore state show`."""
        return " ".join(("hacore", *self.words))


def every_command() -> Iterator[CommandText]:
    """hacore itself, then each command and subcommand, in the order of its help."""
    yield from _walk(cli, ())


def _walk(command: click.Command, words: tuple[str, ...]) -> Iterator[CommandText]:
    ctx = click.Context(command, info_name=" ".join(("hacore", *words)), max_content_width=WIDTH)
    below: list[tuple[str, click.Command]] = []
    if isinstance(command, click.Group):
        found = ((name, command.get_command(ctx, name)) for name in command.list_commands(ctx))
        below = [(name, child) for name, child in found if child is not None]
    records = (parameter.get_help_record(ctx) for parameter in command.get_params(ctx))
    yield CommandText(
        words,
        " ".join(command.get_usage(ctx).removeprefix("Usage: ").split()),
        _first_sentence(command),
        tuple(parts_of(command.help or "")),
        tuple(record for record in records if record is not None),
        tuple((name, _first_sentence(child)) for name, child in below),
    )
    for name, child in below:
        yield from _walk(child, (*words, name))


def _first_sentence(command: click.Command) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split())


def parts_of(text: str) -> Iterator[Part]:
    r"""The parts of a help text; a paragraph that begins with `\b` keeps its lines, as click prints it."""
    for paragraph in re.split(r"\n\s*\n", text.replace("\r", "")):
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            yield Part("\n".join(lines[1:]), verbatim=True)
        elif paragraph.strip():
            yield Part(" ".join(paragraph.split()))
