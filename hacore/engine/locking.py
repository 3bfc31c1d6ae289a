"""The locks of hosts around a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ..errors import HacoreError
from ..probe import HostLink
from ..store import LockInfo
from ..store.holder import is_dead
from ..walk import Holder, acquire, release


@asynccontextmanager
async def held_hosts(
    links: Mapping[str, HostLink], token: str, info: Mapping[str, Any], me: LockInfo
) -> AsyncIterator[None]:
    """Hold the locks of all hosts, or of none. Raises LockedError naming the holder."""
    about = {
        **info,
        "pid_started": me.pid_started,
        "pid_space": me.pid_space,
        "boot_id": me.boot_id,
        "machine_id": me.machine_id,
        "hostname": me.hostname,
    }
    holder = Holder(token, dict(about))
    taken: list[HostLink] = []
    try:
        # in the order of names, one after the other: two runs with common hosts cannot block each other
        for name in sorted(links):
            await acquire(links[name], holder, alive=_alive)
            taken.append(links[name])
        yield
    finally:
        await asyncio.gather(*[_give_back(link, token) for link in taken])


async def _give_back(link: HostLink, token: str) -> None:
    try:
        await release(link, token)
    except HacoreError:
        return  # the host is out of reach; its lock names a process that will be found dead


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
        )
    except (TypeError, ValueError):
        return True
    return not is_dead(lock)
