"""`dist.py [PYTHON...]`: build the sdist and the wheel into dist/, and check what users will install.

Checked are the version against the changelog, the metadata (twine), the files of both archives against what git has,
and for each Python: a new virtual environment with the wheel only, in which `hacore --help` and the quickstart run.
Without arguments, the Pythons are those of PATH that pyproject.toml names in its classifiers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
RELEASED = re.compile(r"^## \[([^\]]+)\] - \d{4}-\d{2}-\d{2}$", re.MULTILINE)


class DistError(Exception):
    """Something that must not be published: the message names it."""


@dataclass(frozen=True, slots=True)
class Archives:
    """The two files of a release."""

    sdist: Path
    wheel: Path


def check_version(version: str, changelog: str) -> None:
    """Compare a version with the sections of the changelog.

    Raises `DistError` if a release has no dated section, or a development version has one already.
    """
    dated = set(RELEASED.findall(changelog))
    final = version.split(".dev")[0]
    if version == final and version not in dated:
        raise DistError(f"cannot release {version}: CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD'")
    if version != final and final in dated:
        raise DistError(f"cannot build {version}: CHANGELOG.md has {final} as released; set the next version")


def compare(archive: str, has: set[str], wanted: set[str]) -> None:
    """Raises `DistError` with the files that an archive has too many or too few."""
    wrong = [f"{name} is missing" for name in sorted(wanted - has)]
    wrong += [f"{name} is not of git" for name in sorted(has - wanted)]
    if wrong:
        raise DistError(f"cannot publish {archive}: {'; '.join(wrong)}")


def files_of_sdist(tracked: set[str], excluded: list[str]) -> set[str]:
    """What an sdist must have: all of git without `excluded` (files or folders, with a leading slash)."""
    paths = [PurePosixPath(name.lstrip("/")) for name in excluded]
    kept = {name for name in tracked if not any(PurePosixPath(name).is_relative_to(path) for path in paths)}
    return kept | {"PKG-INFO"}


def files_of_wheel(tracked: set[str], packages: list[str], shared: dict[str, str] | None = None) -> set[str]:
    """What a wheel must have beside its metadata: the files of `packages`, below the last part of their names.

    `shared` has the folders of files below the prefix of an installation, each with its name there.
    """
    below = {
        str(PurePosixPath(name).relative_to(PurePosixPath(package).parent))
        for package in packages
        for name in tracked
        if PurePosixPath(name).is_relative_to(package)
    }
    return below | {
        str(PurePosixPath(there) / PurePosixPath(name).relative_to(folder))
        for folder, there in (shared or {}).items()
        for name in tracked
        if PurePosixPath(name).is_relative_to(folder)
    }


def check_contents(archives: Archives, tracked: set[str], hatch: dict[str, dict[str, Any]]) -> None:
    """Compare both archives with the files of git; `hatch` is the table of targets. Raises `DistError`."""
    with tarfile.open(archives.sdist) as sdist:
        has = {member.name.partition("/")[2] for member in sdist.getmembers() if not member.isdir()}
    compare(archives.sdist.name, has, files_of_sdist(tracked, hatch["sdist"]["exclude"]))
    with zipfile.ZipFile(archives.wheel) as wheel:
        names = [re.sub(r"^[^/]+\.data/data/", "", name) for name in wheel.namelist()]
        has = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    wanted = files_of_wheel(tracked, hatch["wheel"]["packages"], hatch["wheel"].get("shared-data"))
    compare(archives.wheel.name, has, wanted)


def build(folder: Path) -> Archives:
    """Build the sdist, and from it the wheel, into an empty folder."""
    # `build` makes the wheel from the sdist: a file that the sdist lacks cannot be in the wheel.
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", sdist, wheel], check=True)
    return Archives(sdist, wheel)


def available(classifiers: list[str]) -> list[str]:
    """The commands of the supported Pythons that start here; a shim of pyenv may exist and not start."""
    versions = [text.rsplit(" ", 1)[1] for text in classifiers if re.search(r":: 3\.\d+$", text)]
    return [name for name in (f"python{version}" for version in versions) if starts(name)]


def starts(python: str) -> bool:
    """Whether a command is a Python that runs."""
    return shutil.which(python) is not None and not subprocess.run([python, "-c", ""], capture_output=True).returncode


def try_out(python: str, archives: Archives, version: str, folder: Path) -> None:
    """Install the wheel alone, with this Python, and run the quickstart of the sdist. Raises `DistError`."""
    subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
    pip: list[str | Path] = [folder / "venv/bin/python", "-m", "pip", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", archives.wheel], check=True)
    subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(archives.sdist) as sdist:
        sdist.extractall(folder, filter="data")
    stack = str(folder / archives.sdist.name.removesuffix(".tar.gz") / "stacks/quickstart")
    place = f"folder={folder}/made/here"
    (folder / "made").mkdir()
    for words, text in (
        (["--version"], f"hacore {version}"),
        (["--help"], "apply"),
        (["apply", "--auto-approve", "--var", place, stack], ""),
        (["plan", "--var", place, stack], "No changes"),
        (["destroy", "--auto-approve", "--var", place, stack], ""),
    ):
        expect(folder, words, text)
    if (folder / "made/here").exists():
        raise DistError(f"cannot publish {archives.wheel.name}: its destroy left {folder}/made/here")


def expect(folder: Path, words: list[str], text: str) -> None:
    """Run the installed hacore with a home of its own. Raises `DistError` if it fails or does not print `text`."""
    own = ("PYTHON", "VIRTUAL_ENV", "XDG_", "HACORE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        [folder / "venv/bin/hacore", *words],
        cwd=folder,
        env=environment | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode or text not in done.stdout:
        raise DistError(f"hacore {words[0]}: exit code {done.returncode}: {done.stdout}{done.stderr}")


def publishable(pythons: list[str], folder: Path) -> Archives:
    """Build into `folder` and check everything; the archives. Raises `DistError`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = VERSION.search((ROOT / "hacore/__init__.py").read_text())
    if found is None:
        raise DistError("cannot build: hacore/__init__.py has no __version__")
    check_version(found[1], (ROOT / "CHANGELOG.md").read_text())
    pythons = pythons or available(project["project"]["classifiers"])
    if not pythons:
        raise DistError("cannot check the wheel: no supported Python is in PATH; name one: dist.py PYTHON")
    git = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    (built := folder / "built").mkdir()
    archives = build(built)
    check_contents(archives, set(git.stdout.split("\0")) - {""}, project["tool"]["hatch"]["build"]["targets"])
    for number, python in enumerate(pythons):
        (own := folder / str(number)).mkdir()
        try_out(python, archives, found[1], own)
        print(f"{python}: installed, quickstart passed", flush=True)
    return archives


def main(arguments: list[str]) -> int:
    """The exit code; dist/ gets the archives only after every check passed."""
    target = ROOT / "dist"
    with tempfile.TemporaryDirectory(prefix="hacore-dist-") as name:
        try:
            archives = publishable(arguments, Path(name))
        except DistError as error:
            print(error, file=sys.stderr)
            return 1
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path in (archives.sdist, archives.wheel):
            shutil.copy2(path, target)
            print(f"dist/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
