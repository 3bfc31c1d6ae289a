"""A test that fails fails the run, also where it passes when it is run again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts/run_tests.py"
TESTS = """
from pathlib import Path

def test_passes_always():
    pass

def test_passes_alone():
    first = not Path("second").exists()
    Path("second").touch()
    assert not first

def test_fails_always():
    assert False
"""


def run(folder: Path, text: str, *arguments: str) -> tuple[int, str]:
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").touch()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    argv = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout


def test_a_second_run_classifies_and_never_passes(tmp_path: Path) -> None:
    code, text = run(tmp_path, TESTS.replace("assert False", "pass"))
    assert code == 1
    assert "FAILED test_it.py::test_passes_alone: passes alone: find out why" in text


def test_each_fault_is_named_with_its_class(tmp_path: Path) -> None:
    code, text = run(tmp_path, TESTS, "-n", "2")
    assert code == 1
    assert [line for line in text.splitlines() if line.endswith(("alone, too", "find out why"))] == [
        "FAILED test_it.py::test_fails_always: fails alone, too",
        "FAILED test_it.py::test_passes_alone: passes alone: find out why",
    ]
    assert text.rstrip().endswith("find out why")


def test_what_passes_passes_and_what_cannot_run_does_not(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_it():\n    pass\n")[0] == 0
    assert run(tmp_path, "import missing_module\n")[0] == 2


def test_many_failures_are_not_run_again(tmp_path: Path) -> None:
    text = "\n".join(f"def test_{n}():\n    assert False\n" for n in range(21))
    code, printed = run(tmp_path, text)
    assert (code, "21 tests failed; so many are not run again alone" in printed) == (1, True)
