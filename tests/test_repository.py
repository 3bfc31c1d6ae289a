"""Files for those who contribute: they parse, and what they run is what the project has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name)
def test_a_form_has_what_github_requires(path: Path) -> None:
    form = YAML(typ="safe").load(path.read_text())

    assert form["name"] and form["description"]
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields) >= 3
    assert all(part["attributes"]["label"] for part in fields)


def test_hooks_run_what_make_check_runs() -> None:
    hooks = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text()

    for hook in hooks:
        program, *words = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        tool = Path(program).name
        assert f"$(BIN)/{tool}" in makefile
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))


def test_targets_of_the_templates_exist() -> None:
    text = (ROOT / ".github/PULL_REQUEST_TEMPLATE.md").read_text()
    targets = re.findall(r"`make (\w+)`", text)

    assert targets and all(re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text()) for target in targets)
