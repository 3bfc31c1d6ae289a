"""The packages that an installation brings along, by recorded output of apt-get, and the words of the plan."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hacore.contract import Address, Ask, Facts, HostFacts, View
from hacore_providers.facts.added_packages import ADDED, added_arg
from hacore_providers.facts.packages import PACKAGE, Package
from hacore_providers.package.provider import PROVIDER
from hacore_providers.package.spec import PackageSpec

SIMULATED = """\
Reading package lists...
The following additional packages will be installed:
  libnl-3-200 libpci3
Inst libnl-3-200 (3.7.0-0.2+b1 Debian:12.12/oldstable [amd64])
Inst libpci3 (1:3.9.0-4 Debian:12.12/oldstable [amd64])
Inst zlib1g [1:1.2.13.dfsg-1] (1:1.2.13.dfsg-2 Debian:12.12/oldstable [amd64])
Inst keepalived (1:2.2.7-1+b2 Debian:12.12/oldstable [amd64])
Conf libnl-3-200 (3.7.0-0.2+b1 Debian:12.12/oldstable [amd64])
Conf keepalived (1:2.2.7-1+b2 Debian:12.12/oldstable [amd64])
"""


def answer(folder: Path, installed: str, args: list[str], *, packager: str = "dpkg", rc: int = 0) -> object:
    programs = {
        "dpkg-query": f'case "$*" in *" {installed}") printf "ii " ;; *) exit 1 ;; esac',
        "apt-get": f"printf '%s\\n' \"$*\" >>'{folder}/calls'\ncat <<'END'\n{SIMULATED}END\nexit {rc}",
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HACORE_PKG": packager}
    script = ADDED.command([Ask(ADDED, arg) for arg in args]) + "\n"
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True, env=env)
    return ADDED.parse(done.stdout)


def test_new_packages_beside_the_own_ones_are_counted_and_upgrades_are_not(tmp_path: Path) -> None:
    several, pinned = added_arg(None, ["curl", "keepalived"]), added_arg("1:2.2.7-1+b2", ["keepalived"])
    assert answer(tmp_path, "curl", [several, pinned, added_arg(None, ["curl"])]) == {
        several: ("libnl-3-200", "libpci3"),
        pinned: ("libnl-3-200", "libpci3"),
    }
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.rpartition(" install ")[2] for call in calls] == ["keepalived", "keepalived=1:2.2.7-1+b2"]
    assert all(call.startswith("-s ") for call in calls)


@pytest.mark.parametrize(("packager", "rc"), [("rpm", 0), ("dpkg", 100)])
def test_what_cannot_be_simulated_is_not_known(tmp_path: Path, packager: str, rc: int) -> None:
    assert answer(tmp_path, "curl", [added_arg(None, ["nginx"])], packager=packager, rc=rc) == {}


NEW, OLD = Package("absent"), Package("installed", "1")


@pytest.mark.parametrize(
    ("fields", "found", "along", "effect", "disrupts"),
    [
        (
            {"names": ["a", "b"]},
            {"a": NEW, "b": NEW},
            ("c", "d"),
            "install 2 packages (+ 2 dependencies: c, d)",
            "none",
        ),
        ({"names": ["a", "b"]}, {"a": NEW, "b": OLD}, ("c",), "install 1 package (+ 1 dependency: c)", "none"),
        ({"names": ["a", "b"]}, {"a": NEW, "b": NEW}, (), "install 2 packages", "none"),
        ({"names": ["a", "b"]}, {"a": NEW, "b": NEW}, None, "install 2 packages", "none"),
        ({"names": ["a"]}, {"a": OLD}, None, "", "none"),
        ({"names": ["a"], "ensure": "absent"}, {"a": NEW}, None, "", "none"),
        ({"name": "a", "version": "2"}, {"a": OLD}, None, "may restart the daemons of a", "restart"),
    ],
)
def test_the_effect_counts_packages(
    fields: dict[str, object], found: dict[str, Package], along: tuple[str, ...] | None, effect: str, disrupts: str
) -> None:
    spec = PackageSpec.model_validate(fields)
    answers: dict[tuple[str, str], object] = {(PACKAGE.name, name): package for name, package in found.items()}
    if along is not None:
        answers[ADDED.name, added_arg(spec.version, spec.every)] = along
    facts = Facts(HostFacts(family="debian", packager="dpkg"), answers)
    desired = PROVIDER.desire(View(Address("package", "it", host="lb1"), spec, None, facts))
    assert (desired.effect, desired.disrupts) == (effect, disrupts)


def test_the_question_is_that_of_debian_s_names() -> None:
    spec = PackageSpec.model_validate({"names": {"debian": ["a"], "redhat": ["b"]}})
    assert Ask(ADDED, added_arg(None, ["a"])) in PROVIDER.facts(spec)
    assert all(
        ask.fact is not ADDED for ask in PROVIDER.facts(PackageSpec.model_validate({"names": {"redhat": ["b"]}}))
    )
    assert all(ask.fact is not ADDED for ask in PROVIDER.facts(PackageSpec(name="a", ensure="absent")))
