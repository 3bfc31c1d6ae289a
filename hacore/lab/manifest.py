"""The host manifest: what "byte for byte" means when a test or a rehearsal says that a host is as it was before.

Everything on a twin's file system counts, but the places in EXCLUDED, which services write while nothing happens, and
the bodies of BODIES, which package managers rewrite. These lists are *the* definition: extending them needs an ADR.
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
"""Paths (with all below them) that are no part of a manifest."""

BODIES = ("/var/lib/dpkg/status", "/var/lib/dpkg/info/*")
"""Files whose content is no part of it, though that they exist, and their mode and owner, is: dpkg rewrites the status
in another order, and what it says is in the manifest as package versions."""

TRANSIENT_UNITS = (
    "*.scope", "*.slice", "*.device", "*.automount", "run-*", "user@*", "user-runtime-dir@*", "session-*", "ssh@*",
    "systemd-tmpfiles-clean.service", "systemd-hostnamed.service", "systemd-timedated.service",
    "systemd-localed.service", "system-systemd*",
)  # fmt: skip
"""Units that come and go by themselves: no part of it."""

Manifest = dict[str, dict[str, Any]]
"""Sections "path", "package" and "unit", each from a name to what is known of it."""

# A twin's lower files are the image's, shared by all twins and never changed: hashed once in a test run.
_hashes: dict[tuple[int, int, int, int, int], str] = {}
_SETTLED = 2_000_000_000
"""Nanoseconds since the last change before a hash is kept: a clock tick may hide a second change."""


def take(lab: Lab, name: str) -> Manifest:
    """The manifest of a running twin. Below 3 s, most of them the first time."""
    root = lab.rootfs(name)
    packages, units = _told(lab, name)
    return {"path": _paths(root), "package": _packages(root) | packages, "unit": units}


def diff(before: Manifest, after: Manifest) -> list[str]:
    """What differs, a readable line for each thing; empty if they are equal."""
    lines = []
    for section in before:
        old, new = before[section], after[section]
        for key in sorted(old.keys() | new.keys()):
            if key not in new:
                lines.append(f"{section} {key}: gone, was {old[key]}")
            elif key not in old:
                lines.append(f"{section} {key}: new, is {new[key]}")
            elif old[key] != new[key]:
                lines.append(f"{section} {key}: {_difference(old[key], new[key])}")
    return lines


def exclusions() -> str:
    """The lists above as text, for a test's output."""
    parts = {
        "no part of a manifest": EXCLUDED,
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
        with os.scandir(outside) as entries:
            for entry in entries:
                path = os.path.join(inside, entry.name)
                if _EXCLUDED.fullmatch(path):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    todo.append((path, entry.path))
                else:
                    found[path] = _entry(path, entry.path, entry.stat(follow_symlinks=False))
    return found


def _entry(inside: str, outside: str, status: os.stat_result) -> dict[str, Any]:
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
    elif kind == "file" and not _BODIES.fullmatch(inside):
        entry["sha256"] = _sha256(outside, status)
    names = os.listxattr(outside, follow_symlinks=False)
    if names:
        entry["xattrs"] = {n: os.getxattr(outside, n, follow_symlinks=False).hex() for n in sorted(names)}
    return entry


def _sha256(path: str, status: os.stat_result) -> str:
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _hashes.get(key)
    if known is None:
        with open(path, "rb") as file:
            known = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time_ns() - status.st_ctime_ns > _SETTLED:
            _hashes[key] = known
    return known


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


# Enabled states come of files alone; what is active only the running system knows. Without systemd the links of
# runlevels are among the files, and scripts tell what is active.
_TELL = """if command -v rpm >/dev/null; then rpm -qa --qf 'rpm %{NAME}.%{ARCH} %{EVR}\\n'; fi
if ! command -v systemctl >/dev/null; then
  service --status-all 2>&1 | sed -n 's/^ \\[ \\(.\\) \\] *\\(.*\\)/unit \\2 \\1/p'
  exit
fi
systemctl list-unit-files --no-legend --no-pager --plain | while read -r u s _; do echo "file $u $s"; done
systemctl list-units --all --no-legend --no-pager --plain | while read -r u l a s _; do echo "unit $u $a"; done"""


def _told(lab: Lab, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """RPMs and units."""
    done = lab.ssh(name, _TELL)
    if done.returncode != 0:
        raise LabError(f"cannot list the units of {name}: {done.stderr.strip()}")
    units: dict[str, dict[str, str]] = {}
    packages: dict[str, dict[str, Any]] = {}
    for line in done.stdout.splitlines():
        kind, key, value = line.split()
        if kind == "rpm":
            packages[f"rpm {key}"] = {"version": value}
        elif any(fnmatchcase(key, pattern) for pattern in TRANSIENT_UNITS):
            continue
        elif kind == "file":
            units.setdefault(key, {})["enabled"] = value
        elif value != "inactive":  # whether an inactive unit is listed depends on what was asked before
            units.setdefault(key, {})["active"] = value
    for key, reason in _reasons(lab.rootfs(name)).items() if packages else ():
        if key in packages:
            packages[key]["auto"] = reason in ("dependency", "weak")
    return packages, dict(units)


def _reasons(root: Path) -> dict[str, str]:
    """Why dnf thinks that RPMs are there, by its history: asking dnf itself takes it a second."""
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
