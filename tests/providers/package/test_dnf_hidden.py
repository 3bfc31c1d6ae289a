"""Why dnf does not offer what a repository has: the check before a change, over a dnf of a few recorded answers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hacore_providers.package.dnf import DNF, PREPARE
from hacore_providers.package.shell import COMMON

PROGRAM = r"""#!/bin/sh
case "$*" in
*"module provides nginx"*)
  printf '%s\n' 'nginx-1:1.22.1-4.module+el9' 'Module   : nginx:1.22:920230301:fe2f:x86_64' 'Profiles : common' ;;
*repoquery*)
  case " $* " in *" SHOWS "*) echo 'is nginx x86_64 1:1.22.1-4' ;; esac ;;
*) echo "not expected: $*" >&2; exit 1 ;;
esac
"""


def refused(folder: Path, shows: str, wanted: str) -> str:
    """The message for a package that only a query with this option shows."""
    for name, text in {"dnf": PROGRAM.replace("SHOWS", shows), "rpm": "#!/bin/sh\nexit 1\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    name, equals, _ = wanted.partition("=")
    given = {"names": "" if equals else name, "pins": wanted if equals else "", "present": "" if equals else name}
    lines = "".join(f"{key}='{value}'\n" for key, value in {**given, "newest": "", "remove": "", "firm": ""}.items())
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HACORE_WORK": str(folder), "LC_ALL": "C"}
    script = f"set -eu\nmanager=dnf\nHACORE_HOME={folder}\n{lines}{COMMON}{DNF}{PREPARE}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1
    return done.stderr.strip()


@pytest.mark.parametrize(
    ("shows", "wanted", "message"),
    [
        ("--disableexcludes=all", "nginx", "cannot install nginx: it is excluded by `exclude` or `excludepkgs`"),
        ("--disableexcludes=all", "nginx=1.22.1", "cannot install nginx=1.22.1: it is excluded by"),
        ("--disableplugin=versionlock", "nginx=1.22.1-4", "it is locked to another version: see dnf versionlock list"),
        (
            "--disable-modular-filtering",
            "nginx",
            "it is in a module stream that is not enabled: dnf module enable nginx:1.22",
        ),
        ("--disableexcludes=all", "nginx=1.99", "cannot install nginx: no repository of this host has version 1.99"),
        ("nothing", "nginx", "cannot install nginx: no repository of this host has a package of this name"),
    ],
)
def test_the_reason_is_named(tmp_path: Path, shows: str, wanted: str, message: str) -> None:
    assert message in refused(tmp_path, shows, wanted)
