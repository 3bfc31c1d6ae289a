"""The stat fact on a real file system: names that break shells, and what it brings along."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Ask
from hacore_providers.facts.stat import CHUNK, LIMIT, STAT, Stat, sha256
from tests.providers.file.here import Here

HOSTILE = [
    "plain",
    "with space",
    " leading and trailing ",
    "new\nline",
    "ends in newline\n",
    "\n",
    "tab\tand\rreturn",
    "single ' quote",
    'double " quote',
    "back\\slash",
    "back\\\\slashes\\",
    "slash and newline\\\n",
    "looks escaped\\n",
    "-n",
    "--",
    "--help",
    "*",
    "?[a-z]",
    "~root",
    "$(touch pwned)",
    "`touch pwned`",
    "$HOME",
    "a;b&c|d>e<f",
    "#comment",
    "ünïcødé ☃",
    "x" * 255,
    "hash 0000  name",
    "stat AAAA",
    "%s%n\\0",
]


def ask_all(here: Here, paths: list[str], **options: Any) -> Any:
    return here.ask(*(Ask(STAT, path, **options) for path in paths))


def test_hostile_names_of_files(here: Here) -> None:
    contents = {}
    for number, name in enumerate(HOSTILE):
        path = here.root / name
        path.write_bytes(f"content {number}\n".encode())
        path.chmod(0o600 + number % 64)
        contents[str(path)] = path.read_bytes()

    answers = ask_all(here, list(contents))

    assert {path: value.content for path, value in answers.items()} == contents
    for path, value in answers.items():
        status = os.stat(path)
        assert (value.kind, value.mode, value.uid, value.gid, value.size, value.mtime) == (
            "file",
            status.st_mode & 0o7777,
            status.st_uid,
            status.st_gid,
            status.st_size,
            int(status.st_mtime),
        )
        assert value.sha256 == sha256(contents[path])
    assert not list(Path("/").glob("pwned")) + list(here.root.glob("pwned"))


def test_hostile_names_that_do_not_exist(here: Here) -> None:
    paths = [str(here.root / name) for name in HOSTILE]

    assert ask_all(here, paths) == dict.fromkeys(paths, Stat("absent"))


def test_hostile_targets_of_links(here: Here) -> None:
    for name in HOSTILE:
        (here.root / name).symlink_to(f"to {name}")

    answers = ask_all(here, [str(here.root / name) for name in HOSTILE])

    assert {Path(path).name: value.target for path, value in answers.items()} == {n: f"to {n}" for n in HOSTILE}
    assert {value.kind for value in answers.values()} == {"link"}


def test_kinds_and_no_waiting_for_a_pipe(here: Here) -> None:
    os.mkfifo(here.root / "fifo")
    (here.root / "directory").mkdir()
    (here.root / "loop").symlink_to("loop")
    (here.root / "empty").touch()
    names = ["fifo", "directory", "loop", "empty", "empty/below", "missing/below"]

    answers = ask_all(here, [str(here.root / name) for name in names])

    assert [answers[str(here.root / name)].kind for name in names] == [
        "fifo",
        "directory",
        "link",
        "file",
        "absent",
        "absent",
    ]
    assert answers[str(here.root / "fifo")].content is None
    assert answers[str(here.root / "empty")].content == b""
    assert ask_all(here, ["/dev/null"])["/dev/null"].kind == "device"


def test_content_comes_only_where_it_is_asked_for(here: Here) -> None:
    same, other, swapped, secret, large = (
        str(here.root / n) for n in ("sa\nme", "other", "swapped", "secret", "large")
    )
    for path in (same, other, swapped, secret):
        Path(path).write_text(f"of {path}")
    Path(large).write_bytes(b"x" * (LIMIT + 1))

    answers = here.ask(
        Ask(STAT, same, wanted=sha256(Path(same).read_bytes())),
        Ask(STAT, other, wanted=sha256(b"new")),
        # another file of the same probe has what this one should have
        Ask(STAT, swapped, wanted=sha256(Path(other).read_bytes())),
        Ask(STAT, secret, wanted=sha256(b"new"), secret=True),
        Ask(STAT, large, wanted=sha256(b"new")),
    )

    assert {path for path, value in answers.items() if value.content is not None} == {other, swapped}
    assert answers[secret].sha256 == sha256(Path(secret).read_bytes())
    assert answers[large].sha256 == sha256(b"x" * (LIMIT + 1))


def test_one_program_for_all_files(here: Here, tmp_path: Path) -> None:
    """Twenty files in the desired state cost one stat and one sha256sum."""
    stubs, log = tmp_path / "stubs", tmp_path / "log"
    stubs.mkdir()
    for tool in ("stat", "sha256sum", "readlink", "base64", "wc", "cat", "id"):
        stub = stubs / tool
        stub.write_text(f'#!/bin/sh\necho {tool} >>{log}\nPATH={here.path} exec {tool} "$@"\n')
        stub.chmod(0o755)
    asks = []
    for number in range(20):
        path = here.root / str(number)
        path.write_text(str(number))
        asks.append(Ask(STAT, str(path), wanted=sha256(path.read_bytes())))
    here.path = f"{stubs}:{here.path}"

    answers = here.ask(*asks)

    assert [value.sha256 for value in answers.values()] == [ask.wanted for ask in asks]
    assert sorted(log.read_text().split()) == ["base64", "sha256sum", "stat"]


def test_more_paths_than_an_argument_list_takes_at_once(here: Here) -> None:
    paths = [str(here.root / ("n" * 150 + str(number))) for number in range(CHUNK + 1)]
    for path in paths:
        Path(path).touch()

    assert {value.kind for value in ask_all(here, paths, wanted=sha256(b"")).values()} == {"file"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look")
def test_what_may_not_be_looked_at_is_not_absent(here: Here, open_folder: Path) -> None:
    here = dataclasses.replace(here, root=open_folder / "root", work=open_folder)
    here.root.mkdir()
    (here.root / "closed").mkdir(mode=0o700)
    hidden, missing = str(here.root / "closed/it"), str(here.root / "missing")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

    done = here.shell(STAT.command([Ask(STAT, hidden), Ask(STAT, missing)]), *nobody)

    found = STAT.parse(done.stdout)
    assert {path: found.get(path) for path in (hidden, missing)} == {hidden: None, missing: Stat("absent")}
