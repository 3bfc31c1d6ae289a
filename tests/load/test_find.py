"""Which stack is meant, and where its state lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hacore.errors import StackError, UsageError
from hacore.load import find_stack, state_url


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("stack: web\nhosts: {a: {address: b}}\n")
    return path


def test_a_stack_is_a_file_a_folder_or_a_name_under_stacks(tmp_path: Path) -> None:
    web, db = touch(tmp_path / "stacks/web/stack.yaml"), touch(tmp_path / "stacks/db/stack.yml")
    odd = touch(tmp_path / "odd.yaml")

    assert find_stack(tmp_path, "stacks/web") == web
    assert find_stack(tmp_path, "web") == web
    assert find_stack(tmp_path, "stacks/db/") == db
    assert find_stack(tmp_path, "odd.yaml") == odd
    assert find_stack(tmp_path, str(web)) == web
    with pytest.raises(UsageError, match="cannot find a stack at 'wbe': known stacks are stacks/db, stacks/web"):
        find_stack(tmp_path, "wbe")
    with pytest.raises(UsageError, match="cannot choose a stack: known stacks are stacks/db, stacks/web"):
        find_stack(tmp_path, None)


def test_without_a_name_it_is_the_one_here_or_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot choose a stack: no stack"):
        find_stack(tmp_path, None)
    only = touch(tmp_path / "stacks/web/stack.yaml")
    assert find_stack(tmp_path, None) == only
    here = touch(tmp_path / "stack.yaml")
    assert find_stack(tmp_path, None) == here


@pytest.mark.parametrize(
    ("stack", "env_name", "expected"),
    [
        ("repo/stacks/web", None, "repo/state/web.db"),
        ("repo/stacks/deep/er/web", None, "repo/state/web.db"),
        ("repo/stacks/web", "staging", "repo/state/web.staging.db"),
        ("alone", None, "alone/state/web.db"),
    ],
)
def test_the_default_state_lies_beside_stacks(tmp_path: Path, stack: str, env_name: str | None, expected: str) -> None:
    file = touch(tmp_path / stack / "stack.yaml")
    (file.parent / "env").mkdir()
    (file.parent / "env/staging.yaml").write_text("{}")

    assert state_url(file, env_name=env_name, environ={}) == f"sqlite:///{tmp_path / expected}"


@pytest.mark.parametrize(
    ("written", "environment", "env_name", "expected"),
    [
        ("sqlite:///state/a.db", "{}", None, "sqlite:///{base}/state/a.db"),
        ("sqlite:///../a.db?x=1", "{}", None, "sqlite:///{above}/a.db?x=1"),
        ("sqlite:////var/a.db", "{}", None, "sqlite:////var/a.db"),
        ("sqlite:///state/a.db", "{}", "staging", "sqlite:///{base}/state/a.staging.db"),
        ("sqlite:///state.d/a", "{}", "staging", "sqlite:///{base}/state.d/a.staging"),
        ("sqlite:///a.db", "{state: 'sqlite:///own.db'}", "staging", "sqlite:///{base}/own.db"),
        ("postgresql://db/hacore", "{}", None, "postgresql://db/hacore"),
        ("postgresql://db/x", "{state: 'postgresql://db/y'}", "staging", "postgresql://db/y"),
    ],
)
def test_a_written_state_is_made_absolute_and_an_environment_has_its_own(
    bench: Any, written: str, environment: str, env_name: str | None, expected: str
) -> None:
    bench.write("env/staging.yaml", environment)
    stack = bench.load(f"state: '{written}'", env_name=env_name)
    expected = expected.format(base=bench.folder, above=bench.folder.parent)

    assert stack.state == expected
    assert state_url(bench.folder / "stack.yaml", env_name=env_name, environ={}) == expected


def test_two_environments_never_share_a_database_unawares(bench: Any) -> None:
    bench.write("env/staging.yaml", "{}")
    problem = bench.problem("state: postgresql://db/hacore", env_name="staging")

    assert problem.message == (
        "the environment 'staging' would share this state: add a separate `state` to env/staging.yaml"
    )


def test_the_state_can_be_given_from_outside(bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HACORE_STATE": "sqlite:///env.db"}

    assert bench.load("state: sqlite:///a.db", environ=environ).state == f"sqlite:///{tmp_path}/env.db"
    assert state_url(bench.folder / "stack.yaml", environ=environ) == f"sqlite:///{tmp_path}/env.db"
    given = bench.load("", environ=environ, state_url="sqlite:////x.db")
    assert given.state == "sqlite:////x.db"
    with pytest.raises(UsageError, match="must be a database URL"):
        bench.load("", state_url="x.db")


def test_the_state_is_found_though_the_stack_has_mistakes(bench: Any) -> None:
    file = bench.write("stack.yaml", "stack: web\nvariables: {x: {type: nonsense}}\nresources: 5\n")
    assert state_url(file, environ={}) == f"sqlite:///{bench.folder}/state/web.db"

    bench.write("stack.yaml", "stack: [\n")
    with pytest.raises(StackError):
        state_url(file, environ={})
