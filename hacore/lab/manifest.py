"""The host manifest: the definition of "byte for byte" for tests and rehearsals that compare hosts.

Everything on a twin's file system counts, except the paths in EXCLUDED, which services write without any change, and
the content of BODIES, which package managers rewrite. An addition to these lists needs an ADR.
`python -m hacore.lab.manifest` prints them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hacore.errors import LabError
from hacore.lab.lab import Lab

EXCLUDED = (
    "/proc", "/sys", "/dev", "/run", "/tmp", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/systemd",
    "/var/lib/hacore", "/var/lib/dpkg/*-old", "/var/lib/rpm", "/var/lib/dnf", "/etc/ld.so.cache",
)  # fmt: skip
"""Paths (with all below them) that are not in a manifest."""

BODIES = ("/var/lib/dpkg/status", "/var/lib/dpkg/info/*")
"""Files of which the existence, mode and owner count, not the content: dpkg rewrites its status in another order, and
the packages are in the manifest with their versions."""

TRANSIENT_UNITS = (
    "*.scope", "*.slice", "*.device", "*.automount", "run-*", "user@*", "user-runtime-dir@*", "session-*", "ssh@*",
    "systemd-tmpfiles-clean.service", "systemd-hostnamed.service", "systemd-timedated.service",
    "systemd-localed.service", "system-systemd*",
)  # fmt: skip
"""Units that start and end by themselves: not in a manifest."""

Manifest = dict[str, dict[str, Any]]
"""Sections "path", "package" and "unit", each a mapping from a name to its properties."""

# Most of a twin's files are the image's, shared by all twins and never changed: read once in a test run. Any change of
# a file changes its ctime (inode(7)). An overlay shows the inode's own number and times, but another device with each
# mount: the device is left out.
_known: dict[tuple[int, int, int, int, bool], dict[str, Any]] = {}
_SETTLED = 2_000_000_000
"""Nanoseconds since the last change before an entry is kept: a clock tick may hide a second change."""


def take(lab: Lab, name: str) -> Manifest:
    """The manifest of a running twin. Below 3 s, most of them the first time."""
    root = lab.rootfs(name)
    paths = _paths(root)
    packages, active, generated = _running_state(lab, name)
    units = {unit: {"enabled": state} for unit, state in _enabled(lab, name, paths, generated).items()}
    for unit, state in active.items():
        units.setdefault(unit, {})["active"] = state
    return {"path": paths, "package": _packages(root) | packages, "unit": units}


def diff(before: Manifest, after: Manifest) -> list[str]:
    """The differences, a line for each; empty if the manifests are equal."""
    lines = []
    for section in before:
        old, new = before[section], after[section]
        for key in sorted(old.keys() | new.keys()):
            if key not in new:
                lines.append(f"{section} {key}: missing, was {old[key]}")
            elif key not in old:
                lines.append(f"{section} {key}: new, is {new[key]}")
            elif old[key] != new[key]:
                lines.append(f"{section} {key}: {_difference(old[key], new[key])}")
    return lines


def exclusions() -> str:
    """The lists above as text, for a test's output."""
    parts = {
        "not in a manifest": EXCLUDED,
        "only their existence, mode and owner": BODIES,
        "units": TRANSIENT_UNITS,
    }
    return "\n".join(f"{title}: {' '.join(names)}" for title, names in parts.items())


def _difference(old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [k for k in old | new if old.get(k) != new.get(k)]
        return ", ".join(f"{k} {old.get(k)!r} -> {new.get(k)!r}" for k in keys)
    return f"{old!r} -> {new!r}"


def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    # A star stands within one path component only.
    return re.compile("|".join(re.escape(p).replace(r"\*", "[^/]*") for p in patterns))


_EXCLUDED, _BODIES = _matcher(EXCLUDED), _matcher(BODIES)


def _paths(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    todo = [("/", str(root))]
    while todo:
        inside, outside = todo.pop()
        found[inside] = _entry(inside, outside, os.lstat(outside))
        prefix = "" if inside == "/" else inside
        with os.scandir(outside) as entries:
            for entry in entries:
                path = f"{prefix}/{entry.name}"
                if _EXCLUDED.fullmatch(path):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    todo.append((path, entry.path))
                else:
                    found[path] = _entry(path, entry.path, entry.stat(follow_symlinks=False))
    return found


def _entry(inside: str, outside: str, status: os.stat_result) -> dict[str, Any]:
    body = bool(_BODIES.fullmatch(inside))
    key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, body)
    known = _known.get(key)
    if known is None:
        known = _look(outside, status, body=body)
        if time.time_ns() - status.st_ctime_ns > _SETTLED:
            _known[key] = known
    return known


def _look(outside: str, status: os.stat_result, *, body: bool) -> dict[str, Any]:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(status.st_mode), "special")
    entry: dict[str, Any] = {
        "type": kind,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": f"{status.st_uid}:{status.st_gid}",
    }
    if kind == "link":
        entry["target"] = os.readlink(outside)
    elif kind == "special":
        entry["device"] = status.st_rdev
    elif kind == "file" and not body:
        with open(outside, "rb") as file:
            entry["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    names = os.listxattr(outside, follow_symlinks=False)
    if names:
        entry["xattrs"] = {n: os.getxattr(outside, n, follow_symlinks=False).hex() for n in sorted(names)}
    return entry


def _packages(root: Path) -> dict[str, Any]:
    form = "${binary:Package}\t${Version}\t${db:Status-Abbrev}\n"
    argv = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", form]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    states = root / "var/lib/apt/extended_states"
    auto = set()
    for block in states.read_text().split("\n\n") if states.exists() else []:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if fields.get("Auto-Installed") == "1":
            auto.add((fields["Package"], fields["Architecture"]))
    native = {arch for _, arch in auto}
    found: dict[str, Any] = {}
    for line in listed.splitlines():
        package, version, state = line.split("\t")
        name, _, architecture = package.partition(":")
        marked = any((name, a) in auto for a in ([architecture] if architecture else native))
        found[package] = {"version": version, "state": state.strip(), "auto": marked}
    return found


# Only the running system knows which units are active. Without systemd the links of runlevels are among the files, and
# init scripts report their status.
_TELL = """if command -v rpm >/dev/null; then rpm -qa --qf 'rpm %{NAME}.%{ARCH} %{EVR}\\n'; fi
if ! command -v systemctl >/dev/null; then
  service --status-all 2>&1 | sed -n 's/^ \\[ \\(.\\) \\] *\\(.*\\)/unit \\2 \\1/p'
  exit
fi
cd /run/systemd
find system generator* -type l -printf 'made %p %l\\n' -o -printf 'made %p -\\n'
systemctl list-units --all --no-legend --no-pager --plain | while read -r u l a s _; do echo "unit $u $a"; done"""
_LIST = "command -v systemctl >/dev/null || exit 0; systemctl list-unit-files --no-legend --no-pager --plain"
_UNITS = re.compile(r"(/usr)?/lib/systemd/.*|/usr/local/lib/systemd/.*|/etc/systemd/.*|/etc/init\.d/.*|/etc/rc.\.d/.*")


def _running_state(lab: Lab, name: str) -> tuple[dict[str, Any], dict[str, str], frozenset[str]]:
    """RPMs, the states of units, and the unit files that are generated while the system boots or runs."""
    units: dict[str, str] = {}
    packages: dict[str, dict[str, Any]] = {}
    made: set[str] = set()
    for line in _asked(lab, name, _TELL):
        kind, key, value = line.split(maxsplit=2)
        if kind == "rpm":
            packages[f"rpm {key}"] = {"version": value}
        elif kind == "made":
            made.add(line)
        elif value != "inactive" and not _transient(key):
            units[key] = value  # whether an inactive unit is listed depends on earlier queries
    for key, reason in _reasons(lab.rootfs(name)).items() if packages else ():
        if key in packages:
            packages[key]["auto"] = reason in ("dependency", "weak")
    return packages, units, frozenset(made)


# systemd takes half a second to list the enabled units, which depends on files only.
_states: dict[tuple[frozenset[str], frozenset[str]], dict[str, str]] = {}


def _enabled(lab: Lab, name: str, paths: dict[str, Any], made: frozenset[str]) -> dict[str, str]:
    key = (frozenset(f"{path} {paths[path]}" for path in paths if _UNITS.fullmatch(path)), made)
    if key not in _states:
        listed = (line.split() for line in _asked(lab, name, _LIST))
        _states[key] = {unit: state for unit, state, *_ in listed if not _transient(unit)}
    return _states[key]


def _transient(unit: str) -> bool:
    return any(fnmatchcase(unit, pattern) for pattern in TRANSIENT_UNITS)


def _asked(lab: Lab, name: str, script: str) -> list[str]:
    done = lab.ssh(name, script)
    if done.returncode != 0:
        raise LabError(f"cannot list the units of {name}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def _reasons(root: Path) -> dict[str, str]:
    """The reasons for which RPMs are installed, from dnf's history: dnf itself takes a second to list them."""
    words = {1: "dependency", 2: "user", 4: "weak"}
    with tempfile.TemporaryDirectory() as copy:
        for file in (root / "var/lib/dnf").glob("history.sqlite*"):
            shutil.copy(file, copy)
        with contextlib.closing(sqlite3.connect(f"{copy}/history.sqlite")) as history:
            rows = history.execute(
                "SELECT name, arch, reason FROM trans_item JOIN trans ON trans.id = trans_id JOIN rpm USING (item_id) "
                "WHERE trans.state = 1 ORDER BY trans_item.id"
            )
            return {f"rpm {name}.{arch}": words.get(reason, "unknown") for name, arch, reason in rows}


if __name__ == "__main__":
    sys.stdout.write(exclusions() + "\n")
