"""This machine as a host: the scripts that travel to hosts run in its `sh`, with a lock and a home of their own."""

from __future__ import annotations

from pathlib import Path

from hacore.contract import Host, Output
from hacore.probe.link import SessionLink
from hacore.transport.local import LocalSession
from hacore.transport.session import OnOutput


class _Session(LocalSession):
    def __init__(self, host: Host, folder: Path) -> None:
        super().__init__(host)
        self._ours = f"export HACORE_HOME={folder}/home HACORE_RUN={folder}/run\n".encode()

    async def _execute(self, script: bytes, on_output: OnOutput) -> Output:
        known = b"export HACORE_INIT HACORE_PKG HACORE_HOME HACORE_RUN\n"
        assert known in script
        return await super()._execute(script.replace(known, known + self._ours, 1), on_output)


class Room:
    """What a Request takes as `connect`. Other hosts of other tests do not meet ours, root or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def connect(self, host: Host) -> SessionLink:
        """A link to this machine, under the name of `host`."""
        return SessionLink(_Session(host, self.folder / host.name))
