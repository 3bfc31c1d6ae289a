"""VRRP instances of a keepalived.conf that somebody else wrote, as specs of vrrp_instance.

A value that keepalived would not take is left at its default and reported as a problem; the rules then see the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..keepalived import Document, Place, Statement
from .spec import (
    Authentication,
    Notify,
    TrackFile,
    TrackInterface,
    TrackProcess,
    TrackScript,
    Unicast,
    VirtualAddress,
    VrrpInstanceSpec,
)

__all__ = ["TRACKERS", "FoundInstance", "Problem", "found_instances"]

SCOPES = ("site", "link", "host", "nowhere", "global")
TRACKERS: Mapping[str, tuple[str, ...]] = {
    "track_script": ("vrrp_script",),
    "track_file": ("vrrp_track_file", "track_file"),
    "track_process": ("vrrp_track_process",),
}
"""The keyword that names trackers in an instance, and the blocks that define them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that keepalived does not take; `rule` names the kind."""

    rule: str
    message: str
    at: Place


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """A vrrp_instance block: its spec, and where each field of the spec is written.

    `spec` is None without virtual_router_id, which is the only thing that keepalived cannot do without.
    """

    name: str
    statement: Statement
    spec: VrrpInstanceSpec | None
    places: Mapping[str, Place]
    problems: tuple[Problem, ...] = ()

    def place(self, field_name: str) -> Place:
        """Where a field is written: itself, the field that contains it, or the instance."""
        parts = field_name.split(".")
        while parts:
            if ".".join(parts) in self.places:
                return self.places[".".join(parts)]
            parts.pop()
        return self.statement.at


def found_instances(document: Document) -> list[FoundInstance]:
    """All vrrp_instance blocks of a configuration, in their order."""
    return [_Reading(document, statement).result() for statement in document.all("vrrp_instance")]


@dataclass(slots=True)
class _Reading:
    """One instance while it is read."""

    document: Document
    statement: Statement
    places: dict[str, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def result(self) -> FoundInstance:
        values = dict(self._values())
        known = {key: value for key, value in values.items() if value is not None}
        name = self.statement.value
        spec = None
        if "virtual_router_id" in known:
            spec = VrrpInstanceSpec(name=name, **({"interface": "", "addresses": ()} | known))
        else:
            self._tell(
                "no-router-id",
                f"vrrp_instance {name} has no virtual_router_id, which keepalived requires",
                self.statement.at,
            )
        return FoundInstance(name, self.statement, spec, self.places, tuple(self.problems))

    def _values(self) -> Iterator[tuple[str, Any]]:
        yield "interface", self._word("interface", "interface")
        yield "virtual_router_id", self._number("virtual_router_id", "virtual_router_id", int, 1, 255)
        yield "priority", self._number("priority", "priority", int, 1, 255)
        yield "state", self._state()
        yield "version", self._number("version", "version", int, 2, 3)
        yield "advert_interval", self._number("advert_int", "advert_interval", float, 0.01, 255)
        yield "authentication", self._authentication()
        if self._at("preempt", "nopreempt") is not None:
            yield "preempt", False
        yield "preempt_delay", self._number("preempt_delay", "preempt_delay", float, 0, 1000)
        yield "unicast", self._unicast()
        yield "unicast_src_ip", self._word("unicast_src_ip", "unicast_src_ip")
        yield "addresses", self._addresses("virtual_ipaddress", "addresses")
        yield "track_scripts", self._trackers("track_script", "track_scripts", _script)
        yield "track_files", self._trackers("track_file", "track_files", _file)
        yield "track_processes", self._trackers("track_process", "track_processes", _process)
        yield "track_interfaces", self._interfaces()
        yield "notify", self._notify()
        yield "globals", self._globals()
        yield "router_id", self._router_name()

    def _at(self, field_name: str, *keywords: str) -> Statement | None:
        found = self.statement.last(*keywords)
        if found is not None:
            self.places[field_name] = found.at
        return found

    def _tell(self, rule: str, message: str, at: Place) -> None:
        self.problems.append(Problem(rule, message, at))

    def _word(self, keyword: str, field_name: str) -> str | None:
        found = self._at(field_name, keyword)
        return found.value or None if found is not None else None

    def _number(
        self, keyword: str, field_name: str, kind: type[int] | type[float], least: float, most: float
    ) -> float | None:
        found = self._at(field_name, keyword)
        if found is None:
            return None
        try:
            value = kind(found.value)
        except ValueError:
            self._tell("not-a-number", f"{keyword} is {found.value!r}: it must be a number", found.at)
            return None
        if not least <= value <= most:
            self._tell("out-of-range", f"{keyword} is {found.value}: it must be {least:g} to {most:g}", found.at)
            return None
        return value

    def _state(self) -> Literal["MASTER", "BACKUP"] | None:
        found = self._at("state", "state")
        if found is None:
            return None
        if found.value == "MASTER":
            return "MASTER"
        if found.value == "BACKUP":
            return "BACKUP"
        self._tell(
            "state-word",
            f"state is {found.value!r}: keepalived knows MASTER and BACKUP only, and takes BACKUP for all else",
            found.at,
        )
        return None

    def _authentication(self) -> Authentication | None:
        block = self._at("authentication", "authentication")
        if block is None or block.block is None:
            return None
        kind, password = block.last("auth_type"), block.last("auth_pass")
        if kind is None or password is None:
            return None
        self.places["authentication.password"] = password.at
        self.places["authentication.type"] = kind.at
        if kind.value == "AH":
            return Authentication(type="AH", password=password.value)
        if kind.value != "PASS":
            self._tell("auth-type", f"auth_type is {kind.value!r}: it must be PASS or AH", kind.at)
        return Authentication(type="PASS", password=password.value)

    def _unicast(self) -> Unicast | None:
        block = self._at("unicast", "unicast_peer")
        if block is None or not block.block:
            return None  # an empty list is multicast to keepalived
        return Unicast(peers=tuple(inner.keyword for inner in block.block))

    def _addresses(self, keyword: str, field_name: str) -> tuple[VirtualAddress, ...] | None:
        found: list[VirtualAddress] = []
        for block in self.statement.all(keyword):
            self.places.setdefault(field_name, block.at)
            for entry in block.block or ():
                options = dict(zip(entry.values[::1], entry.values[1:], strict=False))
                found.append(
                    VirtualAddress.model_construct(
                        address=entry.keyword,
                        dev=options.get("dev"),
                        label=options.get("label"),
                        scope=options["scope"] if options.get("scope") in SCOPES else None,
                    )
                )
        return tuple(found) or None

    def _trackers(self, keyword: str, field_name: str, make: Callable[[Statement], Any]) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        for block in self.statement.all(keyword):
            for entry in block.block or ():
                definition = next(
                    (d for d in self.document.all(*TRACKERS[keyword]) if d.value == entry.keyword and d.block), None
                )
                if definition is None:
                    continue  # reported by a rule of its own
                tracker = make(definition)
                own = _option(entry, "weight")
                if own is not None:
                    tracker = tracker.model_copy(update={"weight": own})
                weight = definition.last("weight")
                self.places[f"{field_name}.{entry.keyword}"] = entry.at
                self.places[f"{field_name}.{entry.keyword}.weight"] = (
                    entry.at if own is not None or weight is None else weight.at
                )
                found[entry.keyword] = tracker
        return found or None

    def _interfaces(self) -> dict[str, TrackInterface] | None:
        found: dict[str, TrackInterface] = {}
        for block in self.statement.all("track_interface"):
            for entry in block.block or ():
                self.places[f"track_interfaces.{entry.keyword}"] = entry.at
                found[entry.keyword] = TrackInterface(weight=_option(entry, "weight") or 0)
        return found or None

    def _notify(self) -> Notify | None:
        given: dict[str, str] = {}
        for name, keyword in (("any", "notify"), *((k, f"notify_{k}") for k in ("master", "backup", "fault", "stop"))):
            found = self._at(f"notify.{name}", keyword)
            if found is not None and found.value:
                given[name] = found.value
        return Notify(**given) if given else None

    def _globals(self) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        for block in self.document.all("global_defs"):
            version = block.last("vrrp_version")
            if version is not None and version.value in ("2", "3"):
                found["vrrp_version"] = int(version.value)
            if block.last("vrrp_strict") is not None:
                found["vrrp_strict"] = True
        return found or None

    def _router_name(self) -> str | None:
        found = [named for block in self.document.all("global_defs") for named in block.all("router_id")]
        if not found:
            return None
        self.places["router_id"] = found[-1].at
        return found[-1].value


def _option(entry: Statement, name: str) -> int | None:
    """The number after a word of an entry, as in `chk weight -5`."""
    words = entry.values
    if name not in words[:-1]:
        return None
    try:
        return int(words[words.index(name) + 1])
    except ValueError:
        return None


def _integer(block: Statement, keyword: str, default: int | None = None) -> int | None:
    found = block.last(keyword)
    try:
        return int(found.value) if found is not None else default
    except ValueError:
        return default


def _decimal(block: Statement, keyword: str) -> float | None:
    found = block.last(keyword)
    try:
        return float(found.value) if found is not None else None
    except ValueError:
        return None


def _script(block: Statement) -> TrackScript:
    command = block.last("script")
    user = block.last("user")
    return TrackScript(
        script=" ".join(command.values) if command is not None else "",
        interval=_decimal(block, "interval") or 1,
        timeout=_decimal(block, "timeout"),
        weight=_integer(block, "weight") or 0,
        rise=_integer(block, "rise"),
        fall=_integer(block, "fall"),
        user=" ".join(user.values) if user is not None else None,
    )


def _file(block: Statement) -> TrackFile:
    path = block.last("file")
    return TrackFile(
        file=path.value if path is not None else "",
        weight=_integer(block, "weight", 1) or 0,
        init_file=_integer(block, "init_file"),
    )


def _process(block: Statement) -> TrackProcess:
    process = block.last("process")
    return TrackProcess(
        process=" ".join(process.values) if process is not None else "",
        weight=_integer(block, "weight") or 0,
        quorum=_integer(block, "quorum"),
        delay=_decimal(block, "delay"),
    )
