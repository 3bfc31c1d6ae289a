"""A user who owns a folder exchanges what hacore, as root, makes in it; see docs/adr/0027."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hacore.cli.app import run
from hacore.engine.means import Means
from hacore.testing import ThisMachine

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(os.geteuid() != 0, reason="the attack is on root"),
]

ATTACK = r"""
import os, sys
home, victim, mine = sys.argv[1], sys.argv[2], sys.argv[3] == "mine"
def swap(path):
    if os.path.islink(path):
        return
    while mine and os.lstat(path).st_uid == 0: # until it is given to us, its mode still to come
        pass
    os.unlink(path) if not os.path.isdir(path) else os.rename(path, home + "/gone")
    os.symlink(victim, path)
open(home + "/ready", "w").close()
while os.path.exists(home + "/ready"):
    try:
        for name in os.listdir(home):
            if name.startswith(".hacore-"):
                swap(f"{home}/{name}")
    except OSError:
        pass
"""


@contextlib.contextmanager
def attacked(home: Path, victim: Path, when: str) -> Iterator[None]:
    python = str(Path(sys.executable).resolve())
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-I", "-c", ATTACK]
    with subprocess.Popen([*argv, str(home), str(victim), when]) as attacker:
        try:
            while not (home / "ready").exists():
                assert attacker.poll() is None
            yield
        finally:
            (home / "ready").unlink()
            attacker.wait(timeout=30)


def stack(folder: Path, home: Path, version: int, path: str = ".profile") -> None:
    (folder / "stack.yaml").write_text(
        "stack: home\nhosts:\n  here: {address: localhost, connection: {transport: local}}\n"
        f'resources:\n  file:\n    profile: {{path: {home}/{path}, content: "# v{version}", owner: "65534"}}\n'
    )


@pytest.mark.parametrize("when", ["at once", "mine"])
def test_root_is_led_nowhere(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    """The folder is its user's only once the plan is made, so that apply must find out by itself."""
    home, safe = open_folder / "home", open_folder / "safe"
    home.mkdir()
    safe.mkdir(mode=0o700)
    victim = safe / "shadow"
    victim.write_text("root:$6$secret")
    victim.chmod(0o600)
    before = victim.stat()
    monkeypatch.chdir(tmp_path)
    given = ThisMachine(tmp_path / "host")
    made = Means.__init__

    def here(self: Means, *args: object, **more: object) -> None:
        made(self, *args, **{**more, "connect": given.connect})  # type: ignore[arg-type]

    monkeypatch.setattr(Means, "__init__", here)
    stack(tmp_path, home, 0)
    assert run(["plan", "--out", "saved"]) == 0
    os.chown(home, 65534, 65534)
    with attacked(home, victim, when):
        run(["apply", "saved", "--auto-approve"])  # either is right: done as that user, or made impossible by that user
        for version in range(1, 6):
            stack(tmp_path, home, version)
            run(["apply", "--auto-approve"])
        capsys.readouterr()
        stack(tmp_path, home, 7)
        (tmp_path / "stack.yaml").write_text(
            (tmp_path / "stack.yaml").read_text().replace('owner: "65534"', "owner: root")
        )
        assert run(["apply", "--auto-approve"]) == 1  # refused by the plan
        told = capsys.readouterr()
        why = f"cannot write {home}/.profile: the folder {home} belongs to uid 65534, who could redirect the write"
        assert "stack.yaml:6:5: file.profile@here: " + why in told.out + told.err
    after = victim.stat()
    assert victim.read_text() == "root:$6$secret"
    for field in ("st_mode", "st_uid", "st_gid", "st_ino", "st_ctime_ns", "st_nlink"):
        assert getattr(after, field) == getattr(before, field), field
    assert [path for path in home.rglob("*") if path.lstat().st_uid == 0] == []  # root has made nothing there
