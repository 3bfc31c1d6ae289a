"""Check the keepalived.conf of a pair: files, or hosts over SSH.

The command `hacore lint`; the first line is its summary in the list of commands.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hacore.contract import Ask, Command, CommandOption, CommandResult, InputError, UsageError, suggestion
from hacore.contract.facts import Facts

from ..facts.keepalived_files import KEEPALIVED_FILES
from . import report
from .catalogue import RULES
from .check import Checked, NotConfigurationError, check, members_of
from .finding import Member

__all__ = ["COMMAND"]

CONFIG_PATH = "/etc/keepalived/keepalived.conf"
_REFUSED = {
    "many": "the configuration has more than 100 files",
    "large": "it has more than 256 KiB",
    "unreadable": "the user cannot read it; use --sudo",
}
LARGEST = 4 * 1024 * 1024
"""Bytes of the largest file that is read; configurations have some thousand."""


_HELP = """
Check the keepalived.conf of a pair: files, or hosts over SSH.

Reads the configurations as keepalived does, with includes, definitions and lines
for one host (@ID), finds the instances that belong together, and checks each
file and the pair: `keepalived -t` sees one file, so it finds no fault that
only both files together have. Needs no stack and no state. A check script is
read from its path, or from the folder of the file.

An argument that is no file is a host, [USER@]HOST[:PORT]: its
keepalived.conf is read with all that it includes; nothing is changed there.

Exits with 0 without faults, 2 with faults, 1 if something cannot be read.

\b
Examples:
  hacore lint lb1/keepalived.conf lb2/keepalived.conf
  hacore lint root@192.0.2.11 root@192.0.2.12
  hacore lint --format github conf/*.conf
  hacore lint --explain tracker-order
"""


def _asks(argument: str, options: Mapping[str, Any]) -> tuple[Ask, ...]:
    """A path that does not exist is a missing file rather than a host."""
    is_file = Path(argument).exists() or "/" in argument or argument.endswith((".conf", ".cfg"))
    return () if is_file else (Ask(KEEPALIVED_FILES, options["config"]),)


def _run(files: tuple[str, ...], options: Mapping[str, Any], hosts: Mapping[str, Facts]) -> CommandResult:
    rule = options["explain"]
    if rule is not None:
        if rule not in RULES:
            hint = suggestion(rule, RULES, "docs/rules.md lists them")
            raise UsageError(f"unknown rule {rule!r}: {hint}")
        return CommandResult(report.explanation(rule))
    if not files:
        raise UsageError("no file given: name the keepalived.conf of each host, as in hacore lint lb1.conf lb2.conf")
    checked = _checked(files, options, hosts)
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
        CommandOption("config", "Path of the configuration on hosts.", "PATH", default=CONFIG_PATH),
        CommandOption("strict", "Exit with 2 for warnings, too."),
        CommandOption("explain", "Explain a rule, and exit.", "RULE"),
    ),
    _run,
    _asks,
)


def _checked(files: Sequence[str], options: Mapping[str, Any], hosts: Mapping[str, Facts]) -> Checked:
    ids, config = options["id"], options["config"]
    members: list[Member] = []
    for file in files:
        try:
            if file in hosts:
                members += _of_host(file, config, hosts[file], ids)
            else:
                members += members_of(file, _content(file), files=_included, ids=ids, scripts=_Scripts(file))
        except (OSError, NotConfigurationError) as error:
            raise _cannot(file, error) from error
    names = [member.name for member in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{twice} is there twice: give each file once")
    return check(members)


def _of_host(name: str, config: str, facts: Facts, ids: Sequence[str]) -> list[Member]:
    """The member that a host is; lines @ID are read with its own id, the name up to the first dot, unless given."""
    found = facts.get(KEEPALIVED_FILES, config)
    if found is None:
        raise InputError(f"cannot check {name}: it has no {config}, or the user cannot read it; use --sudo")
    refused = next(iter(sorted(found.refused.items())), None)
    if refused is not None:
        raise InputError(f"cannot read {refused[0]} on {name}: {_REFUSED[refused[1]]}")

    def files(pattern: str, folder: str) -> list[tuple[str, bytes]]:
        return [(f"{name}:{path}", data) for path, data in found.included(pattern, folder.removeprefix(f"{name}:"))]

    def scripts(paths: Iterable[str]) -> dict[str, str]:
        return {path: found.scripts[path] for path in paths if path in found.scripts}

    path, data = f"{name}:{config}", found.files[config]
    own = ids or (facts.host.hostname.partition(".")[0],)
    members = members_of(path, data, files=files, ids=own, scripts=scripts)
    return [replace(member, name=name) for member in members]


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
