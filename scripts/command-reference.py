"""Write docs/command-reference.md to stdout: each command with its help, as the parser has it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from commands import CommandText, Part, every_command

HEAD = """\
# Command reference

<!-- Written by scripts/command-reference.py (`make docs`); edit the help texts in hacore/cli/commands/. -->

Every command with its options, as `--help` prints them. [The command line](cli.md) explains what they have in common:
exit codes, variables of the environment, saved plans, parts of a stack. After `pip install` the same texts are manual
pages: `man hacore-plan`.
"""


def main() -> None:
    """Print the page."""
    sys.stdout.write("\n".join([HEAD, *(section(command) for command in every_command())]))


def section(command: CommandText) -> str:
    """One command: usage, text, subcommands, options."""
    blocks = [f"{'#' * min(4, 2 + max(0, len(command.words) - 1))} {command.name}", fence(command.usage, "text")]
    blocks += [block for part in command.parts for block in described(part)]
    if command.subcommands:
        blocks.append(table("command", "does", [(f"`{name}`", text) for name, text in command.subcommands]))
    options = [record for record in command.options if record[0].startswith("-")]
    rows = [(f"`{spelling}`", text) for spelling, text in options if not spelling.endswith("--help")]
    if rows:
        blocks.append(table("option", "meaning", rows))
    return "\n\n".join(blocks) + "\n"


def described(part: Part) -> Iterator[str]:
    """A part of a help text as Markdown. The title of a list stands before it."""
    if not part.verbatim:
        yield escaped(part.text)
        return
    lines = part.text.rstrip().splitlines()
    if lines[0].endswith(":") and not lines[0].startswith("  "):
        yield escaped(lines.pop(0).strip())
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    yield fence("\n".join(line[indent:] for line in lines), "text")


def fence(text: str, language: str) -> str:
    """A code block."""
    return f"```{language}\n{text}\n```"


def escaped(text: str) -> str:
    """Running text, in which angle brackets and stars are letters, but for what stands between backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([<>*_])", r"\\\1", part) for part in parts)


def table(first: str, second: str, rows: list[tuple[str, str]]) -> str:
    """A table of two columns."""

    def cell(text: str) -> str:
        return text.replace("|", r"\|")

    lines = [f"| {cell(left)} | {cell(escaped(right))} |" for left, right in rows]
    return "\n".join([f"| {first} | {second} |", "|---|---|", *lines])


if __name__ == "__main__":
    main()
