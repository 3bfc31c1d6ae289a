"""Apply and undo on a real file system: every way from one kind of entry to another, and exactly back."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Action, Change, Image, Work
from hacore_providers.file.provider import PROVIDER
from hacore_providers.file.spec import FileSpec
from tests.providers.file.here import ADDRESS, Here

NAME = 'it\'s "odd"\n-name.conf'


def _file(path: Path) -> None:
    path.write_text("old\n")
    path.chmod(0o4751)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))


def _link(path: Path) -> None:
    path.symlink_to("dangling\n target ")


def _directory(path: Path) -> None:
    path.mkdir()
    path.chmod(0o2750)


BEFORE: dict[str, Callable[[Path], None]] = {
    "nothing": lambda path: None,
    "file": _file,
    "link": _link,
    "directory": _directory,
}

WANTED: dict[str, dict[str, Any]] = {
    "content": {"content": "new\n", "mode": "0640"},
    "content alone": {"content": "new\n"},
    "same content": {"content": "old\n", "mode": "0600"},
    "binary": {"content_base64": "AP8KAA=="},
    "empty": {"content": ""},
    "mode alone": {"mode": "0444", "owner": str(os.geteuid()), "group": str(os.getegid())},
    "nothing governed": {},
    "directory": {"ensure": "directory", "mode": "0711"},
    "link": {"link_to": "some where\n"},
    "owned link": {"link_to": "/x", "owner": str(os.geteuid())},
    "absent": {"ensure": "absent"},
}


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("before", BEFORE)
def test_there_and_back(here: Here, before: str, wanted: str) -> None:
    path = here.root / NAME
    BEFORE[before](path)
    spec = FileSpec(path=str(path), **WANTED[wanted])
    was = here.manifest()

    images = here.images(spec)
    assert here.manifest() == was
    here.undo(spec, images)  # a run that stopped before its first effect
    assert here.manifest() == was

    for _ in "twice":
        here.apply(spec)
        assert not here.differs(spec)
    now = here.manifest()
    assert set(now) <= {".", NAME}
    for _ in "twice":
        here.undo(spec, images)
        assert here.manifest() == was


def test_what_is_not_given_is_left_as_it_is(here: Here) -> None:
    path = here.root / "run.sh"
    path.write_text("old")
    path.chmod(0o6755)
    was = here.manifest()["run.sh"]

    here.apply(FileSpec(path=str(path), content="new"))

    now = here.manifest()["run.sh"]
    assert (now["content"], now["mode"], now["owner"]) == (b"new", was["mode"], was["owner"])


def test_extended_attributes_and_acls_stay_and_come_back(here: Here) -> None:
    path = here.root / "it"
    path.write_text("old")
    # user::rw- user:65534:r-- group::r-- mask::r-- other::---, as acl(5) lays it out in the attribute
    acl = bytes.fromhex("02000000 01000600ffffffff 02000400feff0000 04000400ffffffff 10000400ffffffff 20000000ffffffff")
    try:
        os.setxattr(path, "user.note", b"\x00kept\xff")
        os.setxattr(path, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"this file system has no extended attributes: {error}")
    was = here.manifest()
    update = FileSpec(path=str(path), content="new")
    removal = FileSpec(path=str(path), ensure="absent")

    image = here.images(update)
    here.apply(update)
    assert here.manifest()["it"]["xattrs"] == was["it"]["xattrs"]
    here.undo(update, image)
    assert here.manifest() == was
    here.apply(removal)
    here.undo(removal, image)
    assert here.manifest() == was


def test_a_check_sees_the_new_bytes_while_the_old_ones_stand(here: Here) -> None:
    path = here.root / "a b.conf"
    path.write_text("old\n")
    check = f"grep -q new %s && grep -q old '{path}' && case %s in *.conf) ;; *) false ;; esac"

    here.apply(FileSpec(path=str(path), content="new\n", validate=check))

    assert path.read_text() == "new\n"


@pytest.mark.parametrize("before", ["nothing", "file", "link", "directory"])
def test_a_failed_check_changes_nothing_and_says_why(here: Here, before: str) -> None:
    path = here.root / NAME
    BEFORE[before](path)
    was = here.manifest()
    spec = FileSpec(path=str(path), content="new", validate="printf 'error in %%s:3' \"%s\" >&2; exit 3")
    (step,) = PROVIDER.apply(Work((Change(ADDRESS, Action.UPDATE, spec),)))

    output = here.run(step)

    assert output.rc == 1
    assert output.stderr.decode().startswith(f"cannot replace {path}: its check failed with exit code 3:\n")
    assert here.manifest() == was


def test_a_failed_check_without_output_has_a_reason(here: Here) -> None:
    path = here.root / "it.conf"
    (step,) = PROVIDER.apply(
        Work((Change(ADDRESS, Action.UPDATE, FileSpec(path=str(path), content="x", validate="false %s")),))
    )

    output = here.run(step)

    reason = "its check failed with exit code 1 and printed nothing"
    assert (output.rc, output.stderr.decode()) == (1, f"cannot replace {path}: {reason}\n")


def test_a_checks_complaint_names_the_file_by_its_own_name(here: Here) -> None:
    path = here.root / "it.conf"
    spec = FileSpec(path=str(path), content="new", validate="echo unknown directive in %s:3 and %s:4; false")
    (step,) = PROVIDER.apply(Work((Change(ADDRESS, Action.UPDATE, spec),)))

    said = here.run(step).stderr.decode()

    assert f"unknown directive in {path}:3 and {path}:4" in said
    assert ".hacore-" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_step_that_is_stopped_leaves_nothing_behind(here: Here, number: signal.Signals) -> None:
    path, reached = here.root / "it", here.work / "reached"
    path.write_text("old")
    was = here.manifest()
    # a check that waits for ever, until it is stopped with its step: as `timeout` does, by process group
    wait = f"mkfifo {reached}.pipe; touch {reached}; : %s; cat {reached}.pipe"
    spec = FileSpec(path=str(path), content="new", validate=wait)
    (step,) = PROVIDER.apply(Work((Change(ADDRESS, Action.UPDATE, spec),)))
    (here.work / "content").write_bytes(b"new")
    process = subprocess.Popen(
        ["sh", "-c", "set -eu\n" + step.script],
        env={"PATH": here.path, "HACORE_WORK": str(here.work), "LC_ALL": "C"},
        stderr=subprocess.PIPE,
        process_group=0,
    )
    deadline = time.monotonic() + 20
    while not reached.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert here.manifest() != was  # the new file is being checked

    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:  # a shell may be deaf between two commands
        os.killpg(process.pid, number)
        time.sleep(0.1)
    process.communicate(timeout=20)

    assert process.returncode not in (0, -signal.SIGKILL)
    assert here.manifest() == was


def test_what_a_killed_step_left_is_taken_away_by_the_next(here: Here) -> None:
    path = here.root / "it.conf"
    spec = FileSpec(path=str(path), content="new")
    (step,) = PROVIDER.apply(Work((Change(ADDRESS, Action.CREATE, spec),)))
    # the step kills itself at the moment of change
    killed = step.script.replace("mv -fT", "kill -9 $$; mv -fT")
    assert here.shell("set -eu\n" + killed).returncode == -signal.SIGKILL
    (left,) = here.root.iterdir()
    assert left.name.startswith(".hacore-")

    here.apply(spec)

    assert [entry.name for entry in here.root.iterdir()] == ["it.conf"]


@pytest.mark.parametrize(
    ("prepare", "fields", "message"),
    [
        ("", {"content": "x", "path": "no/such/it"}, "no/such does not exist; add a file resource"),
        ("", {"ensure": "directory", "path": "no/it"}, "no does not exist; add a file resource"),
        ("mkdir it; touch it/inside", {"content": "x"}, "the directory is not empty: inside"),
        ("mkdir it; touch it/inside", {"ensure": "absent"}, "the directory is not empty: inside"),
        ("mkdir it; touch it/inside", {"link_to": "/x"}, "the directory is not empty: inside"),
        ("mkfifo it", {"content": "x"}, "it is a device, a socket or a pipe"),
        (
            "truncate -s 65M it",
            {"ensure": "absent"},
            "it has 68157440 bytes, and the largest file that can be restored has",
        ),
    ],
)
def test_what_could_not_be_undone_is_refused_before_it_is_touched(
    here: Here, prepare: str, fields: dict[str, Any], message: str
) -> None:
    here.shell(f"cd {here.root}; {prepare}")
    spec = FileSpec(**{**fields, "path": str(here.root / fields.get("path", "it"))})
    step = PROVIDER.capture(Work((Change(ADDRESS, Action.UPDATE, spec),)))
    assert step is not None

    output = here.run(step)

    assert output.rc == 1
    assert message in output.stderr.decode()


def test_a_made_directory_goes_only_when_it_is_empty(here: Here) -> None:
    path = here.root / "it"
    spec = FileSpec(path=str(path), ensure="directory")
    images = here.images(spec)
    here.apply(spec)
    (path / "somebody's").touch()

    (step,) = PROVIDER.delete(Work((Change(ADDRESS, Action.DELETE, spec),), images))
    output = here.run(step)

    assert output.rc == 0
    assert f"kept {path}: it is not empty: somebody's" in output.stderr.decode()
    (path / "somebody's").unlink()
    here.run(step)
    assert not path.exists()


def test_delete_goes_back_to_the_origin_or_to_nothing(here: Here) -> None:
    path = here.root / "it"
    path.write_text("found")
    was = here.manifest()
    spec = FileSpec(path=str(path), content="ours", mode="0600")
    origin = here.images(spec)
    here.apply(spec)
    change = Change(ADDRESS, Action.DELETE, PROVIDER.recorded(spec))

    (step,) = PROVIDER.delete(Work((change,), origin))
    assert here.run(step).rc == 0
    assert here.manifest() == was
    (step,) = PROVIDER.delete(Work((change,), {ADDRESS: PROVIDER.absent(spec, "absent")}))
    assert here.run(step).rc == 0
    assert not path.exists()


def test_before_images_name_the_modes_of_their_content(here: Here) -> None:
    """So that the engine encrypts what not everybody may read."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # below folders that everybody may enter
        folder = Path(name)
        path = folder / "it"
        path.write_text("x")
        shown, hidden = FileSpec(path=str(path), content="y"), FileSpec(path=str(path), content="y", sensitive=True)
        folder.chmod(0o755)
        path.chmod(0o644)
        assert here.images(shown)[ADDRESS].modes == (0o644,)
        assert not here.images(shown)[ADDRESS].sensitive
        assert here.images(hidden)[ADDRESS].sensitive
        path.chmod(0o640)
        assert here.images(shown)[ADDRESS].modes == (0o640,)
        path.chmod(0o644)
        folder.chmod(0o750)
        assert here.images(shown)[ADDRESS].modes == (0,)


def test_one_entry_gives_one_image(here: Here) -> None:
    """Images are stored by their content: two captures of the same entry must be one."""
    path = here.root / "it"
    _file(path)
    first = here.images(FileSpec(path=str(path)))
    path.read_text()

    assert here.images(FileSpec(path=str(path))) == first


def test_a_secret_is_never_an_argument(here: Here) -> None:
    spec = FileSpec(path=str(here.root / "it"), content="hunter2-hunter2", sensitive=True)
    was = Image({"kind": "file"}, {"entry.tar": b"hunter2-hunter2"}, sensitive=True)
    work = Work((Change(ADDRESS, Action.UPDATE, spec),), {ADDRESS: was})

    for step in [PROVIDER.capture(work), *PROVIDER.apply(work), *PROVIDER.undo(work)]:
        assert step is not None and "hunter2" not in step.script
    here.apply(spec)
    assert here.manifest()["it"]["mode"] & 0o7777 == 0o600


OTHER = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other accounts")
@pytest.mark.parametrize("removed", [False, True], ids=["changed", "removed"])
def test_an_undo_restores_owner_group_and_mode(here: Here, removed: bool) -> None:
    path = here.root / "it"
    path.write_text("old")
    os.chown(path, OTHER, OTHER - 1)
    path.chmod(0o4750)
    was = here.manifest()
    spec = FileSpec(
        path=str(path), **({"ensure": "absent"} if removed else {"content": "x", "owner": "0", "group": "0"})
    )

    images = here.images(spec)
    here.apply(spec)
    assert here.manifest() != was
    here.undo(spec, images)

    assert here.manifest() == was


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other accounts")
@pytest.mark.parametrize("wanted", ["directory", "absent", "content"])
def test_an_undo_restores_owner_group_and_mode_of_a_directory(here: Here, wanted: str) -> None:
    path = here.root / "it"
    path.mkdir()
    os.chown(path, OTHER, OTHER - 1)
    path.chmod(0o2750)
    was = here.manifest()
    bodies: dict[str, Any] = {
        "directory": {"ensure": "directory", "owner": "0", "group": "0", "mode": "0700"},
        "absent": {"ensure": "absent"},
        "content": {"content": "x"},
    }
    spec = FileSpec(path=str(path), **bodies[wanted])

    images = here.images(spec)
    here.apply(spec)
    assert here.manifest() != was
    here.undo(spec, images)

    assert here.manifest() == was


@pytest.mark.skipif(os.geteuid() != 0, reason="the capability that root drops here")
@pytest.mark.parametrize("given", [{}, {"owner": str(OTHER), "mode": "4755"}], ids=["kept", "set"])
def test_the_suid_bit_survives_the_writing_of_the_content(tmp_path: Path, given: dict[str, str]) -> None:
    """write(2) clears it for everybody without CAP_FSETID, such as a plain user."""
    root, work = tmp_path / "root", tmp_path / "work"
    root.mkdir()
    work.mkdir()
    here = Here(root, work, prefix=("setpriv", "--bounding-set=-fsetid"))
    path = root / "it"
    path.write_text("old")
    os.chown(path, OTHER, OTHER)
    path.chmod(0o4755)

    here.apply(FileSpec(path=str(path), content="new", **given))

    status = path.stat()
    assert (path.read_text(), oct(status.st_mode & 0o7777), status.st_uid) == ("new", "0o4755", OTHER)
