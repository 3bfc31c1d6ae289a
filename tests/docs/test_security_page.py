"""SECURITY.md: each promise names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
ROWS = re.findall(r"(?m)^\| (.+?) \| ((?:`tests/[^`]+`(?:, )?)+) \|$", PAGE)


def test_each_promise_names_tests_that_exist() -> None:
    assert len(ROWS) >= 15
    for promise, tests in ROWS:
        for named in re.findall(r"`([^`]+)`", tests):
            file, _, test = named.partition("::")
            assert (ROOT / file).is_file(), f"{promise}: there is no {file}"
            text = (ROOT / file).read_text()
            assert re.search(r"(?m)^(async )?def test_", text), f"{promise}: {file} has no test"
            assert not test or f"def {test}(" in text, f"{promise}: there is no {named}"


def test_each_row_of_the_table_was_read() -> None:
    table = PAGE.partition("| promise | tests |")[2].partition("\n\n")[0].strip().splitlines()[1:]
    assert len(table) == len(ROWS)
