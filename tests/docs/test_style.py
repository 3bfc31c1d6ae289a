"""The phrases that STYLE.md says to avoid are in no message, no docstring, no comment and no page."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORMS = {
    "X is taken back": r"\b(?:take[ns]?|taking|took)\b(?: [\w#{}]+){0,3}? back\b",
    "take it back": r"\btake it back\b",
    "what came of it": r"\bwhat (?:came|comes|has come) of\b",
    "how it came out": r"\b(?:came|comes?) out\b",
    "is gone": r"\b(?:is|are|was|were|has|have|be) gone\b",
    "comes back": r"\bcomes? back\b",
    "what rests on it": r"\brest(?:s|ed|ing)? (?:up)?on\b",
    "as wanted": r"\bas wanted\b",
    "left it in doubt": r"\bin doubt\b",
    "lives somewhere else now": r"\blives? somewhere else\b",
    "has its place now": r"\bha(?:s|ve) (?:its|their) place now\b",
    "has not taken in X": r"\b(?:not|never) taken in\b",
    "looked at": r"\blook(?:s|ed|ing)? at\b",
    "as it was": r"\bas (?:it was|they were)\b(?! then)",
    "what is there": r"\bwhat is there\b",
    "tell": r"\btell(?:s|ing)?\b",
    "say": r"\b(?:says?|said|saying)\b",
    "X is no Y": r"(?<![Tt]here\s)(?<![Tt]hat\s)\b(?:is|are|was|were) no (?!longer\b|more than\b)[a-z]\w*",
    "do not X any more": r"\bany ?more\b",
    "it is X's fault": r"\b(?:it is|is|was) \S+'s fault\b",
    "puts itself back": r"\bputs? (?:itself|themselves) back\b",
    "put themselves back": r"\bput themselves back\b",
    "will do this": r"\bwill do this\b",
    "cannot bring back what was": r"\bbrings? back\b",
    "was never met from here": r"\bnever met\b",
    "the unfinished run was at it": r"\bthe (?:unfinished|interrupted) run was at\b",
    "gone on with": r"\b(?:go|goes|gone|went) on with\b",
}
"""Where a phrase has other forms, or a word in it has a good sense, too: what is searched instead of its words."""
MORE = {
    "not as it is recorded": r"\b[Nn]ot as (?:it|they) (?:is|are) recorded\b",
    "what to do is run, not gone": r"\bgoes it\b",
    "not asked for": r"\bto what was asked for\b",
    "once more to leave at once": r"\b[Ll]eft? at once\b",
    "is what is so": r"\bwhat is so\b",
}
"""Phrases of the past that the table does not have."""

EXEMPT = frozenset(("STYLE.md", "hacore/store/legacy.py"))
"""The page of the phrases itself, and what reads the sentences of earlier versions."""
JSON_KEYS = frozenset((("hacore/render/rehearsal.py", "said"), ("docs/cli.md", "said")))
"""Keys of published JSON: programs read them, so they stay."""


def cells() -> Iterator[str]:
    """The phrases of the column Avoid."""
    table = (ROOT / "STYLE.md").read_text().split("## Avoid / Prefer")[1].split("\n## ")[0]
    for line in table.splitlines():
        cell, *rest = [part.strip() for part in line.strip("|").split("|")]
        if not rest or cell in ("", "Avoid") or cell.startswith(("-", "in hacore's own words")):
            continue
        yield from (phrase.strip() for phrase in re.sub(r" *\(.*?\)", "", cell).split(","))


def patterns() -> dict[str, re.Pattern[str]]:
    """What to search, by phrase. A letter X or Y in a phrase is any word."""

    def words(phrase: str) -> str:
        return r"\b" + r"\s+".join(r"\S+" if word in "XY" else re.escape(word) for word in phrase.split()) + r"\b"

    forms = {phrase: FORMS.get(phrase, words(phrase)) for phrase in cells()} | MORE
    return {phrase: re.compile(form.replace(" ", r"\s+")) for phrase, form in forms.items()}


def literals(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string, docstrings included."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def comments(text: str) -> Iterator[tuple[int, str]]:
    """First line and text of each comment; one over several lines is one text."""
    first, column, lines = 0, 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if lines and token.start != (first + len(lines), column):
            yield first, "\n".join(lines)
            lines = []
        if not lines:
            first, column = token.start
        lines.append(token.string.lstrip("#"))
    if lines:
        yield first, "\n".join(lines)


def page(text: str) -> Iterator[tuple[int, str]]:
    """A page, without the targets of its links: they are names of files."""
    yield 1, re.sub(r"\]\([^)\s]*\)", "]", text)


def files() -> Iterator[Path]:
    for pattern in ("hacore/**/*.py", "providers/**/*.py", "docs/examples/**/*.py", "scripts/*"):
        yield from (path for path in ROOT.glob(pattern) if path.is_file() and "__pycache__" not in path.parts)
    for pattern in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/examples/**/*"):
        yield from (path for path in ROOT.glob(pattern) if path.suffix in (".md", ".yaml"))


def found(name: str, text: str) -> Iterator[str]:
    """FILE:LINE: what is written there and the phrase to avoid."""
    parts = chain(literals(text), comments(text)) if name.endswith(".py") else page(text)
    for line, part in parts:
        for phrase, pattern in PATTERNS.items():
            for match in pattern.finditer(part):
                if (name, match[0]) in JSON_KEYS:
                    continue
                at = line + part.count("\n", 0, match.start())
                yield f"{name}:{at}: {' '.join(match[0].split())!r} (avoid: {phrase})"


PATTERNS = patterns()


def everything() -> dict[str, list[str]]:
    names = {path.relative_to(ROOT).as_posix(): path for path in files()}
    return {name: list(found(name, path.read_text())) for name, path in names.items() if name not in EXEMPT}


@pytest.mark.parametrize(
    "text",
    [
        "run 7 is taken back",
        "nothing came of it; this is what came of it",
        "/etc/x is gone",
        "what rests on it",
        "nginx has not taken in its configuration",
        "lb1 looks at it",
        "a file is no service",
        "the host says so",
        "lb1 was never met from here",
        "what\nis there",
        "whoever has it",
        "it was here before hacore",
        "it is not as wanted",
    ],
)
def test_a_phrase_to_avoid_is_found(text: str) -> None:
    assert list(found("x.py", f"def f():\n    '''{text}'''\n"))
    assert list(found("x.py", f"def f():\n    # {text}\n    pass\n".replace("what\nis", "what\n    # is")))
    assert list(found("x.md", text))


@pytest.mark.parametrize(
    "text",
    [
        "there is no host lb3; web is no longer in the stack",
        "restored /etc/nginx.conf; reload pending for nginx",
        "see [record 16](docs/adr/0016-a-host-says-whose-it-is.md)",
        "the backup was taken; lb2 is unreachable",
    ],
)
def test_plain_words_are_not_found(text: str) -> None:
    assert not list(found("x.md", text))


def test_each_form_belongs_to_a_phrase_of_the_table() -> None:
    assert not FORMS.keys() - set(cells()) - {"is gone"}


def test_the_line_is_named() -> None:
    assert next(found("a.py", "x = 1\ny = '''one\nit is gone\n'''\n")).startswith("a.py:3: 'is gone'")
    assert next(found("a.py", "x = 1\n# one\n# it\n# is gone\n")).startswith("a.py:4: 'is gone'")


def test_no_phrase_to_avoid_is_used() -> None:
    wrong = [place for places in everything().values() for place in places]
    assert not wrong, "\n".join([f"{len(wrong)} phrases that STYLE.md avoids", *wrong])


def test_each_exempt_key_is_still_used() -> None:
    assert all(name not in EXEMPT and word in (ROOT / name).read_text() for name, word in JSON_KEYS)
