"""A local user without rights races the steps of root; see docs/adr/0027 and 0042.

HACORE_ATTACKS: tries for each case; `make soak` has more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hacore.contract import Image, Step
from hacore_providers.file import steps as file_steps
from hacore_providers.file.spec import FileSpec
from hacore_providers.package.shell import COMMON, RECORDS
from hacore_providers.vrrp_instance import steps as vrrp_steps

OTHER = 65534
TRIES = int(os.environ.get("HACORE_ATTACKS", "100"))

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("gcc") is None, reason="the attack is on root, in C"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("attacker") / "attacker"
    subprocess.run(["gcc", "-O1", "-w", "-o", built, Path(__file__).with_name("attacker.c")], check=True)
    return built


def _package(path: str) -> Step:
    """Puts back a file of the other user's, as after the removal of a package that had replaced it."""
    head = f"manager=apt; free_services() {{ :; }}\n{COMMON}{RECORDS}"
    old = '"$HACORE_WORK/old"'
    make = f"mkdir -p {old}{path.rpartition('/')[0]}; echo old >{old}{path}; chmod 0666 {old}{path}"
    return Step(f"{head}{make}\nput_back {old} {path}")


def _vrrp(path: str) -> Step:
    data = {"config": path, "type": "file", "missing": [], "mode": "4666", "uid": str(OTHER), "gid": "0"}
    return vrrp_steps.restore(Image(data, {"content": b"old"}))


def _write(**fields: str) -> Callable[[str], Step]:
    return lambda path: file_steps.replace(FileSpec.model_validate({"path": path, **fields}))


# name: the attack, the place, the step
CASES: dict[str, tuple[str, str, Callable[[str], Step]]] = {
    "file that is given away": ("given", "sticky/it", _write(content="same", owner="65534", mode="4755")),
    "folder that is given away": ("given", "sticky/it", _write(ensure="directory", owner="65534", mode="0777")),
    "file that appears": ("file", "sticky/it", _write(content="same", mode="0666")),
    "mode alone": ("file", "sticky/it", _write(mode="4755")),
    "folder that appears": ("folder", "sticky/it", _write(ensure="directory", mode="0777")),
    "ancestor": ("ancestor", "home/it/leaf", _write(content="same", mode="0666")),
    "ancestor of what is removed": ("ancestor", "home/it/victim", file_steps.remove),
    "package": ("planted", "sticky/it", _package),
    "vrrp_instance": ("given", "sticky/it", _vrrp),
}


@contextlib.contextmanager
def attacked(program: Path, mode: str, folder: Path, victim: Path) -> Iterator[None]:
    local = folder.parent / "attacker"
    shutil.copy(program, local)
    local.chmod(0o755)
    argv = ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", local, mode, folder, "it", victim]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as attacker:
        try:
            assert attacker.stdout is not None
            assert attacker.stdout.readline() == "ready\n"
            yield
        finally:
            (folder.parent / "stop").touch()
            assert attacker.wait(timeout=60) == 0


@pytest.mark.parametrize("case", CASES)
def test_root_works_on_nothing_of_its_own_that_it_was_led_to(program: Path, open_folder: Path, case: str) -> None:
    mode, place, make = CASES[case]
    (open_folder / "sticky").mkdir()
    (open_folder / "sticky").chmod(0o1777)
    (open_folder / "home/it").mkdir(parents=True)
    for folder in ("home", "home/it"):
        os.chown(open_folder / folder, OTHER, OTHER)
    (open_folder / "safe").mkdir()
    (open_folder / "work").mkdir(mode=0o700)
    victim = open_folder / "safe/victim"
    victim.write_text("root:$6$secret")
    victim.chmod(0o600)
    before = victim.stat()
    path = open_folder / place
    step = make(str(path))
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "HACORE_WORK": str(open_folder / "work"),
        "HACORE_HOME": str(open_folder / "work"),
    }
    for name, blob in step.blobs.items():
        (open_folder / "work" / name).write_bytes(blob)
    with attacked(program, mode, path.parent if mode != "ancestor" else open_folder / "home", victim):
        for _ in range(TRIES):
            subprocess.run(
                ["sh", "-s"],
                input=f"set -eu\n{step.script}",
                env=env,
                cwd="/",
                text=True,
                capture_output=True,
                timeout=60,
            )
            if mode != "ancestor":
                for left in path.parent.iterdir():
                    with contextlib.suppress(OSError):
                        left.unlink() if left.is_symlink() or not left.is_dir() else left.rmdir()
    after = victim.stat()
    assert victim.read_text() == "root:$6$secret"
    for field in ("st_mode", "st_uid", "st_gid", "st_ino", "st_ctime_ns", "st_nlink"):
        assert getattr(after, field) == getattr(before, field), field
    assert [entry.name for entry in victim.parent.iterdir()] == ["victim"]
