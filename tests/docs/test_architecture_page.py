"""docs/architecture.md: every module has a line, and the picture of the packages is the one that the linter checks."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
BASE = {
    "model",
    "events",
    "secrets",
    "urls",
    "xdg",
    "endpoint",
    "scalars",
    "address",
    "printable",
    "spelling",
    "disk",
    "proc",
    "errors",
}


def listed() -> list[str]:
    """The modules of the page, as paths."""
    found: list[str] = []
    folder = ""
    for line in PAGE.split("\n## Modules\n")[1].splitlines():
        if heading := re.fullmatch(r"### (\S+/)", line):
            folder = heading[1]
        elif item := re.fullmatch(r"- `([\w/]+\.py)`: \S.*", line):
            found.append(folder + item[1])
    return found


def modules() -> list[str]:
    """The modules of the tree, without the `__init__.py` of packages."""
    files = [*(ROOT / "hacore").rglob("*.py"), *(ROOT / "providers").rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in files if path.name != "__init__.py")


def layers() -> list[str]:
    """The packages, the highest first, as import-linter has them."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [c for c in setup if c["type"] == "layers"]
    return [layer.removeprefix("hacore.") for layer in contract["layers"]]


def arrows() -> list[tuple[str, str]]:
    """The arrows of the picture: `a --> b & c --> d` has four."""
    picture = re.findall(r"(?ms)^```mermaid\n(.*?)^```", PAGE)[0]
    found = []
    for line in picture.splitlines():
        stages = [[name.strip() for name in part.split("&")] for part in line.split("-->")]
        for one, two in pairwise(stages):
            found += [(a, b) for a in one for b in two]
    return found


def test_each_module_has_one_line() -> None:
    missing = sorted(set(modules()) - set(listed()))
    stale = sorted(set(listed()) - set(modules()))

    assert not missing, f"docs/architecture.md, Modules: add a line for {missing}"
    assert not stale, f"docs/architecture.md, Modules: delete the line of {stale}"
    assert len(listed()) == len(set(listed()))


def test_each_package_is_in_the_picture_and_imports_only_below() -> None:
    order = [layer for layer in layers() if layer not in BASE] + ["model"]
    drawn = {name for arrow in arrows() for name in arrow} - {"providers"}

    assert drawn == set(order)
    for above, below in arrows():
        if above != "providers":
            assert order.index(above) < order.index(below), f"{above} --> {below}"
    assert [below for above, below in arrows() if above == "providers"] == ["contract"]
