"""The engine knows no kind: no kind's name, no type of a kind's claims, no field of a kind's spec."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.test_architecture import ROOT, SOURCES, relative, tree

KINDS = sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["hacore.providers"])
ENGINE = [p for p in SOURCES if relative(p).startswith("hacore/")]
ALLOWED = {
    "hacore/testing/",  # kinds for tests, with claims of their own
    "hacore/cli/scaffold.py",  # writes a first stack file, of kinds that come with hacore
}


@functools.cache
def claimed() -> frozenset[str]:
    """The types of all claims that the kinds make, as their sources have them."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Claim", "c.Claim") and node.args:
                found |= {text.partition(":")[0] for text in strings(node.args[0]) if ":" in text}
    return frozenset(found - {""})


def strings(node: ast.AST) -> Iterator[str]:
    """Texts, and the parts of texts with values in them, but no docstring."""
    said = {
        id(first.value)
        for n in ast.walk(node)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for first in n.body
        if isinstance(first, ast.Expr)
    }
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in said:
            yield part.value


def known(module: ast.Module) -> Iterator[str]:
    """What a module knows of kinds."""
    types = "|".join(sorted(map(re.escape, claimed())))
    names = "|".join(map(re.escape, KINDS))
    for text in strings(module):
        of_claim = re.match(rf"(?:(?:own|share|use) )?(?:{types}):", text)
        if of_claim or re.match(rf"(?:{names})\.(?:[a-z*]|$)", text) or ("_" in text and text in KINDS):
            yield text
    for node in ast.walk(module):
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            if any(isinstance(s, ast.Attribute) and s.attr == "kind" for s in sides):
                yield from (text for s in sides for text in strings(s) if text in KINDS)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            value, name, *_ = node.args
            if ast.unparse(value).endswith("spec") and isinstance(name, ast.Constant):
                yield ast.unparse(node)


def test_the_types_of_claims_are_found() -> None:
    assert {"path", "unit", "pkg", "config", "vrid"} <= claimed()


@pytest.mark.parametrize(
    "line",
    [
        'x = token.startswith("path:")',
        'x = f"unit:{name}"',
        'WHOLE = ("config:",)',
        'x = f"own vrid:{name}"',
        'x = address.kind == "file"',
        'x = address.kind in ("service", "thing")',
        'x = "vrrp_instance"',
        'x = f"package.{name}"',
        'x = getattr(instance.spec, "interface", None)',
    ],
)
def test_planted_knowledge_is_seen(line: str) -> None:
    assert list(known(ast.parse(line)))


def test_the_engine_knows_no_kind() -> None:
    wrong = {
        f"{relative(p)}: {text!r}"
        for p in ENGINE
        if not relative(p).startswith(tuple(ALLOWED))
        for text in known(tree(p))
    }
    assert not wrong
