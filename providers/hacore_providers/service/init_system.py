"""The init system of a host: systemd or init scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hacore.contract import Image, Output, Work
from hacore_providers.service import systemd, sysv
from hacore_providers.service.spec import ServiceSpec

__all__ = ["InitSystem", "init_system"]


class InitSystem(Protocol):
    """The shell of one init system: the modules systemd and sysv. SECONDS is the deadline of their steps."""

    SECONDS: float

    def capture(self, unit: str, names: Iterable[str]) -> str:
        """The current state of the unit; read-only."""
        ...

    def read_image(self, output: Output, *, sensitive: bool) -> Image:
        """The before-image from the output of `capture`."""
        ...

    def prepare_unit(
        self, unit: str, *, define: bool, enabled: bool | None, running: bool | None, secret: bool = False
    ) -> str:
        """Definition and links: everything that neither starts nor stops the unit."""
        ...

    def run_unit(self, unit: str, *, running: bool) -> str:
        """Start or stop the unit."""
        ...

    def undo(
        self, unit: str, image: Image, *, define: bool, enabled: bool | None, running: bool | None
    ) -> tuple[str, dict[str, bytes]]:
        """The script that restores an image, and its blobs."""
        ...

    def trigger(self, unit: str, op: str, *, unless_young: bool = False) -> str:
        """Reload or restart a running unit."""
        ...


def init_system(work: Work[ServiceSpec], image: Image | None = None) -> InitSystem:
    """The init system of the image; else that of the host."""
    taken = (image.data or {}).get("init") if image is not None else None
    return sysv if (taken or work.facts.host.init) == "sysv" else systemd
