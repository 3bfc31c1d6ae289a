"""The context of a walk: the run, the hosts, the state, and the current rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..address import Address
from ..contract import Ask, Check, Facts, Image, Provider, Source, Step, View
from ..contract.claims import token_type
from ..errors import (
    DeadlineError,
    DoubtError,
    FencedError,
    FloodError,
    ProbeError,
    RestartedError,
    StoreError,
    UnreachableError,
)
from ..events import Event, Listener
from ..graph import Graph
from ..load.stack import Instance
from ..model import JSON, Host, Row, loaded_mark, pending_mark
from ..plan import PlannedChange, Seal
from ..plan.claims import split_claims, stored_claims
from ..plan.triggers import counts
from ..plan.types import Sources
from ..probe import Frame, HostLink, Result, token_digest
from ..probe.link import Started
from ..secrets import Secrets
from ..store import Committed, Move, PutRow, SetTask, StateWriter, row_from_json
from .foreign import Owned, Together
from .held import HeldAddresses

if TYPE_CHECKING:
    from ..journal import RunningTask
    from .timer import Timer

Fetch = Callable[[Source], Awaitable["Fetched"]]
Relock = Callable[[str], Awaitable[bool]]


class Fetched(Protocol):
    """A source on the controller, whole and verified: a file that is there as long as this object is."""

    @property
    def path(self) -> Path:
        """The file, absolute."""
        ...

    @property
    def size(self) -> int:
        """Its size in bytes."""
        ...


ASKED = 2
"""How often a host is asked for the result of a task before that counts as not known."""


async def never(_host: str) -> bool:
    """A lost lock is not acquired again."""
    return False


@dataclass
class Context:
    """Everything around the tasks. `rows` follows each commit, so that later tasks see what is recorded."""

    run: int
    token: str
    providers: Mapping[str, Provider[Any]]
    links: Mapping[str, HostLink]
    writer: StateWriter
    rows: dict[Address, Row]
    facts: dict[str, Facts]
    views: Mapping[Address, View[Any]]
    sources: Mapping[Address, Sources]
    hosts: Mapping[str, Host]
    emit: Listener
    fetch: Fetch
    secrets: Secrets = field(default_factory=Secrets)  # of the stack; none where no stack was loaded
    instances: Mapping[Address, Instance] = field(default_factory=dict)  # of the stack; none on the way back
    graph: Graph = field(default_factory=Graph)
    parallelism: int = 10
    relock: Relock = never  # locks a host again that was restarted; whether it was
    checks: Mapping[Address, tuple[Check, ...]] = field(default_factory=dict)  # those that passed before the run
    others: Mapping[str, Set[str]] = field(default_factory=dict)  # digests of what other stacks claim, by host
    must_hold: HeldAddresses = field(default_factory=HeldAddresses)  # the addresses that must stay held
    timer: Timer | None = None  # --confirm-within
    kept: Path | None = None  # where results are that the state did not take
    expected: Mapping[Address, Row] | None = None  # of a rollback: the rows when it is done
    former: Mapping[Address, Address] = field(default_factory=dict)  # of what this run renames: its address before
    before: dict[Address, JSON | None] = field(default_factory=dict)  # rows before the run, of what its tasks change
    _epoch: float = field(init=False, default_factory=lambda: time.time() - time.monotonic())
    _fetched: dict[str, asyncio.Future[Fetched]] = field(default_factory=dict)
    _owned: Owned = field(init=False)
    _consumers: dict[Address, list[Address]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._owned = Owned(self.graph.claims, {a: i.hosts for a, i in self.instances.items()})
        for consumer, sources in self.sources.items():
            for source in sources:
                self._consumers.setdefault(source, []).append(consumer)

    def begin(self, lives: Sequence[RunningTask]) -> None:
        """Note the rows before the run, and its renames. `lives`: all tasks of the run, in their order."""
        self.former = {p.address: p.inherits for live in lives for p in live.task.changes if p.inherits is not None}
        for live in lives:
            for address, row in live.before.items():
                self.before.setdefault(address, row)

    def rows_before(self) -> dict[Address, Row]:
        """The rows before the run, whatever it has recorded since."""
        kept = {address: row for address, row in self.rows.items() if address not in self.before}
        return kept | {address: row_from_json(row) for address, row in self.before.items() if row is not None}

    @property
    def seal(self) -> Seal:
        """The keyed HMAC of the state."""
        return self.writer.hmac

    def now(self) -> float:
        """Unix time by a clock that nobody sets while the walk lasts: what it measures is never negative."""
        return self._epoch + time.monotonic()

    @property
    def scope(self) -> str:
        """The run's name on hosts, the same for a run that resumes it."""
        return f"{self.writer.lineage}/{self.run}"

    def link(self, host: str) -> HostLink:
        """The connection to a host; raises UnreachableError when there is none."""
        link = self.links.get(host)
        if link is None:
            raise UnreachableError(f"cannot reach {host}: there is no connection to it in this run")
        return link

    async def steps(
        self, host: str, frames: Sequence[Frame], started: Started | None = None, *, retry_safe: bool = False
    ) -> Mapping[str, Result]:
        """Run frames on a host, in one exec under its lock. Raises FencedError, UnreachableError, DoubtError.

        A host that was restarted before is locked again; one that was restarted meanwhile only for frames that
        may run `twice`, whole or in part.
        """
        try:
            return await self._steps(host, frames, started, retry_safe=retry_safe)
        except (DeadlineError, FloodError) as error:
            raise DoubtError(f"cannot determine the result: {error}; nothing is undone") from error

    async def _steps(
        self, host: str, frames: Sequence[Frame], started: Started | None, *, retry_safe: bool
    ) -> Mapping[str, Result]:
        link = self.link(host)
        try:
            return (await link.steps(frames, self.token, started)).results
        except FencedError as error:
            if not error.gone or not await self.relock(host):
                raise
        except (RestartedError, ProbeError):  # an answer that breaks off may be a host's last words
            if not retry_safe or not await self.relock(host):
                raise
        return (await link.steps(frames, self.token, started)).results

    async def ask(self, host: str, asks: Sequence[Ask]) -> Facts:
        """Ask a host; once more when it does not answer all of it. Raises DoubtError, UnreachableError."""
        link = self.link(host)
        for _ in range(ASKED):
            try:
                facts = await link.facts(asks)
            except (DeadlineError, FloodError, ProbeError) as error:
                why = str(error)
            else:
                why = facts.unanswered(asks)
                if not why:
                    return facts
        raise DoubtError(f"cannot check {host}: {why}; nothing is undone")

    async def intend(self, *moves: Move, images: Mapping[str, Image] | None = None) -> Committed:
        """Write what is about to be done. Raises StoreError, and then it must not be begun."""
        return await self.writer.commit(*map(self._scrubbed, moves), images=images)

    async def commit(self, *moves: Move) -> Committed:
        """Write what was done. Raises StoreError; what the state does not take is kept beside it."""
        moves = tuple(map(self._scrubbed, moves))
        try:
            return await self.writer.commit(*moves)
        except StoreError:
            self._keep(moves)
            raise

    def _scrubbed(self, move: Move) -> Move:
        """A move as the state may keep it: its free texts without secrets. Specs and attrs are sealed already."""
        if isinstance(move, PutRow) and self.secrets.holds(move.row.info):
            return replace(move, row=replace(move.row, info=self.secrets.scrub_data(move.row.info)))
        if isinstance(move, SetTask) and self.secrets.holds(move.changed.get("error")):
            return replace(move, changed={**move.changed, "error": self.secrets.scrub(move.changed["error"])})
        return move

    def _keep(self, moves: Sequence[Move]) -> None:
        try:
            self.kept = self.writer.spill(*moves)
        except StoreError as error:
            self.say("warning", f"{error}; the next run checks it")

    def lost(self, error: BaseException) -> BaseException:
        """What ended a walk, for the user; a state that was lost with what becomes of what was done."""
        if not isinstance(error, StoreError):
            return error
        where = f"; what was done and could not be recorded is in {self.kept}" if self.kept is not None else ""
        return type(error)(
            f"{error}{where}; nothing more was begun and nothing undone: once the state can be written again, "
            "`hacore apply --resume` resumes the run, `hacore rollback` undoes it"
        )

    def consumers(self, source: Address) -> list[Address]:
        """Recorded instances with a trigger on `source`."""
        return [c for c in self._consumers.get(source, ()) if c in self.rows]

    def pending(self, planned: PlannedChange) -> list[Address]:
        """The consumers that must load this change."""
        source = planned.address
        return [c for c in self.consumers(source) if counts(planned, self.sources[c][source])]

    def taken_in(self, consumer: Address, sources: Iterable[Address]) -> dict[str, str | None]:
        """The marks of a consumer that has just loaded these sources, deleted ones included."""
        own, before = self.sources.get(consumer, {}), self.rows[consumer].loaded if consumer in self.rows else {}
        return {
            str(s): loaded_mark(self.rows[s].attrs if s in self.rows else None, own.get(s, ()))
            for s in sources
            if s in self.rows or str(s) in before
        }

    def pending_mark(self, consumer: Address, source: Address) -> dict[str, str | None]:
        """The mark of a consumer that must load a change of this source."""
        return {str(source): pending_mark(self.rows[consumer].loaded.get(str(source)))}

    def set_loaded(self, consumer: Address, loaded: Mapping[str, str | None]) -> None:
        """Follow a SetLoaded in `rows`."""
        row = self.rows.get(consumer)
        if row is not None:
            self.rows[consumer] = replace(row, loaded={**row.loaded, **loaded})

    async def ready(self, step: Step) -> Step:
        """The step with its sources as files of the controller; each source is fetched once per run."""
        if not step.sources:
            return step
        sources = {}
        for name, source in step.sources.items():
            future = self._fetched.get(source.sha256)
            if future is None:
                future = asyncio.ensure_future(self.fetch(source))
                self._fetched[source.sha256] = future
            fetched = await future
            sources[name] = Source(fetched.path.as_uri(), source.sha256, fetched.size)
        return replace(step, sources=sources)

    def say(self, type_: Any, message: str = "", **more: Any) -> None:
        """Emit an event."""
        self.emit(Event(type_, self.secrets.scrub(message), **more))

    def foreign(self, address: Address, *, reduced: bool = False) -> Set[str]:
        """Tokens that other wanted instances, or other stacks, own or share on the host of `address`.

        `reduced`: also those that it shares itself and keeps.

        Also the paths of recorded ones that this run still has to delete: their tasks run at the same time.
        """
        ours: Set[str] = Together(self._owned.by_others(address), lambda: self._leaving(address))
        if reduced:
            kept = frozenset(claim.token for claim in self.graph.claims[address] if claim.mode == "share")
            ours = Together(ours, lambda: kept)
        theirs = self.others.get(address.host or "")
        if not theirs:
            return ours
        here = [row.claims for row in self.rows.values() if address.host in row.hosts]
        here.append(stored_claims(self.graph.claims.get(address, ())))
        shared = {token for claims in here for token in split_claims(claims) if token_digest(token) in theirs}
        return frozenset(ours) | shared

    def _leaving(self, address: Address) -> frozenset[str]:
        """Paths that rows without a wanted instance own or share on the host, but those of `address`."""
        own = split_claims(self.rows[address].claims).keys() if address in self.rows else frozenset()
        found: set[str] = set()
        for other, row in self.rows.items():
            if other not in self.instances and other != address and address.host in row.hosts:
                claims = split_claims(row.claims).items()
                found.update(token for token, mode in claims if mode != "use" and token_type(token).contains)
        return frozenset(found - own)
