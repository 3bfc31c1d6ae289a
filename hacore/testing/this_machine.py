"""This machine as a host: scripts for hosts run in its `sh`, with a lock and a home of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..contract import Host, Output
from ..probe import SessionLink
from ..transport.local import LocalSession

_EXPORT = "export HACORE_INIT HACORE_PKG HACORE_HOME HACORE_RUN\n"


class _Session(LocalSession):
    def __init__(self, host: Host, folder: Path) -> None:
        super().__init__(host)
        self._ours = f"export HACORE_HOME={folder}/home HACORE_RUN={folder}/run\n"

    async def run(self, script: str, **more: Any) -> Output:
        """Run the script with hacore's folders of a host below the test's folder."""
        return await super().run(script.replace(_EXPORT, _EXPORT + self._ours), **more)


class ThisMachine:
    """For tests of a kind's shell: `connect` is for a Request, in place of SSH.

    Each host of a stack is this machine, with the user who runs the test, root or not, without sshd
    and sudo. hacore's own files on a host are below `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    async def connect(self, host: Host) -> SessionLink:
        """A link to this machine, under the name of `host`."""
        return SessionLink(_Session(host, self._folder / host.name))
