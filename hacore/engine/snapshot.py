"""The state as a command read it: rows, hosts, and the last and the interrupted run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..address import Address
from ..errors import StoreError
from ..model import Row
from ..plan import Seal
from ..store import HostRecord, LockInfo, RunRecord, StateReader, StateView


@dataclass
class StateSnapshot:
    """The contents of a state, as values; a missing state is an empty one."""

    lineage: str = ""
    serial: int = 0
    rows: Mapping[Address, Row] = field(default_factory=dict)
    hosts: Mapping[str, HostRecord] = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)
    unfinished: RunRecord | None = None
    lock: LockInfo | None = None
    seal: Seal = field(default_factory=lambda: no_key)
    keyless: str = ""  # why sensitive values, of which there are some, cannot be compared


def no_key(_value: str) -> str:
    """A seal that equals nothing: without a key no sealed value can be recorded yet."""
    return f"hmac:{secrets.token_hex(16)}"


def read_snapshot(state: StateView | None, *, keyless: bool = False) -> StateSnapshot:
    """Read all that a plan needs. Raises StoreError when sensitive values are recorded and their key is missing.

    `keyless`: for a command that does not compare them.
    """
    if state is None:
        return StateSnapshot()
    rows = state.rows()
    lacking = not state.has_key and any(row.sensitive for row in rows.values())
    snapshot = StateSnapshot(
        lineage=state.lineage,
        serial=state.serial,
        rows=rows,
        hosts=state.hosts(),
        runs=state.runs(),
        unfinished=state.unfinished(),
        lock=state.lock(),
        seal=state.hmac if state.has_key else no_key,
        keyless=state.key_problem if lacking else "",
    )
    return snapshot if keyless else comparable(snapshot)


def comparable(snapshot: StateSnapshot) -> StateSnapshot:
    """The same; raises StoreError when its sensitive values cannot be compared: each would look changed."""
    if snapshot.keyless:
        raise StoreError(
            f"cannot compare sensitive values: {snapshot.keyless}; restore the key, or make a new one with "
            "`hacore state new-key`: the next apply then writes all sensitive values again"
        )
    return snapshot


def living(snapshot: StateSnapshot, url: str) -> StateSnapshot:
    """The same, without the lock of a holder that has surely ended; on PostgreSQL its session decides."""
    if snapshot.lock is None:
        return snapshot
    from ..store.session import holder_is_dead

    try:
        dead = holder_is_dead(url, snapshot.lock)
    except StoreError:  # a role that may only read
        return snapshot
    return replace(snapshot, lock=None) if dead else snapshot


def read_state(url: str, *, keyless: bool = False) -> StateSnapshot:
    """The state as it is on disk, read only."""
    reader = StateReader.open(url)
    if reader is None:
        return StateSnapshot()
    with reader:
        return read_snapshot(reader, keyless=keyless)


def last_run(memory: StateSnapshot) -> RunRecord | None:
    """The newest run."""
    return memory.runs[-1] if memory.runs else None
