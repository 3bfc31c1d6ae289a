"""A host whose disks do not take what is written, controllers that sleep, and clocks that jump."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.site import Site, eventually

Mount = Callable[..., None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts a small file system of its own on a folder, or changes how it is mounted."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mounted: list[Path] = []

    def mount(folder: Path, options: str) -> None:
        again = "remount," if folder in mounted else ""
        subprocess.run(["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", str(folder)], check=True)
        if not again:
            mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def files(site: Site, **texts: str) -> None:
    """Files that follow one another."""
    lines, before = ["  file:\n"], ""
    for name, text in texts.items():
        needs = f", needs: [file.{before}]" if before else ""
        lines.append(f"    {name}: {{path: {site.target}/{name}, content: '{text}'{needs}}}\n")
        before = name
    site.stack("".join(lines))


def test_a_disk_of_the_host_that_is_full(site: Site, mount: Mount) -> None:
    mount(site.target, "size=256k")
    (site.target / "two").write_text("mine")
    files(site, one="new", two="x" * 500_000)
    applying = site.apply()

    assert applying.wait() == 1
    assert "No space left on device" in applying.said
    assert site.made() == {"two": "mine"}
    assert site.runs() == [("apply", "rolled_back")]
    mount(site.target, "size=4m")
    assert site.apply().wait() == 0
    assert site.hacore("plan", "--detailed-exitcode").wait() == 0


def test_a_disk_of_the_host_that_is_read_only(site: Site, mount: Mount) -> None:
    mount(site.target, "size=256k,ro")
    files(site, one="new")
    applying = site.apply()

    assert applying.wait() == 1
    assert "Read-only file system" in applying.said
    assert site.made() == {}
    mount(site.target, "size=256k,rw")
    assert site.apply().wait() == 0


def test_a_disk_that_becomes_read_only_in_the_middle_of_a_run(site: Site, mount: Mount) -> None:
    """What was done cannot be undone there, and is said; it is not forgotten."""
    mount(site.target, "size=256k")
    site.files(then="exit 1")
    applying = site.apply()
    site.begun()
    mount(site.target, "size=256k,ro")
    site.slow.go.touch()

    assert applying.wait() == 1
    assert "Read-only file system" in applying.said
    assert site.runs() == [("apply", "failed")]
    assert site.made()["one"] == "new"
    mount(site.target, "size=256k,rw")
    back = site.hacore("rollback", "--auto-approve")
    assert back.wait() == 0, back.said
    assert site.made() == {}


def test_a_run_folder_of_the_host_that_is_full_stops_a_run_before_it_begins(
    site: Site, mount: Mount, here: Path
) -> None:
    here.mkdir(mode=0o700)
    mount(here, "size=64k,mode=0700")
    with (here / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(b"x" * 4096)
    files(site, one="new")
    applying = site.apply()

    assert applying.wait() == 1
    assert "cannot lock lb1@127.0.0.1: " in applying.said
    assert "is it full?" in applying.said
    assert site.made() == {}
    assert site.runs() == []
    (here / "filler").unlink()
    assert site.apply().wait() == 0


def test_a_laptop_that_slept_finds_that_its_run_is_another_s(site: Site) -> None:
    """What wakes up has lost the state's lock and the host's: neither takes anything from it any more."""
    site.files()
    applying = site.apply()
    site.begun()
    applying.signal(signal.SIGSTOP)
    assert site.hacore("rollback", "--auto-approve").wait() == 1, "somebody may still be there"
    assert site.hacore("unlock", "--force").wait() == 0
    site.slow.go.touch()
    back = site.hacore("rollback", "--auto-approve")
    assert back.wait() == 0, back.said
    assert site.made() == {}
    applying.signal(signal.SIGCONT)

    assert applying.wait() == 1
    assert "its lock was broken" in applying.said or "held by another run" in applying.said
    assert site.made() == {}
    assert site.runs()[0] == ("apply", "rolled_back")
    assert site.apply().wait() == 0


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_jumps(site: Site, jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time

    def jumping() -> float:
        return real() + (jump if site.slow.begun.exists() else 0.0)

    monkeypatch.setattr(time, "time", jumping)
    site.files()
    applying = site.apply()
    site.begun()
    site.slow.go.touch()

    assert applying.wait() == 0, applying.said
    assert not re.search(r"-\d+(\.\d+)?s\b|\b\d{5,}(\.\d+)?s\b|\b(23|24)h", applying.said), applying.said
    assert site.hacore("plan", "--detailed-exitcode").wait() == 0
    assert site.hacore("rollback", "--auto-approve").wait() == 0
    eventually(lambda: site.made() == {})
