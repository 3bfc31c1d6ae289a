"""`run_tests.py ARGUMENT...`: pytest with these arguments. What fails fails the run, whatever follows.

The failed tests are run again, alone, only to distinguish two kinds of faults: a test that fails alone, too, and one
that depends on the load, on the order or on its neighbours. Both are faults, of the product or of the test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/cache/lastfailed")
MOST = 20
"""Where more tests fail, the change is the reason and not the load."""
TESTS_FAILED = 1
"""pytest's exit code; the others are for runs that did not happen (pytest.ExitCode)."""


def failed() -> list[str]:
    """The names of the tests that failed last, as pytest's cache has them."""
    return sorted(json.loads(FAILED.read_text())) if FAILED.is_file() else []


def run(*arguments: str) -> int:
    """pytest's exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], check=False).returncode


def main(arguments: list[str]) -> int:
    """The exit code of the first run; the second one only adds to what is printed."""
    code = run("--cache-clear", *arguments)
    names = failed()
    if code != TESTS_FAILED or not names:
        return code
    if len(names) > MOST:
        print(f"{len(names)} tests failed; so many are not run again alone")
        return code
    print(f"--- {len(names)} failed; run again, alone, to classify them (the run has failed all the same):", flush=True)
    run("--last-failed", "--last-failed-no-failures", "none", "--no-header", "--no-summary", "--tb=no", *names)
    again = set(failed())
    for name in names:
        print(f"FAILED {name}: {'fails alone, too' if name in again else 'passes alone: find out why'}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
