"""What permits a crash, asked on this machine, which is not a twin."""

from __future__ import annotations

import subprocess

from hacore.engine.drilling.fit import TWIN


def test_this_machine_is_not_a_twin() -> None:
    assert subprocess.run(["sh", "-c", TWIN], check=False, env={"HACORE_TWIN": "1", "PATH": "/usr/bin:/bin"}).returncode
