"""`make demo`, whole: the reference stack from two bare machines to two bare machines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.twins

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(900)
def test_the_demo_comes_out_as_it_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        check=False,
        capture_output=True,
        text=True,
        timeout=840,
        env={**os.environ, "HACORE_VAR_vrrp_password": "Xk4!pQ9z"},
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    assert "both hosts are in their original state, byte for byte" in done.stdout
    assert "lost" in done.stdout and ("the report: " in done.stdout or "too busy" in done.stdout)
    assert "Xk4!pQ9z" not in done.stdout + done.stderr
