"""`man_pages.py FOLDER`: write a manual page for hacore and each command, and the completion files of three shells.

The layout of FOLDER is that of a prefix: share/man/man1, share/bash-completion/completions, share/zsh/site-functions,
share/fish/vendor_completions.d. The files are part of the wheel (shared-data of pyproject.toml), so an install puts
them below its prefix, and `man hacore-plan` finds its page. `make docs` writes them afresh.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from commands import CommandText, every_command

from hacore.cli.app import cli
from hacore.cli.complete.shells import script

COMPLETIONS = {
    "bash": "share/bash-completion/completions/hacore",
    "zsh": "share/zsh/site-functions/_hacore",
    "fish": "share/fish/vendor_completions.d/hacore.fish",
}
EXIT = (
    ("0", "Done; nothing to do; no drift."),
    ("1", "An error; a run that failed or was rolled back; a host that did not answer."),
    ("2", "Changes (plan --detailed-exitcode), drift, or an address that is not healthy."),
    ("64", "A wrong command line."),
    ("129, 130, 143", "Ended by SIGHUP, SIGINT or SIGTERM before any host was changed."),
)


def quoted(text: str) -> str:
    """Text as roff prints it: no escape, no request, hyphens that can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    text = "".join(character if character.isascii() else f"\\[u{ord(character):04X}]" for character in text)
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def page(command: CommandText, every: list[CommandText]) -> str:
    """The manual page of a command, in the macros of man(7)."""
    return "\n".join(lines(command, every)) + "\n"


def lines(command: CommandText, every: list[CommandText]) -> Iterator[str]:
    """Line by line: name, synopsis, description, commands, options, exit status, see also."""
    title = command.name.replace(" ", "-")
    yield f'.TH "{title.upper()}" "1" "" "hacore" "hacore"'
    yield f".SH NAME\n{quoted(title)} \\- {quoted(command.summary.rstrip('.'))}"
    yield f".SH SYNOPSIS\n.B {quoted(command.usage)}"
    yield ".SH DESCRIPTION"
    for part in command.parts:
        yield f".PP\n.nf\n{quoted(part.text)}\n.fi" if part.verbatim else f".PP\n{quoted(part.text)}"
    for heading, rows in (("COMMANDS", command.subcommands), ("OPTIONS", command.options)):
        rows = tuple(row for row in rows if not row[0].startswith("["))  # arguments have no text of their own
        if rows:
            yield f".SH {heading}"
            yield from (f".TP\n.B {quoted(name)}\n{quoted(text)}" for name, text in rows)
    if not command.words:
        yield ".SH EXIT STATUS"
        yield from (f".TP\n.B {code}\n{quoted(text)}" for code, text in EXIT)
    related = [one.name.replace(" ", "-") for one in every if one is not command and _related(command, one)]
    if related:
        yield ".SH SEE ALSO\n" + ",\n".join(f".BR {quoted(name)} (1)" for name in related).replace(",\n", " ,\n")


def _related(command: CommandText, other: CommandText) -> bool:
    return other.words[: len(command.words)] == command.words or command.words[: len(other.words)] == other.words


def write(folder: Path) -> list[str]:
    """Write all files below a prefix; their names there."""
    every = list(every_command())
    files = {f"share/man/man1/{one.name.replace(' ', '-')}.1": page(one, every) for one in every}
    files |= {name: script(cli, shell).rstrip("\n") + "\n" for shell, name in COMPLETIONS.items()}
    for name, text in files.items():
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.sub(r"[ \t]+\n", "\n", text))
    return sorted(files)


if __name__ == "__main__":
    for written in write(Path(sys.argv[1])):
        print(written)
