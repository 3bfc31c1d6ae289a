"""Build the site of the documentation into site/: `make site`.

The pages are files of the repository, with links that hold there. Here they get other places, so each link is written
anew: to a page of the site, or, for a file that is not a page, as its text only. mkdocs then builds them with --strict.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "build" / "pages"
OTHERS = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh-cn.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "STYLE.md": "style.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "state/README.md": "state-files.md",
    "contrib/README.md": "ready-pieces.md",
}
"""Pages outside of docs/, by their place in the repository."""
LINK = re.compile(r"(!?)\[((?:[^\[\]`]|`[^`]*`)+)\]\(([^)\s]+)\)")
FENCED = re.compile(r"(?ms)^( *```.*?^ *```)[^\S\n]*$")


def places() -> dict[str, str]:
    """Where each file of the repository that is a page, or a picture of one, is on the site."""
    found = {name: name.removeprefix("docs/") for name in _named("docs/*.md", "docs/adr/*.md", "docs/images/*")}
    return found | {name: name for name in _named("stacks/**/*.md")} | OTHERS


def _named(*patterns: str) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern))


def page(name: str, text: str, of: dict[str, str]) -> str:
    """A page for the site: its links, and lists in the form of Python-Markdown. `of` is `places()`."""
    parts = FENCED.split(text)
    return "".join(
        part if part.lstrip().startswith("```") else spaced(LINK.sub(lambda match: _link(name, match, of), part))
        for part in parts
    )


def _link(name: str, match: re.Match[str], of: dict[str, str]) -> str:
    picture, words, target = match.groups()
    file, hash_, anchor = target.partition("#")
    if "://" in target or not file:
        return match[0]
    meant = os.path.normpath(PurePosixPath(name).parent / file)
    if meant not in of:
        return words  # a file of the sources: the site has no address of theirs
    there = os.path.relpath(of[meant], PurePosixPath(of[name]).parent)
    return f"{picture}[{words}]({there}{hash_}{anchor})"


def spaced(text: str) -> str:
    """An empty line before a list that follows a paragraph: Python-Markdown needs one, GitHub does not."""
    lines: list[str] = []
    for line in text.split("\n"):
        item = re.match(r"(?:[-*]|\d+\.) ", line)
        before = lines[-1] if lines else ""
        if item and before.strip() and not re.match(r"(?:[-*]|\d+\.) |\s", before) and not _in_item(lines):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def _in_item(lines: list[str]) -> bool:
    """Whether the last paragraph is part of a list item: its first line is one."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if re.match(r"\s*(?:[-*]|\d+\.) ", line):
            return True
    return False


def assemble(folder: Path) -> None:
    """Write all pages into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    of = places()
    for name, there in of.items():
        target = folder / there
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            target.write_text(page(name, (ROOT / name).read_text(), of))
        else:
            shutil.copyfile(ROOT / name, target)


def main() -> int:
    """Assemble and build; the exit code of mkdocs."""
    assemble(PAGES)
    argv = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--clean",
        "--quiet",
        "--config-file",
        ROOT / "mkdocs.yml",
    ]
    return subprocess.run(argv, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
