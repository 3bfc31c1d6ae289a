"""The locks of hosts around a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import HacoreError
from ..probe import HostLink
from ..store import LockInfo
from ..store.holder import is_dead
from ..walk import Holder, acquire, release


@dataclass
class HeldHosts:
    """Hosts that are locked for a run, each since a boot of it (`boots`: its boot id by name).

    `partings`, shell text by host, is run there as the lock is given back.
    """

    links: Mapping[str, HostLink]
    holder: Holder
    say: Callable[[str], None]
    boots: dict[str, str] = field(default_factory=dict)
    partings: dict[str, str] = field(default_factory=dict)

    async def take(self, name: str) -> None:
        """Lock a host. Raises LockedError naming the holder."""
        self.boots[name] = await acquire(self.links[name], self.holder, alive=self._keeps, say=self.say)

    def _keeps(self, info: Mapping[str, Any]) -> bool:
        """Whether another holder keeps its lock.

        One of our own state does not: that state is ours alone now, so it was taken from that holder
        (`hacore unlock --force`), who may be asleep or out of reach and will find another token here.
        """
        mine = self.holder.info.get("lineage")
        return not (mine and info.get("lineage") == mine) and _alive(info)

    async def again(self, name: str) -> bool:
        """Lock a host again that has forgotten its lock, if that was because it was restarted.

        A lock that went away by itself was taken by somebody, and what a plan knew is stale.
        """
        output = await self.links[name].shell("cat /proc/sys/kernel/random/boot_id")
        if output.text.strip() in ("", self.boots.get(name)):
            return False
        await self.take(name)
        self.say(f"{name} was restarted in the middle of the run; it is locked again")
        return True


@asynccontextmanager
async def held_hosts(
    links: Mapping[str, HostLink],
    token: str,
    info: Mapping[str, Any],
    me: LockInfo,
    say: Callable[[str], None] = lambda _message: None,
) -> AsyncIterator[HeldHosts]:
    """Hold the locks of all hosts, or of none. Raises LockedError naming the holder."""
    about = {
        **info,
        "pid_started": me.pid_started,
        "pid_space": me.pid_space,
        "boot_id": me.boot_id,
        "machine_id": me.machine_id,
        "hostname": me.hostname,
        "hardware": me.hardware,
    }
    held = HeldHosts(links, Holder(token, dict(about)), say)
    try:
        # in the order of names, one after the other: two runs with common hosts cannot block each other
        for name in sorted(links):
            await held.take(name)
        yield held
    finally:
        await asyncio.gather(*[_give_back(links[n], token, held.partings.get(n, ""), say) for n in held.boots])


async def _give_back(link: HostLink, token: str, parting: str, say: Callable[[str], None]) -> None:
    try:
        await release(link, token, parting)
    except HacoreError as error:
        # the host is out of reach: its lock names a process that will be found dead
        if parting:
            say(f"{error}; the next apply does it")


def _alive(info: Mapping[str, Any]) -> bool:
    """Whether a host's lock holder may still run: only one that surely is gone counts as dead."""
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
