"""Manual pages and completion files are what the parser has, one page for each command, and roff accepts them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_help import ALL

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "share/man/man1").glob("*.1"))


def test_share_is_what_the_code_has(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "man_pages.py"

    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True)

    def texts(folder: Path) -> dict[str, str]:
        return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}

    assert {f"share/{name}": text for name, text in texts(ROOT / "share").items()} == texts(tmp_path), "run `make docs`"
    assert sorted(done.stdout.split()) == sorted(texts(tmp_path))


def test_each_command_has_a_page() -> None:
    assert {page.stem for page in PAGES} == {"-".join(("hacore", *path)) for path in ALL}


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_roff_has_no_warning() -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", *PAGES], capture_output=True, text=True, check=True)

    assert done.stderr == ""
    assert "hacore-state-history" in done.stdout


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_what_an_option_does_is_on_its_page() -> None:
    argv = ["groff", "-man", "-Tutf8", "-P-c", ROOT / "share/man/man1/hacore-trust.1"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    assert "--fingerprint SHA256:…" in "".join(character for character in _plain(shown))
    assert "Accept the key with this fingerprint" in " ".join(_plain(shown).split())


def _plain(text: str) -> str:
    """Without the overstrikes of bold and underlined text."""
    kept: list[str] = []
    for character in text:
        if character == "\b":
            kept.pop()
        else:
            kept.append(character)
    return "".join(kept)
