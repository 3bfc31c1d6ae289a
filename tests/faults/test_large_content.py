"""The controller's memory does not depend on the size of a source."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.child import environment
from bench.content import apply, here, over_ssh, random_file
from bench.sshd import Sshds

MB = 1 << 20
SMALL, LARGE = 4, 132
SPARE = 40 * MB
"""Much less than the 128 MB between the two sizes, and more than two runs of the same size differ by."""


@pytest.mark.parametrize("hosts", [0, 2], ids=["local", "two hosts over ssh"])
def test_a_large_source_takes_no_more_memory_than_a_small_one(tmp_path: Path, hosts: int) -> None:
    small, large = (_peak(tmp_path / str(size), size, hosts) for size in (SMALL, LARGE))
    assert large - small < SPARE


def _peak(folder: Path, size: int, hosts: int) -> int:
    """Apply a source of `size` MB: the memory at its peak, in bytes."""
    folder.mkdir()
    random_file(folder / "big", size)
    with Sshds(folder / "site", hosts) as sshds:
        done = apply(folder, over_ssh(folder, sshds) if hosts else here(folder), environment(sshds.home))
    written = [file for file in folder.iterdir() if file.name.startswith(("over-ssh", "here"))]
    assert len(written) == (hosts or 1)
    assert {_digest(file) for file in written} == {_digest(folder / "big")}
    return done.rss


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
