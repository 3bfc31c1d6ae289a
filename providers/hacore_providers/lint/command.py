"""`hacore lint`."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hacore.contract import Command, CommandOption, CommandResult, InputError, UsageError, suggestion

from . import report
from .catalogue import RULES
from .check import Checked, NotConfigurationError, check, members_of

__all__ = ["COMMAND"]

LARGEST = 4 * 1024 * 1024
"""Bytes of the largest file that is read; configurations have some thousand."""


_HELP = """
Check the keepalived.conf of a pair, as files.

Reads the configurations as keepalived does, with includes, definitions and lines
for one host (@ID), finds the instances that belong together, and checks each
file and the pair: `keepalived -t` sees one file, so it finds no fault that
only both files together have. Needs no stack, no state and no host. A check
script is read from its path, or from the folder of the file.

Exits with 0 without faults, 2 with faults, 1 if a file cannot be read.

\b
Examples:
  hacore lint lb1/keepalived.conf lb2/keepalived.conf
  hacore lint --format github conf/*.conf
  hacore lint --explain tracker-order
"""


def _run(files: tuple[str, ...], options: Mapping[str, Any]) -> CommandResult:
    rule = options["explain"]
    if rule is not None:
        if rule not in RULES:
            hint = suggestion(rule, RULES, "docs/rules.md lists them")
            raise UsageError(f"unknown rule {rule!r}: {hint}")
        return CommandResult(report.explanation(rule))
    if not files:
        raise UsageError("no file given: name the keepalived.conf of each host, as in hacore lint lb1.conf lb2.conf")
    checked = _checked(files, options["id"])
    code = 2 if checked.faults or (options["strict"] and checked.findings) else 0
    if options["json"] or options["format"] == "json":
        return CommandResult(data=report.json_value(checked), exit_code=code)
    return CommandResult(report.github(checked) if options["format"] == "github" else report.text(checked), None, code)


COMMAND = Command(
    "lint",
    _HELP,
    "FILE",
    (
        CommandOption("id", "Read a shared file as the host with this id does.", "ID", many=True),
        CommandOption("format", "Output format.", choices=("text", "json", "github"), default="text"),
        CommandOption("json", "Short for --format json."),
        CommandOption("strict", "Exit with 2 for warnings, too."),
        CommandOption("explain", "Explain a rule, and exit.", "RULE"),
    ),
    _run,
)


def _checked(files: Sequence[str], ids: Sequence[str]) -> Checked:
    members = []
    for file in files:
        try:
            members += members_of(file, _content(file), files=_included, ids=ids, scripts=_Scripts(file))
        except (OSError, NotConfigurationError) as error:
            raise _cannot(file, error) from error
    names = [member.name for member in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{twice} is there twice: give each file once")
    return check(members)


def _cannot(file: str, error: OSError | NotConfigurationError) -> InputError:
    if isinstance(error, NotConfigurationError):
        return InputError(str(error))
    return InputError(f"cannot read {file}: {(error.strerror or str(error)).lower()}")


def _content(file: str) -> bytes:
    path = Path(file)
    if not path.exists():
        raise FileNotFoundError(2, "No such file")
    if not path.is_file():
        raise OSError(0, "it is not a file")
    with path.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(0, f"it has more than {LARGEST // 1024 // 1024} MiB")
    return data


def _included(pattern: str, folder: str) -> list[tuple[str, bytes]]:
    """What an include reads; as keepalived, no folders and no programs."""
    paths = sorted(glob.glob(str(Path(folder) / pattern)))  # noqa: PTH207 - a pattern may begin at the root
    return [(p, _content(p)) for p in paths if Path(p).is_file() and not Path(p).stat().st_mode & 0o111]


class _Scripts:
    """The scripts of a configuration: at their path, else in the folder of the file."""

    def __init__(self, file: str) -> None:
        self._folder = Path(file).parent

    def __call__(self, paths: Iterable[str]) -> dict[str, str]:
        """The content of those that can be read and are text."""
        found = {}
        for path in paths:
            for place in (self._folder / Path(path).name, Path(path)):
                try:
                    content = _content(str(place)).decode()
                except (OSError, UnicodeDecodeError):
                    continue
                found[path] = content
                break
        return found
