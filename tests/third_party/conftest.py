"""A stack of one's own kinds on this machine, with a folder in place of /."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Provider
from hacore.engine import (
    DriftReport,
    LoadRequest,
    Means,
    Request,
    RollbackResult,
    RunResult,
    apply,
    drift,
    plan,
    rollback,
)
from hacore.load import load_providers
from hacore.load.vetting import fault_of
from hacore.plan import plan_json
from hacore.testing import ThisMachine

Make = Callable[[Provider[Any]], "Stack"]


async def yes(*_: Any) -> bool:
    return True


class Stack:
    """One host, one kind; `body` is the text below `resources`."""

    def __init__(self, folder: Path, provider: Provider[Any]) -> None:
        assert fault_of(provider, provider.kind, "tests:PROVIDER") == ""
        self.file, self.state = folder / "stack.yaml", f"sqlite:///{folder}/state.db"
        kinds = {**load_providers(), provider.kind: provider}
        self._means = Means(kinds, connect=ThisMachine(folder / "here").connect)

    def write(self, body: str) -> Request:
        self.file.write_text(f"stack: mine\nhosts: {{here: {{address: localhost}}}}\nresources:\n{body}")
        return Request(LoadRequest(self.file, state_url=self.state), self._means)

    async def plan(self, body: str, **more: Any) -> list[Mapping[str, Any]]:
        """The changes that a plan shows."""
        changes: list[Mapping[str, Any]] = plan_json((await plan(self.write(body), **more)).plan)["changes"]
        return [change for change in changes if change["action"] != "no-op"]

    async def apply(self, body: str, **more: Any) -> RunResult:
        return await apply(self.write(body), approve=yes, **more)

    async def rollback(self) -> RollbackResult:
        return await rollback(self.state, self._means, approve=yes)

    async def drift(self) -> DriftReport:
        return await drift(self.state, self._means)


@pytest.fixture
def stack(tmp_path: Path) -> Make:
    return lambda provider: Stack(tmp_path, provider)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the parts of a system that the kinds use."""
    found = tmp_path / "root"
    for name in ("etc/sysctl.d", "home", "proc/sys/net/ipv4"):
        (found / name).mkdir(parents=True)
    (found / "proc/sys/net/ipv4/ip_forward").write_text("0\n")
    (found / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nold:x:1500:1500::/home/old:/bin/sh\n")
    (found / "etc/shadow").write_text("root:*:19000:0:99999:7:::\nold:$y$secret:19000:0:99999:7:::\n")
    (found / "etc/group").write_text("root:x:0:\nold:x:1500:\nadm:x:4:old\nwww:x:33:\n")
    (found / "etc/gshadow").write_text("root:*::\nold:!::\nadm:*::old\nwww:*::\n")
    (found / "etc/shadow").chmod(0o640)
    return found


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, owner and content of all that is in a folder; without the lock and backup files of shadow's programs."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_uid,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(("-", ".lock"))
    }
