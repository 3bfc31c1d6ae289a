"""A build without root, in a folder of one's own: the way of this machine's stack."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Change, Facts, Output, Step, View, Work
from hacore.model import Action, Image
from hacore_providers.source_build.provider import PROVIDER
from hacore_providers.source_build.spec import SourceBuildSpec
from tests.providers.source_build.conftest import Folder, tarball

ADDRESS = Address("source_build", "greeter", host="here")
NOBODY = 65534
MAKEFILE = """\
all:
\tprintf '#!/bin/sh\\necho %s\\n' "`cat notes.txt`" >greeter
install:
\tmkdir -p "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib"
\tinstall -m 0755 greeter "$(DESTDIR)$(PREFIX)/bin/greeter"
\techo "$(PREFIX)" >"$(DESTDIR)$(PREFIX)/lib/libgreeter.so"
"""


class Here:
    """Runs steps on this machine as a user without rights."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work = folder / "state", folder / "work"
        for path in (folder, self.home, self.work):
            path.mkdir(exist_ok=True)
        self.user = NOBODY if os.getuid() == 0 else None
        if self.user is not None:
            for path in (folder, self.home, self.work):
                os.chown(path, NOBODY, NOBODY)

    def sh(self, script: str) -> bytes:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HACORE_HOME": str(self.home)}
        environment |= {"HACORE_WORK": str(self.work)}
        options: dict[str, Any] = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        done = subprocess.run(
            ["sh", "-c", "set -eu\n" + script], env=environment, cwd="/", capture_output=True, umask=0o022, **options
        )
        assert done.returncode == 0, done.stderr.decode()
        return bytes(done.stdout)

    def run(self, steps: Sequence[Step]) -> list[bytes]:
        outputs = []
        for step in steps:
            for path in self.work.iterdir():
                self.sh(f"rm -rf '{path}'")
            blobs = dict(step.blobs)
            for name, source in step.sources.items():
                blobs[name] = Path(source.url.removeprefix("file://")).read_bytes()
            for name, blob in blobs.items():
                (self.work / name).write_bytes(blob)
                (self.work / name).chmod(0o666)
            outputs.append(self.sh(step.script))
        return outputs

    def view(self, spec: SourceBuildSpec) -> View[SourceBuildSpec]:
        answers = {a.id: a.fact.parse(self.sh(a.fact.command([a]))).get(a.arg) for a in PROVIDER.facts(spec)}
        return View(ADDRESS, spec, None, Facts(answers=answers))

    def go(self, spec: SourceBuildSpec, action: Action = Action.UPDATE) -> Image:
        work = Work((Change(ADDRESS, action, spec),))
        self.run(PROVIDER.prepare(work))
        step = PROVIDER.capture(work)
        assert step is not None
        assert step.parse is not None
        image: Image = step.parse(Output(0, self.run([step])[0]))[ADDRESS]
        self.run(PROVIDER.apply(work))
        return image

    def back(self, spec: SourceBuildSpec, image: Image) -> None:
        self.run(PROVIDER.undo(Work((Change(ADDRESS, Action.UPDATE, spec),), images={ADDRESS: image})))


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p.relative_to(folder)): (p.lstat().st_mode, p.read_bytes() if p.is_file() else b"")
        for p in sorted(folder.rglob("*"))
    }


@pytest.fixture
def here(open_folder: Path) -> Here:
    return Here(open_folder / "here")


def test_create_change_undo_delete(here: Here, tmp_path: Path) -> None:
    target = here.home.parent / "target"

    def spec(notes: str) -> SourceBuildSpec:
        name, sha256 = tarball(tmp_path, f"{notes}.tar.gz", "", Makefile=MAKEFILE, notes_txt=notes)
        body = {
            "source": name,
            "sha256": sha256,
            "environment": {"PREFIX": str(target)},
            "binary": str(target / "bin/greeter"),
            "directories": [{"path": str(target / "spool"), "mode": "0700"}],
        }
        return PROVIDER.resolve(SourceBuildSpec.model_validate(body), Folder(tmp_path))

    first, second = spec("one"), spec("two")
    assert PROVIDER.observe(here.view(first)) is None
    origin = here.go(first, Action.CREATE)
    assert here.sh(f"'{target}/bin/greeter'") == b"one\n"
    assert (target / "spool").stat().st_mode & 0o777 == 0o700
    observed, desired = PROVIDER.observe(here.view(first)), PROVIDER.desire(here.view(first))
    assert observed is not None
    assert observed.attrs == desired.attrs

    before = tree(target)
    image = here.go(second)
    assert here.sh(f"'{target}/bin/greeter'") == b"two\n"
    here.back(second, image)
    assert tree(target) == before

    here.back(first, origin)
    assert not target.exists()
    assert tree(here.home) == {}


def test_a_module_of_another_archive_is_part_of_the_build(here: Here, tmp_path: Path) -> None:
    target = here.home.parent / "target"
    main = """\
all:
\tprintf '#!/bin/sh\\necho %s\\n' "`cat modules/extra/notes.txt`" >greeter
install:
\tmkdir -p "$(DESTDIR)$(PREFIX)/bin"
\tinstall -m 0755 greeter "$(DESTDIR)$(PREFIX)/bin/greeter"
"""
    name, sha256 = tarball(tmp_path, "main.tar.gz", "", Makefile=main)

    def spec(notes: str, into: str = "modules/extra") -> SourceBuildSpec:
        other, digest = tarball(tmp_path, f"{notes}.tar.gz", "", notes_txt=notes)
        body = {
            "source": name,
            "sha256": sha256,
            "modules": [{"source": other, "sha256": digest, "into": into}],
            "environment": {"PREFIX": str(target)},
            "binary": str(target / "bin/greeter"),
        }
        return PROVIDER.resolve(SourceBuildSpec.model_validate(body), Folder(tmp_path))

    first, second = spec("one"), spec("two")
    here.go(first, Action.CREATE)
    assert here.sh(f"'{target}/bin/greeter'") == b"one\n"
    observed = PROVIDER.observe(here.view(second))
    assert observed is not None
    assert observed.attrs != PROVIDER.desire(here.view(second)).attrs, "another archive is another build"
    here.go(second)
    assert here.sh(f"'{target}/bin/greeter'") == b"two\n"
    with pytest.raises(AssertionError, match=r"the source of greeter has greeter\.c already"):
        here.go(spec("three", into="greeter.c"))


def test_an_undo_removes_run_time_files_of_the_build_and_no_others(
    here: Here, tmp_path: Path, open_folder: Path
) -> None:
    """Of the pattern's files: those that existed before, and those of other resources, are kept."""
    target, data = open_folder / "here/target", open_folder / "here/data"
    here.sh(f"mkdir -p '{data}'; echo old >'{data}/before'")
    name, sha256 = tarball(tmp_path, "one.tar.gz", "", Makefile=MAKEFILE, notes_txt="one")
    body = {
        "source": name,
        "sha256": sha256,
        "environment": {"PREFIX": str(target)},
        "binary": str(target / "bin/greeter"),
        "runtime": [f"{data}/*"],
    }
    spec = PROVIDER.resolve(SourceBuildSpec.model_validate(body), Folder(tmp_path))

    origin = here.go(spec, Action.CREATE)
    here.sh(f"echo new >'{data}/after'; echo theirs >'{data}/other'")
    work = Work(
        (Change(ADDRESS, Action.UPDATE, spec),), images={ADDRESS: origin}, foreign=frozenset({f"path:{data}/other"})
    )
    here.run(PROVIDER.undo(work))

    assert {path.name: path.read_text() for path in data.iterdir()} == {"before": "old\n", "other": "theirs\n"}
    assert not target.exists()


def test_the_undo_of_a_change_keeps_the_run_time_files(here: Here, tmp_path: Path, open_folder: Path) -> None:
    """They are the build's that is restored."""
    target, data = open_folder / "here/target", open_folder / "here/data"
    here.sh(f"mkdir -p '{data}'")

    def spec(notes: str) -> SourceBuildSpec:
        name, sha256 = tarball(tmp_path, f"{notes}.tar.gz", "", Makefile=MAKEFILE, notes_txt=notes)
        body = {
            "source": name,
            "sha256": sha256,
            "environment": {"PREFIX": str(target)},
            "binary": str(target / "bin/greeter"),
            "runtime": [f"{data}/*"],
        }
        return PROVIDER.resolve(SourceBuildSpec.model_validate(body), Folder(tmp_path))

    here.go(spec("one"), Action.CREATE)
    image = here.go(spec("two"))
    here.sh(f"echo new >'{data}/after'")
    here.back(spec("two"), image)

    assert {path.name: path.read_text() for path in data.iterdir()} == {"after": "new\n"}
    assert here.sh(f"'{target}/bin/greeter'") == b"one\n"
