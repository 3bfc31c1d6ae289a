"""docs/providers.md: the kind that it makes works as it stands there, is the shipped one, and as short as it says."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
import types
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Provider
from hacore.engine import LoadRequest, Means, Request, apply, plan
from hacore.load import load, load_providers
from hacore.load.vetting import fault_of
from hacore.plan import plan_json
from hacore.testing import ThisMachine

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "docs" / "examples" / "hacore-command"
PAGE = (ROOT / "docs" / "providers.md").read_text()


def block(language: str, number: int = 0) -> str:
    return str(re.findall(rf"(?ms)^```{language}\n(.*?)^```", PAGE)[number])


def test_the_code_of_the_page_is_what_is_shipped() -> None:
    assert block("python") == (PACKAGE / "hacore_command" / "__init__.py").read_text()
    assert block("toml") == (PACKAGE / "pyproject.toml").read_text()


def test_the_code_of_the_page_is_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed off the page into a file, and found by the entry point that the page has."""
    (tmp_path / "hacore_command.py").write_text(block("python"))
    ((kind, where),) = tomllib.loads(block("toml"))["project"]["entry-points"]["hacore.providers"].items()
    module, _, name = where.partition(":")
    found = importlib.util.spec_from_file_location(module, tmp_path / f"{module}.py")
    assert found is not None and found.loader is not None
    made = importlib.util.module_from_spec(found)
    monkeypatch.setitem(__import__("sys").modules, module, made)
    found.loader.exec_module(made)
    provider: Provider = getattr(made, name)  # type: ignore[type-arg]
    (tmp_path / "stack.yaml").write_text(f"stack: mine\nhosts: {{a: {{address: 192.0.2.1}}}}\n{block('yaml')}")

    stack = load(LoadRequest(tmp_path / "stack.yaml", environ={}), {kind: provider})

    assert [str(a) for a in stack.instances] == ["command.sysctl@a"]
    assert kind in load_providers()
    assert [p.value for p in entry_points(group="hacore.providers") if p.name == kind] == [where]


async def test_the_test_of_the_page_is_one(tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    exec(compile(block("python", 2), "providers.md", "exec"), found)

    await found["test_it_comes_and_goes"](tmp_path)

    assert not (tmp_path / "mark").exists()


def test_it_is_as_short_as_the_page_says() -> None:
    source = block("python")
    prose: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            prose.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    code = [line for number, line in enumerate(source.splitlines(), 1) if line.strip() and number not in prose]

    (most,) = re.findall(r"(\d+) lines without blank ones", PAGE)
    assert len(code) <= int(most)


# -- the whole kind ---------------------------------------------------------------------------------


@pytest.fixture
def pgpass(monkeypatch: pytest.MonkeyPatch) -> Provider[Any]:
    """The kind as it is printed."""
    made = types.ModuleType("hacore_pgpass")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    exec(compile(block("python", 1), "hacore_pgpass.py", "exec"), vars(made))
    provider: Provider[Any] = made.PROVIDER
    assert fault_of(provider, "pgpass", "hacore_pgpass:PROVIDER") == ""
    return provider


HEAD = """\
stack: mine
variables: {backup_password: {type: string, sensitive: true, default: "pa:ss\\\\word-1"}}
hosts: {here: {address: localhost}}
"""


async def test_the_whole_kind_comes_changes_and_goes(pgpass: Provider[Any], tmp_path: Path) -> None:
    file, state = tmp_path / "pgpass", tmp_path / "state.db"
    file.write_bytes(b"old\\n")
    file.chmod(0o640)
    body = block("yaml", 1).replace("/var/lib/backup/.pgpass", str(file)).replace("      owner: backup\n", "")
    (tmp_path / "stack.yaml").write_text(HEAD + body)
    kinds = {**load_providers(), "pgpass": pgpass}
    connect = ThisMachine(tmp_path / "here").connect
    request = Request(
        LoadRequest(tmp_path / "stack.yaml", state_url=f"sqlite:///{state}"), Means(kinds, connect=connect)
    )

    planned = plan_json((await plan(request)).plan)
    assert "word-1" not in str(planned)
    assert planned["changes"][0]["effect"] == f"write {file}"
    assert (await apply(request, approve=yes)).ok
    assert file.read_text() == "db1:*:*:backup:pa\\:ss\\\\word-1\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (await plan(request)).plan.empty
    assert b"word-1" not in state.read_bytes()

    gone = plan_json((await plan(request, destroy=True)).plan)
    assert gone["changes"][0]["effect"] == f"restore {file}"
    assert (await apply(request, approve=yes, destroy=True)).ok
    assert file.read_bytes() == b"old\\n"
    assert file.stat().st_mode & 0o777 == 0o640


async def test_the_whole_kind_goes_back_when_something_else_fails(pgpass: Provider[Any], tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    body = block("yaml", 1).replace("/var/lib/backup/.pgpass", str(file)).replace("      owner: backup\n", "")
    late = '  command: {late: {needs: [pgpass.backup], check: "false", do: "false", undo: "true"}}\n'
    (tmp_path / "stack.yaml").write_text(HEAD + body + late)
    kinds = {**load_providers(), "pgpass": pgpass}
    connect = ThisMachine(tmp_path / "here").connect
    source = LoadRequest(tmp_path / "stack.yaml", state_url=f"sqlite:///{tmp_path}/state.db")
    request = Request(source, Means(kinds, connect=connect))

    result = await apply(request, approve=yes)

    assert result.status == "rolled_back"
    assert not file.exists()


async def yes(*_: Any) -> bool:
    return True
