"""`make lint` refuses a circle, an import to the right, a kind that knows another one, and a part without a place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("hacore", "providers", "docs/examples/hacore-command")
PLANTED = {
    "hacore/walk/planted_one.py": "import hacore.walk.planted_two\n",
    "hacore/walk/planted_two.py": "import hacore.walk.planted_one\n",
    "hacore/graph/planted_right.py": "import hacore.walk.board\n",
    "providers/hacore_providers/file/planted_kind.py": "import hacore_providers.service.spec\n",
    "hacore/planted_part.py": "",
}


def lint(folder: Path) -> tuple[int, str]:
    """import-linter on a tree: the exit code and what is printed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(folder / part) for part in (".", *PARTS[1:]))}
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_what_must_not_be_imported_is_refused(tmp_path: Path) -> None:
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    code, text = lint(tmp_path)
    assert code == 0, text

    for name, content in PLANTED.items():
        (tmp_path / name).write_text(content)
    code, text = lint(tmp_path)
    assert code == 1
    for contract, named in {
        "no circles": "No cycles are allowed in hacore.walk.",
        "the pipeline runs one way": "hacore.graph.planted_right -> hacore.walk.board",
        "kinds do not know each other": "hacore_providers.file.planted_kind -> hacore_providers.service.spec",
    }.items():
        assert f"{contract} BROKEN" in text
        assert named in text, text
    assert "planted_part" in text


def test_the_rule_for_kinds_is_for_all_of_them() -> None:
    """Each kind's whole folder."""
    kinds = {point.module.removesuffix(".provider") for point in entry_points(group="hacore.providers")}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (independence,) = [contract for contract in contracts if contract["type"] == "independence"]
    assert set(independence["modules"]) == kinds
