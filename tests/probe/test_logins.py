"""Who was logged in when a file was changed: lines as last(1) of util-linux prints them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from hacore.probe.logins import ASK_LOGINS, LOGINS, Login, logged_in

SAID = b"""\
root     pts/1        10.0.0.5         Thu Nov 26 14:00:00 2026   still logged in
ann      pts/0        192.0.2.7        Thu Nov 26 12:00:00 2026 - Thu Nov 26 12:30:00 2026  (00:30)
root     tty1         0.0.0.0          Thu Nov 26 11:00:00 2026 - down                      (00:10)
bob      pts/2                         Wed Nov  5 01:02:03 2026   gone - no logout
reboot   system boot  0.0.0.0          Thu Nov 26 10:59:00 2026   still running

wtmp begins Wed Nov  4 14:24:12 2026
"""
NOON = 1_795_694_400.0  # 2026-11-26 12:00:00 UTC


def test_sessions_are_read() -> None:
    assert LOGINS.parse(SAID)[""] == (
        Login("root", "pts/1", "10.0.0.5", NOON + 7200),
        Login("ann", "pts/0", "192.0.2.7", NOON, NOON + 1800),
        Login("root", "tty1", "", NOON - 3600),
        Login("bob", "pts/2", "", 1_793_840_523.0),
    )
    assert LOGINS.parse(b"") == {"": ()}
    assert LOGINS.parse(b"\xff\n\nlast: cannot open\n") == {"": ()}


@pytest.mark.parametrize(
    ("at", "who"),
    [
        (NOON + 60, ("ann from 192.0.2.7 (pts/0)",)),
        (NOON + 1800, ("ann from 192.0.2.7 (pts/0)",)),
        (NOON + 1859, ("ann from 192.0.2.7 (pts/0)",)),  # a program that it started
        (NOON + 1861, ()),
        (NOON - 1, ()),
        (NOON + 9000, ("root from 10.0.0.5 (pts/1)",)),
    ],
)
def test_who_was_there(at: float, who: tuple[str, ...]) -> None:
    known = [one for one in LOGINS.parse(SAID)[""] if one.user in ("ann", "root") and one.line != "tty1"]
    assert logged_in(known, at) == who


def test_the_question_is_one_that_this_machine_answers_or_cannot() -> None:
    done = subprocess.run(["sh", "-c", LOGINS.command([ASK_LOGINS])], capture_output=True, check=False)
    assert done.returncode == 0
    assert isinstance(LOGINS.parse(done.stdout)[""], tuple)
    if shutil.which("last") is None:
        assert done.stdout == b""
