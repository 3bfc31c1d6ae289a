"""The stack's folder: templates and files come from in it, and nothing from outside."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from hacore.errors import ExpressionError
from hacore.expressions import Expressions
from hacore.load.files import SOURCE_LIMIT, BodyFiles, Folder, cache_folder


@pytest.fixture
def outside(bench: Any) -> Path:
    secret: Path = bench.folder.parent / "secret.txt"
    bench.write("inside.txt", "inside")
    secret.write_text("outside")
    (bench.folder / "link.txt").symlink_to(secret)
    (bench.folder / "dirlink").symlink_to(bench.folder.parent)
    (bench.folder / "within.txt").symlink_to("inside.txt")
    return secret


@pytest.mark.parametrize("key", ["content: \"{{ file('%s') }}\"", "template: '%s'", "source: '%s'"])
@pytest.mark.parametrize(
    "path", ["../secret.txt", "link.txt", "dirlink/secret.txt", "a/../../secret.txt", "{absolute}"]
)
def test_nothing_outside_is_read(bench: Any, outside: Path, key: str, path: str) -> None:
    path = path.replace("{absolute}", str(outside))
    problem = bench.problem(f"resources: {{doc: {{a: {{hosts: lb1, path: /a, {key % path}}}}}}}")

    assert problem.message == f"cannot read {path!r}: it is outside of the stack's folder"
    assert problem.address.startswith("doc.a")


@pytest.mark.parametrize("statement", ["include", "import", "extends"])
def test_templates_include_nothing_from_outside(bench: Any, outside: Path, statement: str) -> None:
    rest = " as m" if statement == "import" else ""
    bench.write("t.j2", f"one\n{{% {statement} '../secret.txt'{rest} %}}")
    problem = bench.problem("resources: {doc: {a: {hosts: lb1, path: /a, template: t.j2}}}")

    assert "it is outside of the stack's folder" in problem.message
    assert problem.message.startswith("t.j2:2: ")


def test_what_lies_inside_is_read(bench: Any, outside: Path) -> None:
    bench.write("sub/t.j2", "{% include 'inside.txt' %} {{ file('within.txt') }} {{ host.name }} {{ x }}")
    specs = bench.specs(
        """
        resources:
          doc:
            a: {hosts: lb1, path: /a, template: sub/t.j2, vars: {x: 5}}
            b: {hosts: lb1, path: /b, content: "{{ file('inside.txt') | upper }}"}
            c: {hosts: lb1, path: /c, source: ./within.txt}
        """
    )

    assert [specs[f"doc.{name}@lb1"].content for name in "abc"] == ["inside inside lb1 5", "INSIDE", "inside"]


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("a\n{{ var.zzz }}\n", "", "t.j2:2: var.zzz is undefined"),
        ("a\n{{ zzz }}\n", "", "t.j2:2: 'zzz' is undefined"),
        ("a\n\n{% for %}\n", "", "t.j2:3: "),
        ("a {{ x }}", ", vars: {host: x}", "cannot give 'host' to a template: the name is reserved"),
        ("{% include 'gone.j2' %}", "", "t.j2:1: no template 'gone.j2' in the stack's folder"),
        (b"\xff", "", "cannot read 't.j2': not a UTF-8 text"),
    ],
)
def test_a_template_with_a_mistake_is_a_problem_where_it_is_named(
    bench: Any, place: Any, text: Any, more: str, message: str
) -> None:
    bench.folder.mkdir(parents=True)
    (bench.folder / "t.j2").write_bytes(text if isinstance(text, bytes) else text.encode())
    problem = bench.problem(f"resources: {{doc: {{a: {{hosts: lb1, path: /a, template: t.j2{more}}}}}}}")

    assert problem.message.startswith(message)
    assert (problem.line, problem.column) == place(bench.folder / "stack.yaml", "t.j2")


def test_a_file_that_is_not_there_is_a_problem(bench: Any) -> None:
    found = bench.problems(
        """
        resources:
          doc:
            a: {hosts: lb1, path: /a, template: gone.j2}
            b: {hosts: lb1, path: /b, content: "{{ file('gone.txt') }}"}
            c: {hosts: lb1, path: /c, source: .}
        """
    )

    assert [p.message for p in found] == [
        "cannot read 'gone.j2': no such file in the stack's folder",
        "cannot read 'gone.txt': no such file in the stack's folder",
        "cannot read '.' in the stack's folder: Is a directory",
    ]


def files(folder: Path, cache: Path, host: Any) -> BodyFiles:
    from hacore.address import Address

    return BodyFiles(
        Address("doc", "a", "k"),
        host,
        Folder(folder),
        Expressions(),
        {},
        secret=frozenset(),
        tainted=frozenset(),
        cache=cache,
        others=lambda kind, name: None,
        dynamic=lambda: False,
    )


def test_fetch_takes_from_the_cache_what_is_what_it_says(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "sources").mkdir(parents=True)
    good = hashlib.sha256(b"tarball").hexdigest()
    bad = hashlib.sha256(b"other").hexdigest()
    (cache / "sources" / good).write_bytes(b"tarball")
    (cache / "sources" / bad).write_bytes(b"cut sho")
    at = files(tmp_path, cache, None)

    assert at.fetch("https://example.org/x.tar.gz", good) == b"tarball"
    assert at.fetch("https://example.org/x.tar.gz", bad) is None
    assert at.fetch("https://example.org/x.tar.gz", "0" * 64) is None
    assert at.fetch("https://example.org/x.tar.gz", "../sources/" + good) is None
    assert at.name == 'a["k"]'


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HACORE_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/hacore"),
        ({"HOME": "/h"}, "/h/.cache/hacore"),
    ],
)
def test_the_cache_lies_where_the_environment_says(environ: dict[str, str], folder: str) -> None:
    assert str(cache_folder(environ)) == folder


def test_a_folder_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("a")
    (tmp_path / "link").symlink_to("real")

    assert Folder(tmp_path / "link").read("a.txt") == b"a"
    with pytest.raises(ExpressionError):
        Folder(tmp_path / "link").read("a\0.txt")


def test_a_large_file_is_a_source_and_is_hashed_once(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 1000)
    at = files(tmp_path, tmp_path, None)

    found = at.source("big", 999)
    (tmp_path / "big").write_bytes(b"y" * 1000)

    assert found is not None
    assert (found.url, found.size) == ((tmp_path / "big").as_uri(), 1000)
    assert found.sha256 == hashlib.sha256(b"x" * 1000).hexdigest()
    assert at.source("big", 999) == found
    assert at.source("big", 1000) is None
    assert list(at.taken) == ["big"]


def test_a_source_that_is_too_large_is_a_mistake_at_load(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(SOURCE_LIMIT + 1)  # sparse
    with pytest.raises(ExpressionError, match="it has 1073741825 bytes, and the largest source has 1073741824"):
        files(tmp_path, tmp_path, None).source("big")


@pytest.mark.parametrize("path", ["missing", "../outside", "/etc/passwd"])
def test_a_source_lies_in_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "outside").touch()
    with pytest.raises(ExpressionError, match=r"no such file|outside of the stack's folder"):
        files(tmp_path / "stack", tmp_path, None).source(path)
