"""This machine as a host: the scripts that travel to hosts run in its `sh`, with a lock and a home of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hacore.contract import Host, Output
from hacore.probe.link import SessionLink
from hacore.transport.local import LocalSession

EXPORT = "export HACORE_INIT HACORE_PKG HACORE_HOME HACORE_RUN\n"


class _Session(LocalSession):
    def __init__(self, host: Host, folder: Path) -> None:
        super().__init__(host)
        self._ours = f"export HACORE_HOME={folder}/home HACORE_RUN={folder}/run\n"

    async def run(self, script: str, **more: Any) -> Output:
        return await super().run(script.replace(EXPORT, EXPORT + self._ours), **more)


class Room:
    """What a Request takes as `connect`. Other hosts of other tests do not meet ours, root or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def connect(self, host: Host) -> SessionLink:
        """A link to this machine, under the name of `host`."""
        return SessionLink(_Session(host, self.folder / host.name))
