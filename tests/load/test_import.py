"""Start-up is part of every number: what a command does not need it does not import."""

from __future__ import annotations

import subprocess
import sys


def test_importing_load_leaves_the_big_libraries_alone() -> None:
    big = {"jinja2", "ruamel.yaml", "asyncssh", "sqlalchemy"}
    code = f"import sys, hacore.load; print(*sorted({big!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == ""
