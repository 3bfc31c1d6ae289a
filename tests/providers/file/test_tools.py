"""Coreutils that are not GNU's: GNU's own stand for them, with the version of others and single faults."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hacore.contract import Address, Ask, Facts, View
from hacore.model import Host
from hacore_providers.facts.tools import TOOLS, Tools, strange_tools
from hacore_providers.file.provider import PROVIDER as FILE
from hacore_providers.file.spec import FileSpec
from hacore_providers.service.provider import PROVIDER as SERVICE
from hacore_providers.service.spec import ServiceSpec

STRANGE = 'case $1 in --version) echo "stat (uutils coreutils) 0.2.2"; exit ;; esac\nexec /usr/bin/stat "$@"'
OLD = 'case $1 in --version) echo "stat 0.0.17"; exit ;; esac\nexec /usr/bin/stat "$@"'


def answer(folder: Path, **programs: str) -> Tools | None:
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C"}
    script = TOOLS.command([Ask(TOOLS, "")]) + "\n"
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=False, env=env)
    return TOOLS.parse(done.stdout).get("")


def test_gnu_s_are_not_tried(tmp_path: Path) -> None:
    assert answer(tmp_path, date="exit 1") is None


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ({"stat": STRANGE}, Tools("uutils 0.2.2")),
        ({"stat": OLD, "date": "exit 1", "timeout": "exit 125"}, Tools("uutils 0.0.17", ("date -d", "timeout"))),
        ({"stat": STRANGE, "sort": "cat"}, Tools("uutils 0.2.2", ("sort -V",))),
        ({"stat": STRANGE, "base64": "fold -w 20"}, Tools("uutils 0.2.2", ("base64 -w",))),
        ({"stat": "exit 1"}, Tools("not GNU's", ("stat --printf",))),
    ],
)
def test_what_does_not_work_as_gnu_s_is_named(tmp_path: Path, programs: dict[str, str], expected: Tools) -> None:
    assert answer(tmp_path, **programs) == expected


def test_one_warning_for_a_host() -> None:
    facts = Facts(answers={(TOOLS.name, ""): Tools("uutils 0.0.17", ("date -d", "timeout"))})
    words = (
        "the coreutils of lb1 are uutils 0.0.17, where date -d, timeout do not work as GNU's: what needs them fails "
        "there; install GNU coreutils"
    )
    host = Host(name="lb1", address="192.0.2.1")
    service = View(Address("service", "x", host="lb1"), ServiceSpec(unit="x", running=True), host, facts)
    file = View(Address("file", "x", host="lb1"), FileSpec(path="/x", content="x\n"), host, facts)
    assert [(m.warning, str(m)) for m in SERVICE.examine(service)] == [(True, words)]
    assert (True, words) in [(m.warning, str(m)) for m in FILE.examine(file)]
    assert list(strange_tools(Facts(answers={(TOOLS.name, ""): Tools("uutils 0.2.2")}), "lb1")) == []
    assert all(Ask(TOOLS, "") in asks for asks in (SERVICE.facts(service.spec), FILE.facts(file.spec)))
