"""Whole files: each construct of keepalived.conf(5), the ways to write it, and each way to be wrong (`wrong_*`).

Those of `files/` are read without an exception, nothing in them is lost, and what is written of them reads the same.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from hacore_providers.keepalived import Document, Statement, read, write
from hacore_providers.keepalived.document import no_files
from hacore_providers.lint.check import NotConfigurationError, check, members_of
from hacore_providers.lint.finding import Finding

FILES = sorted((Path(__file__).parent / "files").glob("*.conf"))
CLEAN = [path for path in FILES if not path.name.startswith("wrong_")]
WRONG = [path for path in FILES if path.name.startswith("wrong_")]
READ_BY_OTHER_RULES = ("quotes", "definitions", "sequences", "conditional", "include", "include_kinds")
"""Files in which keepalived itself makes other words of what is written: they have tests of their own."""


def loaded(path: Path) -> Document:
    return read(path.read_bytes(), str(path))


def findings_of(path: Path) -> tuple[Finding, ...]:
    members = members_of(path.name, path.read_bytes(), files=no_files, ids=(), scripts=lambda _names: {})
    return check(members).findings


def words(statements: Iterable[Statement]) -> Iterator[str]:
    for statement in statements:
        yield from (word.text for word in statement.words)
        yield from words(statement.block or ())


def tree(statements: Sequence[Statement]) -> list[object]:
    return [([word.text for word in s.words], None if s.block is None else tree(s.block)) for s in statements]


def written(data: bytes) -> list[str]:
    """The words of a text by a few rules only: comments to the end of the line, quotes, braces, blanks."""
    found: list[str] = []
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        plain = re.sub(r'("[^"]*")|[#!].*', lambda match: match[1] or "", line)
        found += [word.strip('"') for word in re.findall(r'"[^"]*"|[^\s{}"]+', plain)]
    return found


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 40
    assert len(WRONG) >= 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_read_and_written_as_the_same(path: Path) -> None:
    document = loaded(path)
    if any(fault.rule in ("quote-not-closed", "nul-byte") for fault in document.faults) or path.stem == "quotes":
        return  # no text outside of an open quote can have what is inside of it
    again = read(write(document.statements).encode("utf-8", "surrogateescape"), "again")
    assert tree(again.statements) == tree(document.statements)


@pytest.mark.parametrize("path", [p for p in CLEAN if p.stem not in READ_BY_OTHER_RULES], ids=lambda path: path.stem)
def test_no_word_of_a_clean_file_is_lost(path: Path) -> None:
    document = loaded(path)
    assert list(words(document.statements)) == written(path.read_bytes())
    assert document.faults == ()


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: path.stem)
def test_each_keyword_of_a_clean_file_is_known_and_in_its_place(path: Path) -> None:
    found = [finding for finding in findings_of(path) if finding.rule in ("unknown-keyword", "misplaced-keyword")]
    assert found == []


EXPECTED = {
    "wrong_auth": "auth-type",
    "wrong_bom": "byte-order-mark",
    "wrong_brace_glued": "no-router-id",
    "wrong_control": "not-a-number",
    "wrong_extra_brace": "unexpected-brace",
    "wrong_latin1": "no-router-id",
    "wrong_nested_instance": "misplaced-keyword",
    "wrong_no_name": "no-name",
    "wrong_nul": "nul-byte",
    "wrong_only_braces": "unexpected-brace",
    "wrong_open_block": "block-not-closed",
    "wrong_open_quote": "quote-not-closed",
    "wrong_typographic": "typographic-quote",
    "wrong_undefined": "not-a-number",
    "wrong_unknown": "misspelt-keyword",
    "wrong_values": "out-of-range",
    "wrong_word_after_brace": "unknown-keyword",
}
NO_CONFIGURATION = {
    "wrong_definition": "no keyword of keepalived.conf",
    "wrong_utf16": "keepalived reads no UTF-16: save it as UTF-8",
}


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_what_is_wrong_is_found(path: Path) -> None:
    if path.stem in NO_CONFIGURATION:
        with pytest.raises(NotConfigurationError, match=re.escape(NO_CONFIGURATION[path.stem])):
            findings_of(path)
    else:
        assert EXPECTED[path.stem] in [finding.rule for finding in findings_of(path)]


@pytest.mark.machine
def test_the_samples_of_debians_package(tmp_path: Path) -> None:
    """All files of its doc folder are read, nothing is lost, and no keyword is unknown."""
    subprocess.run(
        ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "keepalived"],
        cwd=tmp_path, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (package,) = tmp_path.glob("keepalived_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, tmp_path / "x"], check=True)
    samples = sorted((tmp_path / "x/usr/share/doc/keepalived/samples").glob("keepalived.conf.*"))
    assert len(samples) >= 20
    for path in samples:
        document = loaded(path)
        again = read(write(document.statements).encode("utf-8", "surrogateescape"), "again")
        assert tree(again.statements) == tree(document.statements), path.name
        if "conditional" not in path.name:
            assert list(words(document.statements)) == written(path.read_bytes()), path.name
        unknown = [f.message for f in findings_of(path) if f.rule in ("unknown-keyword", "misspelt-keyword")]
        # one sample has the instances of a sync group outside of its `group`
        wrong = ["VI_2", "VI_3"] if path.name.endswith(".lvs_syncd") else []
        assert unknown == [f"keepalived does not know {name} in vrrp_sync_group" for name in wrong], path.name
