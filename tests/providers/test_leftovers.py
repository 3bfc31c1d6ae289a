"""What a killed step leaves beside its target, perhaps a secret, is removed by the next step for that target."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from hacore.contract import Image
from hacore_providers.file import steps as file_steps
from hacore_providers.file.shell import names as names_of
from hacore_providers.file.spec import FileSpec
from hacore_providers.service import systemd, sysv
from hacore_providers.vrrp_instance import steps as vrrp_steps
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="steps of these kinds are run as root")

SECRET = "hunter2-and-more"


def run(folder: Path, script: str, blobs: dict[str, bytes]) -> None:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    for name, blob in blobs.items():
        (work / name).write_bytes(blob)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HACORE_WORK": str(work), "HACORE_HOME": str(folder)}
    done = subprocess.run(["sh", "-c", f"set -eu\n{script}"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


CONFIG = "keepalived.conf"
STEPS: dict[str, Callable[[str], list[tuple[str, dict[str, bytes]]]]] = {
    "install": lambda config: [_of(vrrp_steps.install(_vrrp(config), "text", ()))],
    "restore a file": lambda config: [_of(vrrp_steps.restore(_image(config, "file")))],
    "restore a link": lambda config: [_of(vrrp_steps.restore(_image(config, "link")))],
    "restore nothing": lambda config: [_of(vrrp_steps.restore(_image(config, "absent")))],
}


def _of(step: object) -> tuple[str, dict[str, bytes]]:
    return step.script, dict(step.blobs)  # type: ignore[attr-defined]


def _image(config: str, kind: str) -> Image:
    data = {"config": config, "type": kind, "missing": [], "mode": "600", "uid": "0", "gid": "0"}
    return Image(data, {"content": b"/etc/other"})


def _vrrp(config: str) -> VrrpInstanceSpec:
    body = {"interface": "eth0", "virtual_router_id": 5, "addresses": ["192.0.2.9/24"], "config": config}
    return VrrpInstanceSpec.model_validate({**body, "binary": "/bin/true"})


@pytest.mark.parametrize("what", STEPS)
def test_of_keepalived_conf(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "keepalived"
    folder.mkdir()
    for left in (".hacore-keepalived.conf.Ab3xYz", ".hacore.Ab3xYz"):
        (folder / left).write_text(SECRET)
    for kept in (".hacore.ab.new", ".hacore-other.conf.Ab3xYz", "conf.d"):
        (folder / kept).write_text("of others")

    for script, blobs in STEPS[what](str(folder / CONFIG)):
        run(tmp_path, script, blobs)

    assert names(folder) - {CONFIG} == {".hacore.ab.new", ".hacore-other.conf.Ab3xYz", "conf.d"}


def test_of_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = str(folder / "app.conf")
    steps = file_steps.replace(FileSpec(path=path, content="x")), file_steps.restore(path, Image({"kind": "absent"}))
    for step in steps:
        stem = names_of(path).partition("stem=")[2].split()[0]
        Path(f"{stem}.Ab3xYz.conf").write_text(SECRET)
        run(tmp_path, step.script, dict(step.blobs))
        assert names(folder) <= {"app.conf"}


@pytest.mark.parametrize("kind", [systemd, sysv])
@pytest.mark.parametrize("part", ["_WRITE", "_UNDO_WRITE"])
@pytest.mark.parametrize("mask", ["", "/dev/null"])
def test_of_a_definition(tmp_path: Path, kind: ModuleType, part: str, mask: str) -> None:
    """The part of the script that writes it: the rest needs an init system."""
    definition, new = tmp_path / "app.service", tmp_path / ".hacore.app.new"
    definition.write_text("[Unit]\n")
    definition.chmod(0o644)
    new.write_text(SECRET)
    variables = f"definition={definition} new={new} mode='644' mask={mask} target={mask}\n"
    functions = 'safe_path() { :; }\nput_file() { cp -- "$1" "$5"; }\nsystemctl() { :; }\n'

    run(tmp_path, variables + functions + getattr(kind, part), {"definition": b"[Unit]\n"})

    assert not new.exists()
