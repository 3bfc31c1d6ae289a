"""The locks of hosts around a run."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import HacoreError
from ..probe import HostLink
from ..store import LockInfo, StateWriter
from ..store.holder import is_dead
from ..walk import Holder, acquire, release


@dataclass
class HeldHosts:
    """Hosts that are locked for a run, each since a boot of it (`boots`: its boot id by name).

    `partings`, shell text by host, runs there when the lock is released.
    """

    links: Mapping[str, HostLink]
    holder: Holder
    warn: Callable[[str], None]
    boots: dict[str, str] = field(default_factory=dict)
    partings: dict[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """What each effect script checks first."""
        return self.holder.token

    async def take(self, name: str) -> None:
        """Lock a host. Raises LockedError naming the holder."""
        self.boots[name] = await acquire(self.links[name], self.holder, alive=self._keeps, say=self.warn)

    def _keeps(self, info: Mapping[str, Any]) -> bool:
        """Whether another holder keeps its lock.

        A holder with our own state does not: we hold that state's lock, so it was broken
        (`hacore unlock --force`); should that holder still run, it will find another token here.
        """
        mine = self.holder.info.get("lineage")
        return not (mine and info.get("lineage") == mine) and _alive(info)

    async def again(self, name: str) -> bool:
        """Lock a host again that lost its lock because it was restarted; whether that was the cause.

        A lock that disappeared without a restart was taken by another run, and what a plan knew is stale.
        """
        output = await self.links[name].shell("cat /proc/sys/kernel/random/boot_id")
        if output.text.strip() in ("", self.boots.get(name)):
            return False
        await self.take(name)
        self.warn(f"{name} was restarted during the run; it is locked again")
        return True


@asynccontextmanager
async def held_hosts(
    links: Mapping[str, HostLink],
    writer: StateWriter,
    *,
    who: str,
    what: str,
    stack: str,
    warn: Callable[[str], None],
) -> AsyncIterator[HeldHosts]:
    """Hold the locks of all hosts, or of none, with a new token. Raises LockedError naming the holder."""
    me = writer.held
    info = {
        "who": who,
        "what": what,
        "stack": stack,
        "lineage": writer.lineage,
        "since": time.time(),
        "pid": os.getpid(),
        "pid_started": me.pid_started,
        "pid_space": me.pid_space,
        "boot_id": me.boot_id,
        "machine_id": me.machine_id,
        "hostname": me.hostname,
        "hardware": me.hardware,
    }
    held = HeldHosts(links, Holder(secrets.token_hex(16), info), warn)
    try:
        # in the order of names, one after the other: two runs with common hosts cannot block each other
        for name in sorted(links):
            await held.take(name)
        yield held
    finally:
        await asyncio.gather(*[_release(held, name) for name in held.boots])


async def _release(held: HeldHosts, name: str) -> None:
    parting = held.partings.get(name, "")
    try:
        await release(held.links[name], held.token, parting)
    except HacoreError as error:
        # the host is unreachable: its lock names a process that the next run will find dead
        if parting:
            held.warn(f"{error}; the next apply does it")


def _alive(info: Mapping[str, Any]) -> bool:
    """Whether a host's lock holder may still run: only one that is certainly dead counts as dead."""
    try:
        lock = LockInfo(
            who=str(info.get("who", "")),
            what=str(info.get("what", "")),
            since=float(info.get("since", 0.0)),
            pid=int(info.get("pid", 0)),
            pid_started=str(info.get("pid_started", "")),
            pid_space=str(info.get("pid_space", "")),
            boot_id=str(info.get("boot_id", "")),
            machine_id=str(info.get("machine_id", "")),
            hostname=str(info.get("hostname", "")),
            hardware=str(info.get("hardware", "")),
        )
    except (TypeError, ValueError):
        return True
    return not is_dead(lock)
