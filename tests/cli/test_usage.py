"""Wrong usage, help, and how commands are found."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest

from hacore import __version__
from hacore.cli.app import COMMANDS, cli
from tests.cli.conftest import Console


def commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)  # type: ignore[attr-defined]
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, sub) for sub in command.commands]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_a_paragraph_and_examples(console: Console, words: tuple[str, ...]) -> None:
    done = console(*words, "--help")
    assert done.code == 0
    assert done.err == ""
    usage, paragraph, *_ = done.out.split("\n\n")
    assert usage.startswith(f"Usage: hacore {' '.join(words)}")
    assert paragraph.strip()
    assert re.search(rf"Examples:\n +(\S.* )?hacore .*{words[0]}", done.out)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), "Usage: hacore"),
        (("plann",), "error: unknown command 'plann': did you mean plan?"),
        (("frobnicate",), "error: unknown command 'frobnicate': the commands are init, validate"),
        (("plan", "--nope"), "error: no such option"),
        (("plan", "--var", "secret-value"), "write NAME=VALUE"),
        (("plan", "--var-file", "/proc/nowhere.yaml"), "/proc/nowhere.yaml"),
        (("plan", "one", "two"), "error: "),
        (("apply", "--parallelism", "0"), "error: "),
        (("apply", "--on-failure", "explode"), "error: "),
        (("apply", "--json"), "add --auto-approve"),
        (("drift", "--timeout", "0"), "error: "),
        (("rollback", "1", "2"), "error: cannot use two runs"),
        (("state", "show"), "error: missing argument"),
        (("state", "show", "no-address"), "error: cannot read address"),
        (("state",), "Usage: hacore state"),
        (("lab", "exec"), "error: missing argument"),
        (("-C", "/proc/nowhere", "plan"), "error: "),
        (("plan", "stacks/none"), "error: cannot find a stack at 'stacks/none'"),
        (("plan",), "error: cannot choose a stack"),
        (("plan", "--target", "no-address"), "error: cannot read address"),
    ],
)
def test_wrong_usage_is_64_and_says_what_is_wrong(console: Console, argv: tuple[str, ...], words: str) -> None:
    done = console(*argv)
    assert done.code == 64
    assert done.out == ""
    assert words in done.err
    assert "secret-value" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("argv", [["--version"], ["version"]])
def test_the_version_costs_no_import(argv: list[str]) -> None:
    script = (
        "import sys; from hacore.cli import main; sys.argv[1:] = eval(sys.argv[1]); code = main();"
        "print(code, sorted({'click', 'asyncio', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, repr(argv)], capture_output=True, text=True, check=True)
    assert done.stdout == f"hacore {__version__}\n0 []\n"


def test_the_version_with_other_options(console: Console) -> None:
    assert console("-C", ".", "--version").out == f"hacore {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    heavy = {"asyncssh", "sqlalchemy", "alembic", "networkx", "jinja2", "ruamel", "rich", "pydantic", "deepdiff"}
    script = f"""
import sys
from hacore.cli import main
for argv in (["--help"], ["plan", "--help"], ["lab", "up", "--help"]):
    sys.argv[1:] = argv
    assert main() == 0
print(sorted({heavy!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_folder_can_be_named_first(console: Console) -> None:
    folder = console.folder / "elsewhere"
    folder.mkdir()
    console.stack("thing: {one: {text: x}}")
    (console.folder / "stack.yaml").rename(folder / "stack.yaml")
    done = console("-C", "elsewhere", "plan")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "To apply this plan: hacore -C elsewhere apply"


def test_whoever_reads_our_output_may_leave() -> None:
    script = (
        f"{sys.executable} -c 'from hacore.cli import main; raise SystemExit(main())' schema | head -c 1 >/dev/null"
    )
    done = subprocess.run(["bash", "-c", f"{script}; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")
