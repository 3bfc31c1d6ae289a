"""The reader of keepalived.conf: what it reads, where it says that it is, and that no bytes stop it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hacore_providers.keepalived import Document, Place, Statement, read, write

FUZZ = int(os.environ.get("HACORE_FUZZ", "1"))
"""How many times as many examples as usual: 200 takes ten minutes."""


def tree(statements: Iterable[Statement]) -> list[Any]:
    """The words of statements, nested as their blocks are."""
    return [
        [w.text for w in s.words] if s.block is None else [[w.text for w in s.words], tree(s.block)] for s in statements
    ]


def raws(statements: Iterable[Statement]) -> Iterator[str]:
    """The lines of statements without a block."""
    for statement in statements:
        if statement.block is None:
            yield statement.raw
        yield from raws(statement.block or ())


def of(text: str, **options: Any) -> Document:
    return read(text.encode(), "/etc/keepalived/keepalived.conf", **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b\nc\n", [["a", "b"], ["c"]]),
        ("a b", [["a", "b"]]),  # no last newline
        ("a b\r\nc\r\n", [["a", "b"], ["c"]]),
        ("a {\n b\n}\n", [[["a"], [["b"]]]]),
        ("a\n{\n b\n}\n", [[["a"], [["b"]]]]),
        ("a { b\n c }\n", [[["a"], [["b"], ["c"]]]]),
        ("a {b c}", [[["a"], [["b", "c"]]]]),
        ("a { b { c } }", [[["a"], [[["b"], [["c"]]]]]]),
        ("a # b { \n! c\nd!e\n", [["a"], ["d"]]),
        ('a "b # c {" d\n', [["a", "b # c {", "d"]]),
        ("a b\\#c\n", [["a", "b"]]),  # measured: it is read twice
        ("a 'b c'\n", [["a", "'b", "c'"]]),  # only " is a quote outside of commands
        ('a b"c d"e\n', [["a", "b", "c d", "e"]]),
        ("a ““b””\n", [["a", "““b””"]]),
        ("$A=1\n$B= 2\na $A ${B}x $C\n", [["a", "1", "2x", "$C"]]),
        ("$A = 1\na $A\n", [["$A", "=", "1"], ["a", "$A"]]),  # measured: a blank before = makes it a keyword
        ("$A=b {\\\n c\\\n}\na\n$A\n", [["a"], [["b"], [["c"]]]]),
        ("~SEQ(N, 1, 3) a $N\n", [["a", "1"], ["a", "2"], ["a", "3"]]),
        ("~SEQ(N, 5, -2, 1) a${N}\n", [["a5"], ["a3"], ["a1"]]),
        ("~SEQx(N, 9, 11) a $N\n", [["a", "9"], ["a", "a"], ["a", "b"]]),
        ("~LST(N, x, y) a $N\n", [["a", "x"], ["a", "y"]]),
        ("~LST({N, M}, {1, 2}, {3}) a $N,$M\n", [["a", "1,2"], ["a", "3,"]]),
        ("~SEQ(N, 1, 2) ~SEQ(M, 1, 2) a ${N}${M}\n", [["a", "11"], ["a", "12"], ["a", "21"], ["a", "22"]]),
        ("a $_PWD\n", [["a", "/etc/keepalived"]]),
        ("", []),
        ("{\n}\n", []),
    ],
)
def test_what_is_read(text: str, expected: list[Any]) -> None:
    assert tree(of(text).statements) == expected


def test_lines_of_one_host_only() -> None:
    text = "@lb1 priority 100\n@lb2 priority 99\n@^lb1 nopreempt\nstate BACKUP\n"
    assert tree(of(text, config_id="lb1").statements) == [["priority", "100"], ["state", "BACKUP"]]
    assert tree(of(text, config_id="lb2").statements) == [["priority", "99"], ["nopreempt"], ["state", "BACKUP"]]
    assert tree(of(text).statements) == [["nopreempt"], ["state", "BACKUP"]]
    assert list(of(text).ids) == ["lb1", "lb2"]


def test_includes_are_read_where_they_stand() -> None:
    asked = []

    def files(pattern: str, folder: str) -> Sequence[tuple[str, bytes]]:
        asked.append((pattern, folder))
        return [("/etc/keepalived/conf.d/x.conf", b"x 1\ninclude y"), ("/etc/keepalived/conf.d/z.conf", b"z")][
            : 2 if pattern == "conf.d/*.conf" else 0
        ]

    document = of("a\ninclude conf.d/*.conf\nb\n", files=files)
    assert tree(document.statements) == [["a"], ["x", "1"], ["z"], ["b"]]
    assert asked == [("conf.d/*.conf", "/etc/keepalived"), ("y", "/etc/keepalived/conf.d")]
    assert document.statements[1].at == Place("/etc/keepalived/conf.d/x.conf", 1, 1)
    assert [(f.rule, str(f.at)) for f in document.faults] == [("include-missing", "/etc/keepalived/conf.d/x.conf:2:1")]


def test_a_file_that_includes_itself_ends() -> None:
    def files(pattern: str, folder: str) -> Sequence[tuple[str, bytes]]:
        return [(f"{folder}/{pattern}", b"b\ninclude keepalived.conf\n")]

    document = of("a\ninclude keepalived.conf\n", files=files)
    assert tree(document.statements) == [["a"]]
    assert [fault.rule for fault in document.faults] == ["include-loop"]


def test_places_count_lines_and_columns_from_one_also_behind_definitions_and_braces() -> None:
    document = of('a { b  "c d" }\n  $X=yy\n e ${X} f\n')
    block = document.statements[0].block or ()
    assert [(w.text, w.at.line, w.at.column) for w in block[0].words] == [("b", 1, 5), ("c d", 1, 9)]
    assert [(w.text, w.at.line, w.at.column) for w in document.statements[1].words] == [
        ("e", 3, 2), ("yy", 3, 4), ("f", 3, 9),
    ]  # fmt: skip
    assert document.statements[0].end == Place("/etc/keepalived/keepalived.conf", 1, 14)


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ('a\nb "c\n', "quote-not-closed", 2, 3),
        ("a {\n b {\n c\n}\n", "block-not-closed", 1, 1),
        ("a\n}\n", "unexpected-brace", 2, 1),
        ("{\n", "unexpected-brace", 1, 1),
        (f"a {'x' * 1100}\n", "line-too-long", 1, 1024),
        ("a\0b\n", "nul-byte", 1, 2),
        ("\ufeffa\n", "byte-order-mark", 1, 1),
        ("a b\\#c\n", "escape-lost", 1, 5),
        ("~SEQ(N, 1, 0, 3) a\n", "bad-sequence", 1, 1),
        ("~LST(N) a\n", "bad-sequence", 1, 1),
        ("$A=x $A\na $A\n", "definition-too-long", 2, 1),
        ("~SEQ(N, 1, 999999999) a $N\n", "too-many-lines", 1, 23),
        ("include none\n", "include-missing", 1, 1),
    ],
)
def test_faults_of_the_text_have_a_place(text: str, rule: str, line: int, column: int) -> None:
    assert (rule, line, column) in [(f.rule, f.at.line, f.at.column) for f in of(text).faults]


def test_comments_are_kept() -> None:
    document = of('# one\na # two\nb "# no" ! three\n')
    assert [(c.text, c.at.line, c.at.column) for c in document.comments] == [
        ("# one", 1, 1), ("# two", 2, 3), ("! three", 3, 10),
    ]  # fmt: skip


PIECES = [
    "{", "}", '"', "#", "!", "\\", "\\#", "$A", "${A}", "$A=", "$A=x \\", "$B= $A", "\n", "\n", "\n", " ", "\t", "@a ",
    "@^a ", "~SEQ(x,1,3) ", "~LST(x,1,2) ", "$x", "${x}", "include f", "vrrp_instance VI_1", "priority 100", "\r",
    "\f", "\0", "“", "'", "${_HASH}", "~", "é",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join).map(str.encode)


def included(pattern: str, folder: str) -> Sequence[tuple[str, bytes]]:
    return [("f", b"c { d\n}\n")]


@given(st.binary(max_size=400) | TEXTS)
@settings(max_examples=300 * FUZZ, deadline=None)
def test_no_bytes_stop_the_reader(data: bytes) -> None:
    document = read(data, "x", files=included, config_id="a")
    lines = data.count(b"\n") + 1
    assert all(1 <= fault.at.line <= max(lines, 3) for fault in document.faults)


@given(TEXTS)
@settings(max_examples=500 * FUZZ, deadline=None)
def test_what_is_written_is_read_as_the_same(data: bytes) -> None:
    document = read(data, "x", files=included, config_id="a")
    # A quote that does not end hides blanks, braces and definitions that no text outside of it can have. A backslash
    # at the end of a line is joined with the word before; one before a quote escapes it for comments, not for words.
    if (
        b'\\"' in data
        or any(fault.rule == "quote-not-closed" for fault in document.faults)
        or b"~" in data.replace(b"~SEQ", b"")
    ):
        return
    if any(raw.endswith("\\") for raw in raws(document.statements)):
        return
    again = read(write(document.statements).encode("utf-8", "surrogateescape"), "x")
    assert tree(again.statements) == tree(document.statements)
