"""The whole engine over hosts in memory, with a real state file."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hacore.address import Address
from hacore.engine import (
    ApplyOptions,
    DriftReport,
    LoadRequest,
    Means,
    Planned,
    Request,
    RollbackPlan,
    RollbackResult,
    RunResult,
    apply,
    drift,
    load_stack,
    plan,
    rollback,
)
from hacore.events import Event
from hacore.model import Row
from hacore.plan import plan_json
from hacore.store import RunRecord, StateReader, TaskRecord
from hacore.testing import KINDS, World
from hacore.walk import OnFailure

HEAD = """
stack: test
variables:
  secret: {type: string, sensitive: true, default: hunter2-and-more}
hosts:
  a: {address: 192.0.2.1}
  b: {address: 192.0.2.2}
resources:
"""


async def turns() -> None:
    """Everything that waits for what has just happened gets its turns, before the caller goes on."""
    for _ in range(100):
        await asyncio.sleep(0)


LOAD, MEANS, OPTIONS = ({f.name for f in fields(part)} for part in (LoadRequest, Means, ApplyOptions))


def changed(request: Request, **options: Any) -> Request:
    """A request with other options, each put where it belongs."""
    parts = [(LOAD, request.load), (MEANS, request.means), (OPTIONS, request.options)]
    load, means, how = (replace(part, **{n: options.pop(n) for n in names & options.keys()}) for names, part in parts)  # type: ignore[type-var]
    return replace(request, load=load, means=means, options=how, **options)


@dataclass
class Play:
    """A stack, a world and a state; what a user would do to them."""

    folder: Path
    states: Path
    world: World = field(default_factory=lambda: World("a", "b"))
    events: list[Event] = field(default_factory=list)
    asked: list[Planned] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)

    def stack(self, resources: str, head: str = HEAD) -> None:
        """Write the stack file; the resources are indented as they stand."""
        text = head + textwrap.indent(textwrap.dedent(resources).strip("\n"), "  ") + "\n"
        (self.folder / "stack.yaml").write_text(text)

    @property
    def request(self) -> Request:
        load = LoadRequest(self.folder / "stack.yaml", state_url=self.url)
        return changed(Request(load, self.means), **self.options)

    @property
    def means(self) -> Means:
        return Means(KINDS, connect=self.world.connect, listener=self.events.append, user="tester@test")

    @property
    def url(self) -> str:
        return f"sqlite:///{self.states}/test.db"

    async def yes(self, planned: Planned, _why: str) -> bool:
        self.asked.append(planned)
        return True

    async def plan(self, *, destroy: bool = False) -> dict[str, Any]:
        """The plan as JSON."""
        return plan_json((await plan(self.request, destroy=destroy)).plan)

    async def actions(self, *, destroy: bool = False) -> dict[str, str]:
        """The plan as address -> action."""
        return {c["address"]: c["action"] for c in (await self.plan(destroy=destroy))["changes"]}

    async def apply(
        self,
        *,
        destroy: bool = False,
        on_failure: OnFailure = "rollback",
        stop: asyncio.Event | None = None,
        approve: Callable[..., Any] | None = None,
        allow_degraded: bool = False,
        resume: bool = False,
    ) -> RunResult:
        request = changed(self.request, on_failure=on_failure, stop=stop, allow_degraded=allow_degraded)
        return await apply(request, approve=approve or self.yes, destroy=destroy, resume=resume)

    async def make(self, resources: str) -> RunResult:
        """Apply a stack that must work."""
        self.stack(resources)
        result = await self.apply()
        assert result.ok, self.story(result)
        return result

    async def rollback(self, **more: Any) -> RollbackResult:
        async def yes(_plan: RollbackPlan) -> bool:
            return True

        means = replace(self.means, **{name: more.pop(name) for name in MEANS & more.keys()})
        return await rollback(self.url, means, **{"approve": yes, **more})

    async def drift(self) -> DriftReport:
        return await drift(self.url, self.means)

    def rows(self) -> dict[str, Row]:
        reader = StateReader.open(self.url)
        if reader is None:
            return {}
        with reader:
            return {str(a): r for a, r in reader.rows().items()}

    def row(self, address: str) -> Row:
        return self.rows()[str(Address.parse(address))]

    def runs(self) -> list[RunRecord]:
        reader = StateReader.open(self.url)
        assert reader is not None
        with reader:
            return reader.runs()

    def tasks(self, run: int) -> list[TaskRecord]:
        reader = StateReader.open(self.url)
        assert reader is not None
        with reader:
            return reader.tasks(run)

    def text(self, key: str, host: str = "a") -> str | None:
        value = self.world[host].data.get(key)
        return None if value is None else value["text"]

    def loaded(self, unit: str, key: str, host: str = "a") -> str | None:
        value = self.world[host].units[unit]["loaded"].get(key)
        return None if value is None else value["text"]

    @staticmethod
    def story(result: RunResult | RollbackResult) -> str:
        lines = [f"{result.status}"]
        lines += [f"{t.id} {t.op} {','.join(t.addresses)}: {t.status} {t.error}" for t in result.tasks]
        if isinstance(result, RunResult) and result.leftover is not None:
            lines += [f"left: {c}" for c in plan_json(result.leftover)["changes"]]
        return "\n".join(lines)

    def load(self) -> Any:
        return load_stack(self.request)
