"""Steps as a real shell runs them: one that could not be written as a whole is not begun."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from hacore.contract import Step
from hacore.probe.script import frames, steps_script

SMALL = 8192
"""The size, in bytes, that no file may exceed on a host that is nearly full."""


def run(steps: tuple[Step, ...], *, largest: int | None = None) -> tuple[int, dict[str, str]]:
    """The exit code and the frames of one task with these steps; `largest` limits each file, in bytes."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    done = subprocess.run(
        ["sh", "-c", steps_script([("0", steps, ())], "n", "")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        preexec_fn=limit,
        check=False,
    )
    return done.returncode, {name: content.decode().strip() for name, content in frames(done.stdout, "n")}


def test_a_step_without_a_work_folder_is_not_begun(own_folders: Path, tmp_path: Path) -> None:
    """Its script would otherwise be written to / and run there."""
    mark = tmp_path / "mark"
    rc, found = run((Step(f"rm -rf '{own_folders}'; : >'{own_folders}'"), Step(f"echo ran >'{mark}'")))

    assert rc == 1
    assert "rc 0 0 0" in found
    assert "rc 0 1 1" in found
    assert f"cannot write the step to {own_folders}: is it full?" in found["err 0 1"]
    assert not mark.exists()


@pytest.mark.parametrize("where", ["content", "script"])
def test_a_step_that_could_be_written_only_in_part_is_not_begun(own_folders: Path, tmp_path: Path, where: str) -> None:
    mark = tmp_path / "mark"
    much = "x" * (4 * SMALL)
    script = f"echo ran >'{mark}'\n" + (f": {much}\n" if where == "script" else "")
    step = Step(script, {"content": much.encode()} if where == "content" else {})

    assert run((step,))[0] == 0
    mark.unlink()
    rc, found = run((step,), largest=SMALL)

    assert rc == 1
    assert "is it full?" in found["err 0 0"]
    assert not mark.exists()
    assert list(own_folders.glob("step.*")) == []
