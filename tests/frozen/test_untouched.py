"""Nobody edits what is frozen: each file has its checksum, and each checksum its file."""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).parent
SUMS = HERE / "SHA256SUMS"
FOLDERS = ("tests/frozen/data", "tests/store/data")


def test_no_frozen_file_was_edited_added_or_removed() -> None:
    root = HERE.parents[1]
    listed = dict(reversed(line.split("  ", 1)) for line in SUMS.read_text().splitlines())
    found = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and path.name != "README.md"
    }
    assert found == listed, "a frozen file is never edited: see tests/frozen/README.md"
