"""The report of a drill in a real browser: no error, no request to anywhere, and the numbers of the drill on it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hacore.drill.measured import Cut
from hacore.engine.drilling.order import DrillOrder
from hacore.engine.drilling.run import DrillResult
from hacore.render.drill import drill_exit_code, drill_json, drill_text
from hacore.render.drill_page import drill_page
from tests.drill.test_measured import GOOD

BROWSER = (
    "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=2000"
)
BAD = replace(GOOD, cuts=(Cut(5.0, "idle", "reset"),), scenario="service", problem='cannot stop <lb1>: "no" & no')
DONE = DrillResult(7, DrillOrder(), (GOOD, BAD), started=1_795_694_400.0, stack="web <&>")


def browse(page: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    argv = [*BROWSER.split(), f"--user-data-dir={folder / 'profile'}", *more, f"file://{page}"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.machine
@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no browser here")
def test_a_browser_shows_it_without_an_error(tmp_path: Path) -> None:
    page = tmp_path / "drill.html"
    page.write_text(drill_page(DONE))
    seen = browse(page, tmp_path, "--dump-dom")
    assert seen.returncode == 0, seen.stderr
    assert "CONSOLE" not in seen.stderr, seen.stderr
    dom = seen.stdout
    assert "<h1>Drill of web &lt;&amp;&gt;: " in dom
    data = re.search(r'<script type="application/json" id="drill">(.*?)</script>', dom, re.DOTALL)
    assert data is not None
    numbers = json.loads(data[1])
    assert numbers == json.loads(json.dumps(drill_json(DONE)))
    for one in numbers["scenarios"]:
        assert f"{one['lost']} of {one['sent']}" in dom
        assert f"after {one['took_over']:.1f} s" in dom
        assert html.escape(one["budget"]["formula"]) in dom
    assert dom.count("<svg") == 2
    assert "cannot stop &lt;lb1&gt;" in dom
    picture = tmp_path / "drill.png"
    browse(page, tmp_path, f"--screenshot={picture}", "--window-size=1000,1100")
    assert picture.read_bytes()[:4] == bytes([0x89]) + b"PNG"


def test_it_asks_nothing_of_anybody() -> None:
    page = drill_page(DONE)
    assert not re.search(r"(?:src|href)=", page)
    assert "url(" not in page and "@import" not in page
    assert "<script>" not in page


def test_the_text_has_each_number_beside_its_budget() -> None:
    text = drill_text(DONE)
    assert text.startswith("stop of 192.0.2.1 on lb1: passed\n  lost 3 of 200 requests, longest gap 0.30 s\n")
    assert "\n    budget 1.00 s = skew + margin\n" in text
    assert "back after 3.0 s\n    budget 5.00 s = master_down" in text
    assert "service of 192.0.2.1 on lb1: failed" in text and '  ! cannot stop <lb1>: "no" & no' in text
    assert text.count("  cut 1 of the open connections") == 1
    assert text.endswith("Drill failed, as run 7.")


@pytest.mark.parametrize(
    ("done", "code"),
    [
        (DrillResult(1, DrillOrder(), (GOOD,)), 0),
        (DONE, 2),
        (DrillResult(1, DrillOrder(), (GOOD,), ("service: no check",)), 2),
        (DrillResult(1, DrillOrder(), (replace(GOOD, requests=()),)), 1),
        (DrillResult(1, DrillOrder(), (), restored=False, problem="by hand"), 3),
    ],
)
def test_exit_codes(done: DrillResult, code: int) -> None:
    assert drill_exit_code(done) == code
