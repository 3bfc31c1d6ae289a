"""New addresses for recorded resources: rows, their edges and marks, and the journal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from ..address import Address
from ..errors import UsageError
from ..model import JSON, Row
from ..store import TaskRecord, row_from_json, row_to_json

Named = Callable[[Address, JSON], Collection[str]]


def _nothing(_address: Address, _spec: JSON) -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Renaming:
    """Addresses by their new ones, and hosts by their new names. What is in neither keeps its own.

    `recorded`: all recorded ones. `named` returns the strings of a recorded spec are addresses or selectors,
    such as what a daemon is reloaded for: these follow, too.
    """

    addresses: Mapping[Address, Address]
    hosts: Mapping[str, str] = field(default_factory=dict)
    recorded: Collection[Address] = ()
    named: Named = _nothing

    def text(self, address: str) -> str:
        """An address as it is written in a record."""
        return str(self.address(Address.parse(address)))

    def address(self, address: Address) -> Address:
        """One address; on a renamed host also one that is no longer recorded."""
        found = self.addresses.get(address)
        if found is not None:
            return found
        return address if address.host is None else replace(address, host=self.host(address.host))

    def host(self, name: str) -> str:
        """One host."""
        return self.hosts.get(name, name)

    def selector(self, text: str) -> str:
        """A selector for the new addresses of all that this one selects; unchanged if there is none."""
        old = Address.parse(text)
        covered = [address for address in self.recorded if old.selects(address)]
        first = next((self.addresses[address] for address in covered if address in self.addresses), None)
        if first is None:
            return self.text(text)
        key, host = None if old.key is None else first.key, None if old.host is None else first.host
        new = Address(first.kind, first.name, key, host)
        return str(new) if all(new.selects(self.address(address)) for address in covered) else text

    def spec(self, address: Address, spec: JSON) -> JSON:
        """The recorded spec of an address by its former name."""
        others = {text: self.selector(text) for text in self.named(address, spec)}
        return _replaced(spec, others)

    def row(self, row: Row) -> Row:
        """A row: its address, hosts, needs and marks. The image of its origin stays the same."""
        address = self.address(row.address)
        moved = address.host is not None and address.host != row.address.host
        return replace(
            row,
            address=address,
            spec=self.spec(row.address, row.spec),
            hosts=(address.host,) if moved and address.host else tuple(self.host(name) for name in row.hosts),
            needs=tuple(sorted(map(self.text, row.needs))),
            loaded={self.text(source): mark for source, mark in row.loaded.items()},
        )

    def task(self, task: TaskRecord) -> TaskRecord:
        """A task of the journal, with its images and the rows that its undo restores.

        Raises UsageError for a task that would then be on two hosts.
        """
        addresses = tuple(map(self.text, task.addresses))
        return replace(
            task,
            addresses=addresses,
            host=self._host_of(task, addresses),
            payload=self._payload(task.payload),
            images={self.text(address): number for address, number in task.images.items()},
            before={self.text(address): self._before(row) for address, row in task.before.items()},
        )

    def _host_of(self, task: TaskRecord, addresses: tuple[str, ...]) -> str | None:
        if task.host is None:
            return None
        hosts = {Address.parse(address).host for address in addresses} - {None}
        if len(hosts) > 1:
            together = ", ".join(task.addresses)
            raise UsageError(
                f"cannot move to another host: run {task.run} changed {together} together; move all of them, "
                "or rename the host with `hacore state mv --host`"
            )
        return hosts.pop() if hosts else self.host(task.host)

    def _payload(self, payload: JSON) -> JSON:
        changes = [
            {
                **change,
                "address": self.text(change["address"]),
                "spec": self.spec(Address.parse(change["address"]), change["spec"]),
                "hosts": self._hosts_of(change),
                "inherits": self.text(change["inherits"]) if change.get("inherits") else None,
            }
            for change in payload.get("changes", ())
        ]
        also = {name: list(map(self.text, payload[name])) for name in ("sources", "guarded") if name in payload}
        moved = {**payload, "changes": changes, **also}
        if "restores" in payload:
            moved["restores"] = {self.text(address): number for address, number in payload["restores"].items()}
        if "rows" in payload:
            moved["rows"] = self.rows(payload["rows"])
        return moved

    def rows(self, rows: Mapping[str, JSON | None]) -> dict[str, JSON | None]:
        """Rows as JSON by address: those that a rollback's task restores, those that a run only rewrote."""
        return {self.text(address): self._before(row) for address, row in rows.items()}

    def _hosts_of(self, change: JSON) -> list[str]:
        old = Address.parse(change["address"])
        new = self.address(old)
        if new.host is not None and new.host != old.host:
            return [new.host]
        return [self.host(name) for name in change["hosts"]]

    def _before(self, row: JSON | None) -> JSON | None:
        return None if row is None else row_to_json(self.row(row_from_json(row)))


def _replaced(value: JSON, others: Mapping[str, str]) -> JSON:
    if isinstance(value, dict):
        return {key: _replaced(item, others) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, others) for item in value]
    return others.get(value, value) if isinstance(value, str) else value


__all__ = ["Named", "Renaming"]
