"""asyncssh's private names: all there, in one module, and an error that says what to install when one is not."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import asyncssh
import pytest
from asyncssh.config import SSHClientConfig, SSHConfig

from hacore.errors import UnreachableError
from hacore.model import Host
from hacore.transport import settings
from hacore.transport.sshconfig import REQUIREMENT, missing_names

ROOT = Path(__file__).parents[2]


def test_this_asyncssh_has_them_all() -> None:
    assert missing_names() == ""


def test_a_missing_name_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(SSHConfig, "_include")
    monkeypatch.delattr(SSHClientConfig, "_no_split")
    monkeypatch.delattr(SSHConfig, "_no_split")
    with pytest.raises(UnreachableError) as caught:
        settings.resolve(Host(name="lb1", address="192.0.2.1"), ())

    assert str(caught.value) == (
        f"cannot reach lb1: asyncssh {asyncssh.__version__} has no SSHClientConfig._no_split, SSHConfig._include; "
        f"install {REQUIREMENT}"
    )


def test_the_tokens_are_private_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forget(config: SSHConfig) -> None:
        config.__dict__.pop("_tokens", None)

    monkeypatch.setattr(SSHClientConfig, "_set_tokens", forget)
    config = tmp_path / "config"
    config.write_text("Match exec true\n  Port 1\n")
    with pytest.raises(UnreachableError, match=r"ssh_config cannot be read: .*has no SSHConfig\._tokens; install"):
        settings.resolve(Host(name="lb1", address="192.0.2.1"), (str(config),))


def test_the_requirement_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert REQUIREMENT in project["dependencies"]


def test_no_other_module_uses_a_private_name() -> None:
    files = sorted((ROOT / "hacore" / "transport").glob("*.py"))
    private = re.compile(r"\b(?!self\b|cls\b)\w+\._[a-z]\w*")
    used = {file.name: private.findall(file.read_text()) for file in files if file.name != "sshconfig.py"}

    assert {name: found for name, found in used.items() if found} == {}
