"""What a walk knows of rows and marks, and how it asks a host once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from hacore.address import Address
from hacore.contract import Ask, Claim, Facts
from hacore.errors import (
    DeadlineError,
    DoubtError,
    FencedError,
    FloodError,
    HacoreError,
    ProbeError,
    RestartedError,
    StoreError,
    UnreachableError,
)
from hacore.events import Event
from hacore.graph import Graph
from hacore.journal import RunningTask
from hacore.load.stack import Instance
from hacore.model import Row, loaded_mark
from hacore.plan import PlanTask
from hacore.probe import Batch, Result, token_digest
from hacore.store import row_to_json
from hacore.testing.questions import VALUE
from hacore.walk import Context
from tests.journal.runs import changed
from tests.plan.table import HERE, row_of, spec_of

X, Y, Z, WEB, APP = (
    Address.parse(text) for text in ("thing.x@a", "thing.y@a", "thing.z@b", "daemon.web@a", "daemon.app@a")
)


def context(*rows: Row, **more: Any) -> Context:
    given: dict[str, Any] = {
        "run": 7,
        "token": "t",
        "providers": {},
        "links": {},
        "writer": cast("Any", None),
        "rows": {row.address: row for row in rows},
        "facts": {},
        "views": {},
        "sources": {},
        "hosts": {},
        "emit": lambda _event: None,
        "fetch": cast("Any", None),
    }
    return Context(**{**given, **more})


def web(**loaded: str | None) -> Row:
    return replace(row_of(str(WEB), unit="web"), loaded=loaded)


# -- rows and marks


def test_a_mark_is_set_beside_the_others() -> None:
    ctx = context(web(**{str(X): "1", str(Y): "2"}))
    ctx.set_loaded(WEB, {str(X): None, str(Z): "3"})
    assert ctx.rows == {WEB: web(**{str(X): None, str(Y): "2", str(Z): "3"})}
    ctx.set_loaded(APP, {str(X): "1"})
    assert list(ctx.rows) == [WEB]


@pytest.mark.parametrize(("before", "after"), [("m", "?m"), ("?m", "?m"), (None, None)])
def test_the_mark_of_a_pending_reload_keeps_what_was_loaded(before: str | None, after: str | None) -> None:
    assert context(web(**{str(X): before})).pending_mark(WEB, X) == {str(X): after}
    assert context(web()).pending_mark(WEB, X) == {str(X): None}


def test_what_a_daemon_has_just_loaded() -> None:
    thing = row_of(str(X), text="new")
    ctx = context(thing, web(**{str(X): "?m", str(Y): "?m"}), sources={WEB: {X: ("text",)}})
    # Y is deleted; of Z it never knew
    assert ctx.taken_in(WEB, [X, Y, Z]) == {
        str(X): loaded_mark(thing.attrs, ("text",)),
        str(Y): loaded_mark(None),
    }
    assert ctx.taken_in(APP, [X, Y]) == {str(X): loaded_mark(thing.attrs)}


def test_consumers_are_recorded_ones() -> None:
    ctx = context(web(), sources={WEB: {X: (), Y: ()}, APP: {X: ()}})
    assert (ctx.consumers(X), ctx.consumers(Y), ctx.consumers(Z)) == ([WEB], [WEB], [])
    ctx.rows[APP] = row_of(str(APP), unit="app")
    assert ctx.consumers(X) == [WEB, APP]
    assert ctx.pending(changed(str(X), "+")) == [WEB, APP]


def test_the_rows_before_the_run() -> None:
    first, second = row_of(str(X), text="v1"), row_of(str(X), text="v2")
    other, former = row_of(str(Z)), row_of("thing.old@a")
    task = PlanTask("t1", *[cast("Any", None)] * 3, (X,), (replace(changed(str(X), "~"), inherits=former.address),))
    ctx = context(row_of(str(X), text="v3"), row_of(str(Y)), other)
    ctx.begin(
        [
            RunningTask(task, before={X: row_to_json(first), Y: None, former.address: row_to_json(former)}),
            RunningTask(replace(task, changes=()), before={X: row_to_json(second)}),
        ]
    )
    assert ctx.rows_before() == {X: first, Z: other, former.address: former}
    assert ctx.former == {X: former.address}


# -- what others own


def owned(address: Address, *claims: Claim) -> tuple[Address, Instance, tuple[Claim, ...]]:
    return address, Instance(address, spec_of(address, {}), address.host, (str(address.host),), HERE), claims


def test_tokens_of_others() -> None:
    wanted = [
        owned(X, Claim("path:/x"), Claim("path:/both", "share"), Claim("path:/used", "use")),
        owned(Y, Claim("path:/y"), Claim("path:/both", "share")),
        owned(Z, Claim("path:/z")),
    ]
    claims = {address: tokens for address, _, tokens in wanted}
    instances = {address: instance for address, instance, _ in wanted}
    graph = Graph(tuple(claims), dict.fromkeys(claims, ()), claims)
    ctx = context(row_of(str(Y)), graph=graph, instances=instances)
    assert set(ctx.foreign(X)) == {"path:/y", "path:/both"}
    assert len(ctx.foreign(X)) == 2
    assert ("path:/x" in ctx.foreign(X), "path:/both" in ctx.foreign(X)) == (False, True)
    assert set(ctx.foreign(Z)) == set()
    # what has no host meets all hosts
    assert set(ctx.foreign(Address.parse("thing.w"))) == {"path:/x", "path:/y", "path:/both", "path:/z"}

    theirs = {"a": {token_digest("path:/x"), token_digest("path:/elsewhere")}}
    ctx = context(row_of(str(Y)), graph=graph, instances=instances, others=theirs)
    assert set(ctx.foreign(X)) == {"path:/x", "path:/y", "path:/both"}
    assert set(ctx.foreign(Z)) == set()


# -- hosts


@dataclass
class Line:
    """A connection that raises the next of its errors, then answers. It counts what is asked."""

    errors: list[Exception | str]
    asked: int = 0
    locked: list[str] = field(default_factory=list)

    async def steps(self, _frames: Any, token: str, _started: Any = None) -> Batch:
        self._next()
        return Batch({"f": Result(())})

    async def facts(self, asks: Any) -> Facts:
        why = self._next()
        failed = {VALUE.name: why} if why else {}
        return Facts(answers={} if why else {ask.id: {} for ask in asks}, failed=failed)

    def _next(self) -> str:
        self.asked += 1
        error = self.errors.pop(0) if self.errors else ""
        if isinstance(error, Exception):
            raise error
        return error

    def relocking(self, *, works: bool) -> Callable[[str], Any]:
        async def relock(host: str) -> bool:
            self.locked.append(host)
            return works

        return relock


GONE, TAKEN = FencedError("no lock", gone=True), FencedError("held by another run")
REBOOT, BROKEN = RestartedError("restarted"), ProbeError("it breaks off")


@pytest.mark.parametrize(
    ("errors", "twice", "relocks", "raised", "asked", "locked"),
    [
        ([], False, True, None, 1, 0),
        # restarted before: nothing of it has run
        ([GONE], False, True, None, 2, 1),
        ([GONE], False, False, FencedError, 1, 1),
        ([TAKEN], True, True, FencedError, 1, 0),
        # restarted meanwhile: some of it may have run
        ([REBOOT], False, True, RestartedError, 1, 0),
        ([REBOOT], True, True, None, 2, 1),
        ([REBOOT], True, False, RestartedError, 1, 1),
        ([BROKEN], False, True, ProbeError, 1, 0),
        ([BROKEN], True, True, None, 2, 1),
        # once only
        ([GONE, GONE], True, True, FencedError, 2, 1),
        ([DeadlineError("too long")], True, True, DoubtError, 1, 0),
        ([FloodError("too much")], True, True, DoubtError, 1, 0),
        ([REBOOT, DeadlineError("too long")], True, True, DoubtError, 2, 1),
    ],
)
async def test_steps_on_a_host_that_was_restarted(
    errors: list[Exception | str], twice: bool, relocks: bool, raised: type[HacoreError] | None, asked: int, locked: int
) -> None:
    line = Line(list(errors))
    ctx = context(links={"a": cast("Any", line)}, relock=line.relocking(works=relocks))
    if raised is None:
        assert await ctx.steps("a", (), retry_safe=twice) == {"f": Result(())}
    else:
        with pytest.raises(raised) as found:
            await ctx.steps("a", (), retry_safe=twice)
        assert type(found.value) is raised
    assert (line.asked, line.locked) == (asked, ["a"] * locked)


async def test_frames_are_not_run_twice_unless_that_is_said() -> None:
    line = Line([REBOOT])
    with pytest.raises(RestartedError):
        await context(links={"a": cast("Any", line)}, relock=line.relocking(works=True)).steps("a", ())
    assert line.locked == []


async def test_a_lost_lock_is_not_acquired_again_by_itself() -> None:
    with pytest.raises(FencedError):
        await context(links={"a": cast("Any", Line([GONE]))}).steps("a", ())


@pytest.mark.parametrize(
    ("errors", "asked", "why"),
    [
        ([], 1, ""),
        (["no answer"], 2, ""),
        ([BROKEN], 2, ""),
        ([BROKEN, FloodError("too much")], 2, "cannot check a: too much; nothing is undone"),
        ([DeadlineError("too long"), "no answer"], 2, "no answer"),
    ],
)
async def test_a_host_that_does_not_answer_all_is_asked_once_more(
    errors: list[Exception | str], asked: int, why: str
) -> None:
    line = Line(list(errors))
    ctx = context(links={"a": cast("Any", line)})
    if why:
        with pytest.raises(DoubtError, match=why):
            await ctx.ask("a", [Ask(VALUE, "/x")])
    else:
        assert (await ctx.ask("a", [Ask(VALUE, "/x")])).get(VALUE, "/x") == {}
    assert line.asked == asked


async def test_a_host_without_a_connection_is_named() -> None:
    with pytest.raises(UnreachableError, match="cannot reach a: there is no connection to it in this run"):
        await context().steps("a", ())


# -- a state that is lost


@dataclass
class Lost:
    """A state that takes nothing; `spill` is where it keeps what it was given, or its error."""

    place: Any
    kept: list[Any] = field(default_factory=list)

    async def commit(self, *_moves: Any, images: Any = None) -> Any:
        raise StoreError("the disk is full")

    def spill(self, *moves: Any) -> Any:
        if isinstance(self.place, StoreError):
            raise self.place
        self.kept.extend(moves)
        return self.place


async def test_what_was_done_is_kept_beside_a_state_that_is_lost() -> None:
    said: list[Event] = []
    lost = Lost("/beside")
    ctx = context(writer=cast("Any", lost), emit=said.append)
    with pytest.raises(StoreError):
        await ctx.intend(cast("Any", "intent"))
    assert lost.kept == []
    with pytest.raises(StoreError) as error:
        await ctx.commit(cast("Any", "done"))
    assert (lost.kept, said) == (["done"], [])
    assert "could not be recorded is in /beside; nothing more was begun" in str(ctx.lost(error.value))
    assert ctx.lost(other := ValueError("x")) is other


async def test_what_cannot_be_kept_at_all_is_a_warning() -> None:
    said: list[Event] = []
    ctx = context(writer=cast("Any", Lost(StoreError("no room"))), emit=said.append)
    with pytest.raises(StoreError) as error:
        await ctx.commit(cast("Any", "done"))
    assert [(event.type, event.message) for event in said] == [("warning", "no room; the next run checks it")]
    assert "could not be recorded" not in str(ctx.lost(error.value))


def test_paths_that_this_run_still_deletes_are_of_others_until_then() -> None:
    """A package that is purged at the same moment must not restore them."""
    leaving = replace(row_of(str(Y)), claims=("own path:/y", "own pkg:y", "use path:/used"))
    mine = replace(row_of(str(X)), claims=("own path:/x",))
    far = replace(row_of(str(Z)), claims=("own path:/z",))
    ctx = context(leaving, mine, far)
    assert set(ctx.foreign(X)) == {"path:/y"}
    assert ("path:/y" in ctx.foreign(X), "pkg:y" in ctx.foreign(X), "path:/x" in ctx.foreign(X)) == (True, False, False)
    assert len(ctx.foreign(X)) == 1
    del ctx.rows[Y]
    assert set(ctx.foreign(X)) == set()
