"""The wheel: what is in it, and that it runs in a virtual environment that has only what it asks for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.machine


@dataclass(frozen=True)
class Installed:
    """A wheel of this checkout, and the virtual environment that it was installed into."""

    wheel: Path
    bin: Path

    def hacore(self, *words: str, folder: Path) -> str:
        """Run the installed command in `folder`; its stdout. Its exit code must be 0."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        done = subprocess.run(
            [self.bin / "hacore", *words],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", place, ROOT], check=True)
    (wheel,) = place.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    fresh = place / "venv" / "bin"
    subprocess.run([fresh / "python", "-m", "pip", "--disable-pip-version-check", "-q", "install", wheel], check=True)
    return Installed(wheel, fresh)


def test_it_has_its_packages_and_nothing_beside_them(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
        shared = {name.split("/data/")[1].split("/")[0] for name in wheel.namelist() if ".data/" in name}

    assert shared == {"share"}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {
        "hacore",
        "hacore_providers",
        "hacore_command",
    }


@pytest.mark.usefixtures("whole_machine")
def test_the_quickstart_runs_with_nothing_else_installed(installed: Installed, tmp_path: Path) -> None:
    stack = tmp_path / "stack.yaml"
    stack.write_text(
        "stack: wheel\n"
        "hosts: {here: {address: localhost, connection: {transport: local}}}\n"
        "resources:\n"
        "  file:\n"
        f"    greeting: {{path: {tmp_path}/greeting, template: greeting.j2}}\n"
    )
    (tmp_path / "greeting.j2").write_text("hello from {{ host.name }}\n")

    installed.hacore("validate", folder=tmp_path)
    assert "1 to create" in installed.hacore("plan", folder=tmp_path)
    installed.hacore("apply", "--auto-approve", folder=tmp_path)
    assert (tmp_path / "greeting").read_text() == "hello from here\n"
    assert "No changes" in installed.hacore("plan", folder=tmp_path)
    installed.hacore("drift", folder=tmp_path)
    installed.hacore("rollback", "--auto-approve", folder=tmp_path)
    assert not (tmp_path / "greeting").exists()


@pytest.mark.skipif(shutil.which("man") is None, reason="man(1) is not installed")
def test_man_finds_the_page_of_an_installed_command(installed: Installed) -> None:
    environ = {
        "PATH": f"{installed.bin}:{os.environ['PATH']}",
        "MANPAGER": "cat",
        "MANWIDTH": "80",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(["man", "hacore-plan"], env=environ, capture_output=True, text=True, check=True)

    assert "Show the changes that bring the hosts to the desired" in done.stdout
    assert "--detailed-exitcode" in done.stdout


def test_completion_files_are_installed(installed: Installed) -> None:
    share = installed.bin.parent / "share"
    names = (
        "bash-completion/completions/hacore",
        "zsh/site-functions/_hacore",
        "fish/vendor_completions.d/hacore.fish",
    )

    assert [name for name in names if "_HACORE_COMPLETE" not in (share / name).read_text()] == []


def test_all_kinds_are_found_by_their_entry_points(installed: Installed, tmp_path: Path) -> None:
    schema = json.loads(installed.hacore("schema", "stack", folder=tmp_path))

    with (ROOT / "pyproject.toml").open("rb") as file:
        kinds = tomllib.load(file)["project"]["entry-points"]["hacore.providers"]
    assert set(schema["properties"]["resources"]["properties"]) == set(kinds)
