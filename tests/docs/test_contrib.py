"""The pieces of contrib/: they parse, each call of hacore in them is one that its parser takes, their metrics exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from hacore.cli.app import cli
from tests.docs.test_docs import ROOT, checked

CONTRIB = ROOT / "contrib"
FILES = sorted(path for path in CONTRIB.rglob("*") if path.is_file() and path.suffix != ".md")
PIPELINES = ("github/hacore.yml", "gitlab/hacore.gitlab-ci.yml")
RULES = CONTRIB / "prometheus/hacore.rules.yml"
CALL = re.compile(r"(?:^|[\s'/])hacore ((?:-C \S+ )?[a-z]+ (?!status,|-)[^\n;>]*)")


def lines(path: Path) -> Iterator[str]:
    """What a file runs: the texts below `run` and `script`, and ExecStart."""
    if path.suffix in (".service", ".timer"):
        found = re.findall(r"(?m)^ExecStart=(.*)$", path.read_text())
        yield from found
        return
    yield from _run(YAML(typ="safe").load(path.read_text()))


def _run(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key in ("run", "script", "before_script"):
                yield from [below] if isinstance(below, str) else below
            else:
                yield from _run(below)
    elif isinstance(value, list):
        for below in value:
            yield from _run(below)


def called(path: Path) -> list[tuple[str, ...]]:
    return [tuple(shlex.split(found)) for line in lines(path) for found in CALL.findall(line) if "pipx" not in found]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_call_is_one_that_hacore_takes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(str(value)))
    monkeypatch.setattr("os.chdir", lambda folder: None)
    for words in called(path):
        checked(cli, words, "hacore")  # type: ignore[arg-type]


def test_the_calls_are_found() -> None:
    names = {path.name: [words[2] if words[0] == "-C" else words[0] for words in called(path)] for path in FILES}

    assert names["hacore.yml"] == ["validate", "rehearse", "plan", "apply"]
    assert names["hacore.gitlab-ci.yml"] == ["validate", "rehearse", "plan", "apply"]
    assert names["hacore-status.service"] == ["status"]
    assert names["hacore-drift.service"] == ["drift"]


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pull_request_gets_no_secret_and_runs_validate_alone(name: str) -> None:
    text = (CONTRIB / name).read_text()
    job = text.split("\n  rehearse:" if "jobs:" in text else "\nrehearse:")[0].split("validate:")[1]

    assert "secrets." not in job and "HACORE_" not in job
    assert re.findall(r"hacore ([a-z]+) stacks", job) == ["validate"]


@pytest.mark.parametrize("name", PIPELINES)
def test_a_saved_plan_is_applied_and_verified(name: str) -> None:
    calls = {words[0]: words for words in called(CONTRIB / name)}

    assert calls["apply"][1] == "web.plan" == calls["plan"][calls["plan"].index("--out") + 1]
    assert "--signers" in calls["apply"] and "--sign" in calls["plan"] and "--html" in calls["plan"]
    assert "--auto-approve" not in calls["apply"]


def test_the_metrics_of_the_rules_are_those_of_the_pages() -> None:
    pages = (ROOT / "docs/status.md").read_text() + (ROOT / "docs/drift.md").read_text()
    rules = YAML(typ="safe").load(RULES.read_text())["groups"][0]["rules"]

    used = {name for rule in rules for name in re.findall(r"hacore_\w+", rule["expr"])}
    assert used <= set(re.findall(r"\| `(hacore_\w+)`", pages))
    assert len(rules) == len({rule["alert"] for rule in rules}) >= 9


def test_the_rules_of_the_page_are_those_of_the_file() -> None:
    found = re.search(r"(?ms)^```yaml\n(groups:.*?)^```", (ROOT / "docs/status.md").read_text())
    assert found is not None
    own, page = (YAML(typ="safe").load(text)["groups"][0]["rules"] for text in (RULES.read_text(), found[1]))

    assert own[: len(page)] == page


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", RULES], check=True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units() -> None:
    units = sorted(map(str, (CONTRIB / "systemd").iterdir()))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)

    assert [line for line in done.stderr.splitlines() if "hacore" in line] == []
