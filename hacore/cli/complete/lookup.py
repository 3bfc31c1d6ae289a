"""Names in a stack and its state, for completion, which must be fast.

The state is read with the standard library alone, without the imports of the store. Everything here may fail;
the caller then offers nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...load.find import absolute_state, environment_file, find_stack

if TYPE_CHECKING:
    from ...load.yaml_nodes import Node

_LARGEST = 256 * 1024  # bytes of a stack file; larger ones take too long for completion
_BUSY = 0.2  # seconds to wait for a writer


@dataclass(frozen=True)
class Known:
    """A stack as named on the command line; `base` is the folder of the command."""

    base: Path
    stack: str | None = None
    env: str | None = None
    state: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def file(self) -> Path:
        """The stack file. Raises UsageError."""
        return find_stack(self.base, self.stack)

    @cached_property
    def root(self) -> Node | None:
        """The stack file's content; None for one that is too large."""
        return _read(self.file)

    def url(self) -> str | None:
        """The URL of the state, by the rules of all commands."""
        from ...load.outline import name_of, state_of
        from ...load.problems import Problems

        outside = self.state or self.environ.get("HACORE_STATE")
        if outside:
            return absolute_state(outside, self.base)
        if self.root is None:
            return None
        folder, problems = self.file.parent, Problems()
        environment = None if self.env is None else _read(environment_file(folder, self.env))
        name = name_of(self.root, problems)
        url = state_of(self.root, environment, folder.absolute(), name, self.env, {}, None, problems)
        return None if problems else url

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT in an SQLite state; empty without one."""
        url = self.url() or ""
        path = Path(url.removeprefix("sqlite:///"))
        if not url.startswith("sqlite:///") or not path.is_file():
            return []
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY)) as connection:
            return connection.execute(sql).fetchall()

    def addresses(self) -> list[str]:
        """All recorded addresses."""
        return [address for (address,) in self.rows("SELECT address FROM resource ORDER BY address")]

    def runs(self) -> list[tuple[str, str]]:
        """Numbers of runs, the newest first, each with command and status."""
        found = self.rows("SELECT id, command, status FROM run ORDER BY id DESC")
        return [(str(number), f"{command}, {status}") for number, command, status in found]

    def hosts(self) -> list[str]:
        """The recorded hosts."""
        return [name for (name,) in self.rows("SELECT name FROM host ORDER BY name")]

    def written(self) -> list[str]:
        """`kind.name` of all resources in the stack file."""
        section = self.root.child("resources") if self.root is not None else None
        kinds = section.map.items() if section is not None else ()
        return [f"{kind}.{name}" for kind, names in kinds for name in names.map]

    def written_hosts(self) -> list[str]:
        """The hosts of the stack file."""
        section = self.root.child("hosts") if self.root is not None else None
        return list(section.map) if section is not None else []

    def environments(self) -> list[str]:
        """The names in `env/`."""
        return sorted(path.stem for path in (self.file.parent / "env").glob("*.y*ml"))


def _read(file: Path) -> Node | None:
    from ...load.problems import Problems
    from ...load.yaml_nodes import read_yaml

    if file.stat().st_size > _LARGEST:
        return None
    return read_yaml(file.read_text(encoding="utf-8-sig"), str(file), Problems())
