"""Unit names, unit files and init scripts: parsing of their text, without a host.

systemd.unit(5), systemd.service(5); LSB Core, chapter System Initialization.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from hacore.contract import Claim, account_claims

SUFFIXES = ("service", "socket", "timer", "path", "target", "mount", "automount", "swap", "slice", "scope", "device")
FOLDER = "/etc/systemd/system"
SCRIPTS = "/etc/init.d"

_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]{1,240}\Z")
_SECTION = re.compile(r"\s*\[([^\]]+)\]\s*\Z")
_RUNLEVELS = re.compile(r"#\s*(Default-Start:\s*\S|chkconfig:\s*[0-9S])")
_DAEMON = re.compile(r"^\s*DAEMON=[\"']?([^\s\"']+)", re.MULTILINE)
_PATH = re.compile(r"/[^/]")
_ODD = re.compile(r"[$%*?\s;]|//|/\.\.?(/|\Z)")  # specifiers, patterns, and paths that no claim has
_PREFIXES = "@-:+!|"  # of a command line in a unit file, in any order
_VOLATILE = ("/run/", "/var/run/", "/dev/", "/proc/", "/sys/", "/tmp/")  # noqa: S108 - compared, never written
_INSTALLS = {"WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also", "DefaultInstance"}


def full_name(name: str) -> str:
    """A unit's name with its suffix: `.service` if none is given."""
    return name if name.rpartition(".")[2] in SUFFIXES and "." in name else f"{name}.service"


def short_name(unit: str) -> str:
    """A unit's name without `.service`."""
    return unit.removesuffix(".service")


def valid_name(unit: str) -> bool:
    """Whether systemd accepts it as a unit's name."""
    return _NAME.match(unit) is not None and not unit.startswith((".", "@"))


def is_template(unit: str) -> bool:
    """Whether it is a template (`x@.service`), which cannot run without an instance name."""
    return unit.rpartition(".")[0].endswith("@")


def is_script(text: str) -> bool:
    """Whether a definition is an init script, not a unit file."""
    return text.startswith("#!")


def path_of(unit: str, *, script: bool = False) -> str:
    """The path of a unit's definition: in the administrator's folder, which wins over a package's."""
    return f"{SCRIPTS}/{short_name(unit)}" if script else f"{FOLDER}/{unit}"


def runlevels(script: str) -> bool:
    """Whether an init script declares its runlevels, for insserv(8) or chkconfig(8)."""
    return any(_RUNLEVELS.match(line) for line in script.splitlines())


def settings(text: str) -> Iterator[tuple[str, str, str]]:
    """(section, key, value) of each line; continued lines are joined, comments left out."""
    section, held = "", ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue  # a comment between continued lines does not end them
        if line.endswith("\\"):
            held += f"{line[:-1].rstrip()} "
            continue
        line, held = held + line, ""
        header = _SECTION.match(line)
        if header:
            section = header[1]
        elif "=" in line:
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()


def sections(text: str) -> set[str]:
    """The sections of a definition."""
    return {match[1] for match in map(_SECTION.match, text.splitlines()) if match}


def installable(text: str) -> bool:
    """Whether a definition can be enabled; else the unit is `static`."""
    return any(section == "Install" and key in _INSTALLS and value for section, key, value in settings(text))


def also(text: str) -> tuple[str, ...]:
    """Units that are enabled and disabled together with this one."""
    values = [value for section, key, value in settings(text) if (section, key) == ("Install", "Also")]
    return tuple(name for value in values for name in value.split())


def paths_named(text: str) -> tuple[str, ...]:
    """Programs and configuration files that a definition's commands name, in order, each once.

    Paths that exist only at run time (pid files, sockets) are left out: no resource installs them.
    """
    found: dict[str, None] = {}
    if is_script(text):  # a program: only its DAEMON is a known name
        for match in _DAEMON.finditer(text):
            found.update(dict.fromkeys(_paths(match[1])))
        return tuple(found)
    for _, key, value in settings(text):
        if key.startswith("Exec"):
            for word in _words(value.lstrip(_PREFIXES)):
                found.update(dict.fromkeys(_paths(word)))
        elif key == "EnvironmentFile":
            found.update(dict.fromkeys(_paths(value.lstrip("-"))))
    return tuple(found)


def accounts_named(text: str) -> tuple[Claim, ...]:
    """The accounts of a unit file's commands: User=, Group=, SupplementaryGroups= of systemd.exec(5).

    No resource creates the account of DynamicUser=, or one that a specifier names (%i).
    """
    if is_script(text):
        return ()
    found: dict[Claim, None] = {}
    for _, key, value in settings(text):
        names = [name for name in value.split() if "%" not in name]
        if key == "User":
            found.update(dict.fromkeys(claim for name in names for claim in account_claims(user=name)))
        elif key in ("Group", "SupplementaryGroups"):
            found.update(dict.fromkeys(claim for name in names for claim in account_claims(group=name)))
    return tuple(found)


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # not a quote for systemd
        return value.split()


def _paths(word: str) -> Iterator[str]:
    if " " in word:  # a script for `sh -c`
        for part in word.split():
            yield from _paths(part)
        return
    path = word if word.startswith("/") else word.partition("=")[2]
    if _PATH.match(path) and not path.startswith(_VOLATILE) and not _ODD.search(path):
        yield path.rstrip("/")
