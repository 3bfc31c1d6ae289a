"""The pages of the site: each one is in the navigation, links are written anew, stacks in code blocks load."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hacore.load import LoadRequest, load, load_providers

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from build_site import assemble, page, places, spaced  # noqa: E402

OF = {
    "docs/a.md": "a.md",
    "docs/adr/1.md": "adr/1.md",
    "SECURITY.md": "security.md",
    "docs/images/d.png": "images/d.png",
}
PAGES = sorted(name for name in places() if name.endswith(".md"))


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("docs/a.md", "[b](adr/1.md#x)", "[b](adr/1.md#x)"),
        ("docs/adr/1.md", "[b](../a.md), [c](../../SECURITY.md)", "[b](../a.md), [c](../security.md)"),
        ("SECURITY.md", "[`a` b](docs/a.md#x)", "[`a` b](a.md#x)"),
        ("docs/a.md", "[load/models.py](../hacore/load/models.py)", "load/models.py"),
        ("docs/a.md", "![A drill](images/d.png)", "![A drill](images/d.png)"),
        ("docs/a.md", "[x](#here) [y](https://www.example.com/)", "[x](#here) [y](https://www.example.com/)"),
        ("SECURITY.md", "```text\n[b](docs/a.md)\n```\n[b](docs/a.md)", "```text\n[b](docs/a.md)\n```\n[b](a.md)"),
    ],
)
def test_a_link_leads_to_a_page_or_is_its_text(name: str, text: str, shown: str) -> None:
    assert page(name, text, OF) == shown


def test_a_list_after_a_paragraph_is_a_list() -> None:
    assert spaced("Text:\n- a\n  more\n- b") == "Text:\n\n- a\n  more\n- b"
    assert spaced("- a\nlazy\n- b") == "- a\nlazy\n- b"


def test_each_page_is_in_the_navigation_once() -> None:
    _, _, nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")
    named = re.findall(r"([\w./-]+\.md|adr/)$", nav, re.MULTILINE)
    pages = {there for there in places().values() if there.endswith(".md") and not there.startswith("adr/")}

    assert sorted(named) == sorted({*pages, "adr/"})


def test_all_pages_are_written(tmp_path: Path) -> None:
    assemble(tmp_path / "pages")

    assert {
        p.relative_to(tmp_path / "pages").as_posix() for p in (tmp_path / "pages").rglob("*") if p.is_file()
    } == set(places().values())


def stacks(name: str) -> list[str]:
    """The code blocks of a page that are whole stacks."""
    found = re.findall(r"(?ms)^ *```yaml\n(.*?)^ *```", (ROOT / name).read_text())
    return [block for block in found if re.search(r"(?m)^stack: ", block) and re.search(r"(?m)^resources:", block)]


@pytest.mark.parametrize("name", [name for name in PAGES if stacks(name)])
def test_each_stack_of_a_page_loads(name: str, tmp_path: Path) -> None:
    providers = load_providers()
    for number, text in enumerate(stacks(name)):
        (folder := tmp_path / str(number)).mkdir()
        (folder / "stack.yaml").write_text(text)
        for file in re.findall(r"(?:template|source): ([\w.-]+)", text):
            (folder / file).write_text("text\n")
        secrets = dict.fromkeys(re.findall(r"(?m)^  (\w+): \{type: string, sensitive: true\}", text), "example")
        assert load(LoadRequest(folder / "stack.yaml", environ={}, variables=secrets), providers).instances


def test_pages_with_stacks_are_found() -> None:
    assert "README.md" in [name for name in PAGES if stacks(name)]
