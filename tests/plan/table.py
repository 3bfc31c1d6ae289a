"""Inputs of a plan, put together by hand: rows, a world, and what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hacore.address import Address
from hacore.contract import Facts, Observed
from hacore.graph import build_graph
from hacore.load.stack import Instance, Need, Position, Stack
from hacore.model import Host, Lifecycle, Row
from hacore.plan import (
    NO_SELECTION,
    HostStatus,
    Inputs,
    Plan,
    Selection,
    asks_of_desired,
    asks_of_recorded,
    make_plan,
    merge_asks,
    plan_json,
    revive,
    stored_claims,
)
from hacore.testing import KINDS, World
from hacore.testing.questions import sha

THING = "thing.x@a"
HERE = Position("stack.yaml", 1, 1)
same_sha = sha


def seal(text: str) -> str:
    """The HMAC of a value, as a state with a key makes it."""
    return f"hmac:{sha(text)}"


def spec_of(address: Address, body: Mapping[str, Any]) -> Any:
    body = dict(body)
    if address.kind == "thing":
        body.setdefault("key", f"/{address.name}")
    return KINDS[address.kind].spec.model_validate(body)


def row_of(where: str, needs: tuple[str, ...] = (), **body: Any) -> Row:
    """A row as an apply of such a body would have left it."""
    address = Address.parse(where)
    provider = KINDS[address.kind]
    spec = spec_of(address, body)
    attrs: dict[str, Any] = {
        "thing": {"text": sha(body.get("text", ""))},
        "conf": {"text": body.get("text", "")},
        "daemon": {"running": True},
    }.get(address.kind, {})
    return Row(
        address=address,
        spec=provider.recorded(spec).model_dump(mode="json", exclude_defaults=True),
        schema_version=1,
        attrs=attrs,
        needs=needs,
        claims=stored_claims(provider.claims(spec)),
        hosts=(str(address.host),),
        run=1,
    )


class Table:
    """A stack, a state and hosts; `down` names those that do not answer."""

    def __init__(self, world: World | None = None, down: tuple[str, ...] = ()) -> None:
        self.world = world or World("a", "b")
        self.down = down
        self.rows: dict[Address, Row] = {}
        self.instances: dict[Address, Instance] = {}

    def record(self, row: Row) -> None:
        self.rows[row.address] = row

    def want(
        self,
        where: str,
        *,
        needs: list[str] | None = None,
        lifecycle: Lifecycle | None = None,
        hosts: tuple[str, ...] = (),
        **body: Any,
    ) -> None:
        address = Address.parse(where)
        self.instances[address] = Instance(
            address,
            spec_of(address, body),
            address.host,
            hosts or (str(address.host),),
            HERE,
            tuple(Need(Address.parse(n), HERE) for n in needs or ()),
            lifecycle or Lifecycle(),
        )

    def stack(self) -> Stack:
        hosts = {m.name: Host(name=m.name, address="192.0.2.1") for m in self.world}
        return Stack("test", Path(), Path("stack.yaml"), "", hosts, {}, self.instances)

    def inputs(self, selection: Selection = NO_SELECTION, **more: Any) -> Inputs:
        """All that a plan is computed from; `more` are other fields of it."""
        stack = self.stack()
        recorded = revive(self.rows, KINDS)
        asks = merge_asks(asks_of_desired(self.instances, KINDS), asks_of_recorded(recorded, KINDS))
        facts = {
            machine.name: Facts(
                machine.facts(),
                {a.id: a.fact.answer(self.world, machine, a) for a in asks.get(machine.name, ())},  # type: ignore[attr-defined]
            )
            for machine in self.world
            if machine.name not in self.down
        }
        given = Inputs(
            stack, build_graph(stack, KINDS), recorded, facts, dict(stack.hosts), KINDS, seal, selection=selection
        )
        return replace(given, **more)

    def make(self, selection: Selection = NO_SELECTION, **more: Any) -> Plan:
        given = self.inputs(selection, **more)
        facts = given.facts
        statuses = {
            name: HostStatus(host, facts.get(name), "" if name in facts else "no route")
            for name, host in given.hosts.items()
        }
        return make_plan(given, lineage="l", serial=1, hosts=statuses)

    def plan(self) -> dict[str, Any]:
        return plan_json(self.make())


__all__ = ["HERE", "THING", "Observed", "Table", "row_of", "same_sha", "seal", "spec_of"]
