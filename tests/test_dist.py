"""What must not be published is refused, by name: versions, files too many, files too few."""

from __future__ import annotations

import importlib.util
import io
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import hacore

ROOT = Path(__file__).resolve().parents[1]
HATCH = {"sdist": {"exclude": ["/.ci", "/notes.txt"]}, "wheel": {"packages": ["pack", "more/other"]}}
TRACKED = {".ci/run", "notes.txt", "notes.txt.old", "README.md", "pack/a.py", "more/other/b.py", "more/c.py"}
IN_SDIST = {"PKG-INFO", "notes.txt.old", "README.md", "pack/a.py", "more/other/b.py", "more/c.py"}
IN_WHEEL = {"pack/a.py", "other/b.py"}


@pytest.fixture(scope="module")
def dist() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hacore_dist_script", ROOT / "scripts/dist.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses ask for the module of their class
    spec.loader.exec_module(module)
    return module


def archives(dist: ModuleType, folder: Path, sdist: set[str], wheel: set[str]) -> object:
    with tarfile.open(folder / "x-1.tar.gz", "w:gz") as tar:
        for name in sdist:
            tar.addfile(tarfile.TarInfo(f"x-1/{name}"), io.BytesIO())
    with zipfile.ZipFile(folder / "x-1-py3-none-any.whl", "w") as archive:
        for name in wheel | {"x-1.dist-info/METADATA"}:
            archive.writestr(name, "")
    return dist.Archives(folder / "x-1.tar.gz", folder / "x-1-py3-none-any.whl")


def test_archives_with_the_files_of_git_pass(dist: ModuleType, tmp_path: Path) -> None:
    dist.check_contents(archives(dist, tmp_path, IN_SDIST, IN_WHEEL), TRACKED, HATCH)


def test_shared_files_are_wanted_below_the_prefix(dist: ModuleType) -> None:
    tracked = {"share/man/man1/x.1", "shared/y", "pack/a.py"}

    assert dist.files_of_wheel(tracked, ["pack"], {"share": "share"}) == {"pack/a.py", "share/man/man1/x.1"}
    assert dist.files_of_wheel(tracked, ["pack"], {"shared": "etc"}) == {"pack/a.py", "etc/y"}


@pytest.mark.parametrize(
    ("sdist", "wheel", "message"),
    [
        (IN_SDIST - {"pack/a.py"}, IN_WHEEL, "x-1.tar.gz: pack/a.py is missing"),
        (IN_SDIST | {".ci/run"}, IN_WHEEL, "x-1.tar.gz: .ci/run is not of git"),
        (IN_SDIST | {"secret.key"}, IN_WHEEL, "x-1.tar.gz: secret.key is not of git"),
        (IN_SDIST, IN_WHEEL - {"other/b.py"}, "x-1-py3-none-any.whl: other/b.py is missing"),
        (IN_SDIST, IN_WHEEL | {"tests/t.py"}, "x-1-py3-none-any.whl: tests/t.py is not of git"),
    ],
)
def test_a_file_too_many_or_too_few_is_named(
    dist: ModuleType, tmp_path: Path, sdist: set[str], wheel: set[str], message: str
) -> None:
    with pytest.raises(dist.DistError, match=f"^cannot publish {message}$"):
        dist.check_contents(archives(dist, tmp_path, sdist, wheel), TRACKED, HATCH)


def test_a_release_has_a_dated_section(dist: ModuleType) -> None:
    dist.check_version("0.2.0", "## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n")
    dist.check_version("0.3.0.dev0", "## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n")
    with pytest.raises(dist.DistError, match=r"^cannot release 0\.2\.0: CHANGELOG.md has no section"):
        dist.check_version("0.2.0", "## [Unreleased]\n")
    with pytest.raises(dist.DistError, match=r"^cannot release 0\.2\.0: CHANGELOG.md has no section"):
        dist.check_version("0.2.0", "## [0.2.0]\n")
    with pytest.raises(dist.DistError, match=r"has 0\.2\.0 as released; set the next version$"):
        dist.check_version("0.2.0.dev0", "## [0.2.0] - 2026-12-01\n")


def test_this_version_and_its_changelog_agree(dist: ModuleType) -> None:
    dist.check_version(hacore.__version__, (ROOT / "CHANGELOG.md").read_text())


def test_only_pythons_that_start_are_used(dist: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("python3.11", "exit 0"), ("python3.12", "exit 127")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert dist.available(project["classifiers"]) == ["python3.11"]
