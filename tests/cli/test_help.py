"""Help texts: each command's fits a terminal of 80 columns, begins with a verb, and shows defaults."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from hacore.cli.app import cli
from tests.cli.conftest import Console

COLUMNS = 80


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from commands(found, (*path, name))


ALL = dict(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(path) or "hacore")
def test_help_fits_80_columns(console: Console, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    done = console(*path, "--help")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line for line in lines if len(line) > COLUMNS] == []
    assert "  Examples:" in lines
    _, _, listed = done.out.partition("\nCommands:\n")
    assert [line for line in listed.splitlines() if line.endswith("...")] == [], "a summary is cut"


@pytest.mark.parametrize("path", [path for path in ALL if path], ids=" ".join)
def test_help_begins_with_an_imperative(path: tuple[str, ...]) -> None:
    command = ALL[path]
    first, verb = (command.help or "").splitlines()[0], (command.help or "").split()[0]
    assert first.endswith(".")
    assert verb[0].isupper() and verb.isalpha() and not verb.endswith("s")
    for option in (p for p in command.params if isinstance(p, click.Option)):
        assert option.help and option.help.endswith("."), f"{path}: {option.opts}"


def test_options_show_units_and_defaults() -> None:
    for path, command in ALL.items():
        for option in (p for p in command.params if isinstance(p, click.Option)):
            text = option.help or ""
            if option.type.name == "duration":
                assert option.metavar == "TIME", path
            shown = option.show_default or "default" in text or not isinstance(option.default, str | int)
            assert shown or isinstance(option.default, bool) or option.is_flag, f"{path}: {option.opts}"
