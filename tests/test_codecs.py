"""What is written to disk names its keys itself: never by what a class or a field is called in Python.

Else a rename changes what is on disk, and what was written before is not read any more.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_LOOKED_AT = ("hacore/testing/",)
SPECS_OF_STACKS = ("hacore/load/", "hacore/cli/", "hacore/fleet/spec.py")
"""Where models have fields that are words of the stack file or of the command line, and no disk is near."""

CODECS = [
    "hacore/address.py",
    "hacore/engine/saved_plans/file.py",
    "hacore/engine/drift_memory.py",
    "hacore/engine/saved_plans/read.py",
    "hacore/engine/saved_plans/write.py",
    "hacore/fleet/codec.py",
    "hacore/fleet/record.py",
    "hacore/journal/task_records.py",
    "hacore/lab/image.py",
    "hacore/lab/layers.py",
    "hacore/lab/model.py",
    "hacore/model.py",
    "hacore/plan/saved_format.py",
    "hacore/plan/sealing.py",
    "hacore/plan/saved_hosts.py",
    "hacore/plan/selection.py",
    "hacore/probe/jobs.py",
    "hacore/probe/marker.py",
    "hacore/probe/revert.py",
    "hacore/store/columns.py",
    "hacore/store/effects.py",
    "hacore/store/history.py",
    "hacore/store/images.py",
    "hacore/store/legacy.py",
    "hacore/store/parts.py",
    "hacore/store/prune.py",
    "hacore/store/queries.py",
    "hacore/store/reader.py",
    "hacore/store/records.py",
    "hacore/store/session.py",
    "hacore/store/spill.py",
    "hacore/store/tables.py",
    "hacore/store/transaction.py",
    "hacore/walk/hostlock.py",
    "hacore/probe/marker.py",
]
"""What writes to a disk or reads from there, here or on a host. Whoever moves one moves its line."""

NO_CODECS = [
    "hacore/cli/commands/output.py",  # JSON for people and their programs
    "hacore/cli/cron/webhook.py",  # JSON for people and their programs
    "hacore/drill/prober.py",  # a pipe
    "hacore/engine/drilling/watch.py",  # the other end of it
    "hacore/expressions/sandbox.py",
    "hacore/fleet/engines.py",  # a pipe
    "hacore/fleet/tables.py",  # variables as on the command line
    "hacore/fleet/units.py",  # a digest for the eye
    "hacore/lab/network.py",
    "hacore/lab/rehearsal.py",
    "hacore/load/problems.py",
    "hacore/load/variables.py",
    "hacore/load/vetting.py",
    "hacore/render/page.py",  # JSON for people and their programs
    "hacore/cli/takeover/yaml_text.py",  # quotes in YAML
    "hacore/load/vars_from.py",  # what another program wrote
    "hacore/render/graph.py",
    "hacore/secrets.py",
    "hacore/render/terminal.py",
    "hacore/render/values.py",
]
"""What has to do with JSON, and with no disk."""

NAMES = {"asdict", "astuple", "fields", "make_dataclass", "pickle"}
ATTRIBUTES = {"__slots__", "__dict__", "__dataclass_fields__", "__match_args__", "__annotations__", "model_fields"}
CLASS_NAMES = {"__name__", "__qualname__"}
NEVER_STORED = {"Event", "Context"}
LOOKS = {"fields"}
"""What may be asked where nothing is stored."""
ENUMS = {"Action", "Op", "Status"}


def sources() -> list[Path]:
    found = sorted((ROOT / "hacore").rglob("*.py"))
    return [p for p in found if not p.relative_to(ROOT).as_posix().startswith(NOT_LOOKED_AT)]


def violations(tree: ast.AST, *, codec: bool, specs: bool = False) -> Iterator[tuple[int, str]]:
    """Line and what is wrong; `codec`: a module that writes to disk, `specs`: one that reads stacks."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="dataclasses", names=names):
                yield from (
                    (node.lineno, alias.name) for alias in names if alias.name in NAMES - (LOOKS if specs else set())
                )
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names if alias.name in NAMES)
            case ast.Attribute(value=ast.Name(id="dataclasses"), attr=name) if name in NAMES:
                yield node.lineno, name
            case ast.Attribute(attr=name) if name in ATTRIBUTES and not specs:
                yield node.lineno, name
            case ast.Attribute(attr=name) if codec and name in CLASS_NAMES:
                yield node.lineno, name
            case ast.Attribute(value=ast.Attribute(attr="name"), attr="lower" | "upper" | "casefold"):
                yield node.lineno, "an enum's name"
            case ast.Subscript(value=ast.Name(id=name)) if name in ENUMS:
                yield node.lineno, "an enum's name"
            case ast.Call(func=ast.Name(id="vars")) if not specs:
                yield node.lineno, "vars"
            case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, name, *_]) if codec:
                if not isinstance(name, ast.Constant):
                    yield node.lineno, "a computed field"
            case ast.Call(func=ast.Attribute(value=of, attr=name)) if name.startswith(("model_dump", "model_validate")):
                if not specs and last_name(of) != "spec":
                    yield node.lineno, f"{name} of what is no spec"
        if isinstance(node, ast.Call) and any(word.arg is None for word in node.keywords):
            name = last_name(node.func)
            if (name[:1].isupper() or name == "cls") and not specs and name not in NEVER_STORED:
                yield node.lineno, f"{name}(**...)"


def last_name(node: ast.AST) -> str:
    """`spec` of `change.spec`, `Row` of `model.Row`."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def test_no_codec_goes_by_python_s_names() -> None:
    found = [
        f"{path}:{line}: {what}"
        for source in sources()
        for path in [source.relative_to(ROOT).as_posix()]
        for line, what in violations(
            ast.parse(source.read_text()), codec=path in CODECS, specs=path.startswith(SPECS_OF_STACKS)
        )
    ]
    assert not found, "write out the keys: a rename must change nothing on disk"


def test_whatever_has_to_do_with_json_is_a_codec_or_is_known_to_be_none() -> None:
    found = {
        source.relative_to(ROOT).as_posix()
        for source in sources()
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Import) and any(alias.name == "json" for alias in node.names)
    }
    assert found - {*CODECS, *NO_CODECS} == set()
    assert not [path for path in (*CODECS, *NO_CODECS) if not (ROOT / path).is_file()]


@pytest.mark.parametrize(
    "planted",
    [
        "from dataclasses import asdict",
        "import pickle",
        "import dataclasses\ndata = dataclasses.asdict(row)",
        "from dataclasses import dataclass, fields",
        "names = [name for name in RunRecord.__slots__]",
        "data = dict(row.__dict__)",
        "data = vars(row)",
        "data = row.lifecycle.model_dump(mode='json')",
        "host = Host.model_validate(data)",
        "text = host.model_dump_json()",
        "row = Row(**data)",
        "row = model.Row(address=address, **data)",
        "row = cls(**data)",
        "kind = type(move).__name__",
        "word = action.name.lower()",
        "action = Action[word.upper()]",
        "value = getattr(run, name)",
    ],
)
def test_what_is_planted_is_found(planted: str) -> None:
    assert list(violations(ast.parse(planted), codec=True)), planted


@pytest.mark.parametrize(
    "fine",
    [
        "data = {'address': str(row.address)}",
        "spec = change.spec.model_dump(mode='json', exclude_defaults=True)",
        "spec = provider.spec.model_validate(data)",
        "columns = {**columns, 'origin': 1}",
        "statement = table.insert().values(**columns)",
        "kept = getattr(error, 'strerror', None)",
        "op = Op(data['op'])",
    ],
)
def test_what_is_fine_is_let_be(fine: str) -> None:
    assert not list(violations(ast.parse(fine), codec=True)), fine
