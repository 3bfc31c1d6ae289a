"""A saved plan, read back: its stack, and what has changed since the plan was made.

The stack is rebuilt from the file. Its secret parts are loaded again from the stack's own files, with
the values given now, and must match their HMACs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...address import Address
from ...contract import Provider, Spec
from ...errors import PlanError, UsageError
from ...load.registry import why_missing
from ...load.stack import Instance, Need, Position, Stack
from ...model import canonical
from ...plan import Plan, Seal
from ...plan.differences import Difference
from ...plan.saved_format import plan_from_json
from ...store import host_from_json, lifecycle_from_json
from ...store.keys import Key, find, key_file
from ...store.place import Place
from ..planning import load_stack
from ..request import Request
from ..snapshot import no_key
from .file import PlanFile, read_plan
from .write import GONE, beside, checksum, sealed_spec


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan's file and its content; `made` is Unix time in seconds."""

    file: PlanFile
    made: float
    who: str
    plan: Plan
    content: Mapping[str, Any] = field(repr=False)

    @property
    def path(self) -> Path:
        """The file, by the name that the user gave."""
        return self.file.path

    @property
    def id(self) -> str:
        """The name of its content."""
        return self.file.id

    @property
    def stack(self) -> Mapping[str, Any]:
        """The stack as saved."""
        found: Mapping[str, Any] = self.content["stack"]
        return found

    @property
    def state(self) -> str:
        """The URL of its state; empty when it has a password, which is not saved."""
        return str(self.stack["state"])

    @property
    def secret(self) -> tuple[Address, ...]:
        """The addresses that must be loaded again."""
        return tuple(Address.parse(i["address"]) for i in self.stack["instances"] if "sealed" in i)


def load_plan(path: Path) -> SavedPlan:
    """Read a plan's file and nothing else. Raises PlanError with what to do."""
    file, content = read_plan(path)
    try:
        plan = plan_from_json(content["plan"])
        return SavedPlan(file, float(content["made"]), str(content["who"]), plan, content)
    except (KeyError, TypeError, ValueError, StopIteration, UsageError) as error:
        raise PlanError(f"cannot read the plan {path}: missing or invalid field: {error}") from error


def stack_of(saved: SavedPlan, request: Request, state: str) -> tuple[Stack, list[Difference]]:
    """The planned stack, and the parts of it that have changed or are missing.

    `state` is the URL of the state. Raises PlanError without the plan's key or a kind's provider,
    StackError when values are missing that the secret parts need.
    """
    _check_variables(saved, request)
    if not saved.secret:
        return _rebuilt(saved, request, state, {}), list(_changed_files(saved, None))
    key = key_of(saved, state)
    fresh = _load_again(saved, request)
    taken: dict[Address, Instance] = {}
    different = []
    sealed = {Address.parse(i["address"]): i["sealed"] for i in saved.stack["instances"] if "sealed" in i}
    wrong = _other_values(saved, fresh, key)
    for address, mark in sealed.items():
        instance = fresh.instances.get(address)
        if instance is None:
            different.append(
                Difference(str(address), "is no longer in the stack, from which its sensitive values are read")
            )
        elif sealed_spec(instance, key.hmac) != mark:
            different.append(Difference(str(address), wrong))
        else:
            taken[address] = instance
    files = [d for d in _changed_files(saved, key) if d.address not in {other.address for other in different}]
    stack = _rebuilt(saved, request, state, taken)
    return replace(stack, secrets=fresh.secrets), [*different, *files]


def seal_of(saved: SavedPlan, state: str) -> Seal:
    """The HMAC of the plan's file; one that equals nothing if the file has no sealed value."""
    return key_of(saved, state).hmac if saved.content["key"] else no_key


def key_of(saved: SavedPlan, state: str) -> Key:
    """The key of the sealed values in the file. Raises PlanError that names where it should be."""
    wanted = str(saved.content["key"])
    for file in (key_file(Place.parse(state).path), beside(saved.path.absolute())):
        ring = find(file, wanted)
        if ring.key is not None:
            return ring.key
    raise PlanError(
        f"cannot apply {saved.path}: the key of its sensitive values is missing; restore {beside(saved.path)}, "
        "the state's key file or HACORE_KEY, whichever was in use when the plan was made"
    )


def _check_variables(saved: SavedPlan, request: Request) -> None:
    """Raise UsageError for a --var that contradicts a saved plan."""
    known: Mapping[str, Any] = saved.stack["variables"]
    for name, text in request.load.variables.items():
        if name in known and text != _text(known[name]):
            raise UsageError(
                f"cannot set --var {name} with a saved plan: it was made with {_text(known[name])!r}; "
                "give only sensitive variables"
            )
        if name not in known and name not in saved.stack["sensitive_variables"]:
            raise UsageError(f"cannot set --var {name} with a saved plan: its stack has no such variable")


def _load_again(saved: SavedPlan, request: Request) -> Stack:
    """The stack from its files, with the plan's variables, and sensitive ones as given now."""
    known: Mapping[str, Any] = saved.stack["variables"]
    variables = {name: _text(value) for name, value in known.items() if value is not None}
    given = {**request.load.variables, **variables}
    try:
        return load_stack(replace(request, load=replace(request.load, variables=given, env_name=saved.stack["env"])))
    except UsageError as error:
        raise PlanError(f"cannot read the sensitive values of {saved.path} from its stack: {error}") from error


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _other_values(saved: SavedPlan, fresh: Stack, key: Key) -> str:
    """Why a secret spec differs: which variables, if any."""
    marks: Mapping[str, str] = saved.stack["secrets"]
    names = [n for n, mark in marks.items() if key.hmac(canonical(fresh.variables.get(n))) != mark]
    if names:
        return f"a sensitive value differs from the planned one: {', '.join(f'var.{n}' for n in names)}"
    return "sensitive content differs from the plan: a value, a template or the resource itself has changed"


def _changed_files(saved: SavedPlan, key: Key | None) -> Iterator[Difference]:
    """Sources and patches that have changed."""
    folder = Path(saved.stack["file"]).parent
    now: dict[str, str] = {}
    for instance in saved.stack["instances"]:
        for path, mark in instance["files"].items():
            if path not in now:
                now[path] = checksum(folder, path)
            found = key.hmac(now[path]) if key is not None and "sealed" in instance else now[path]
            if found != mark:
                what = "is missing" if now[path] == GONE else "has changed"
                yield Difference(instance["address"], f"its source {path} {what}")
                break


def _rebuilt(saved: SavedPlan, request: Request, state: str, taken: Mapping[Address, Instance]) -> Stack:
    data = saved.stack
    file = Path(data["file"])
    instances = {}
    for item in data["instances"]:
        address = Address.parse(item["address"])
        if "sealed" not in item:
            instances[address] = _instance(item, _spec(address, item["spec"], request.means.providers))
        elif address in taken:
            instances[address] = _instance(item, taken[address].spec)
    return Stack(
        name=data["name"],
        folder=file.parent,
        file=file,
        state=state,
        hosts={name: host_from_json(host) for name, host in data["hosts"].items()},
        groups={},
        instances=instances,
        switched_off=frozenset(Address.parse(a) for a in data["switched_off"]),
        outputs={**saved.plan.outputs, **dict.fromkeys(data["sensitive_outputs"])},
        sensitive_outputs=frozenset(data["sensitive_outputs"]),
        digest=data["digest"],
    )


def _spec(address: Address, data: Any, providers: Mapping[str, Provider[Any]]) -> Spec:
    provider = providers.get(address.kind)
    if provider is None:
        raise PlanError(f"cannot apply {address}: {why_missing(providers, address.kind)}")
    try:
        return provider.spec.model_validate(data)
    except ValueError as error:
        raise PlanError(f"cannot read the planned {address}: {error}") from error


def _instance(item: Mapping[str, Any], spec: Spec) -> Instance:
    address = Address.parse(item["address"])
    return Instance(
        address=address,
        spec=spec,
        host=address.host,
        hosts=tuple(item["hosts"]),
        position=_position(item["position"]),
        needs=tuple(Need(Address.parse(selector), _position(at), why) for selector, why, at in item["needs"]),
        lifecycle=lifecycle_from_json(item["lifecycle"]),
        sensitive=frozenset(item["sensitive"]),
        files=tuple(item["files"]),
    )


def _position(data: Sequence[Any]) -> Position:
    file, line, column = data
    return Position(str(file), int(line), int(column))


__all__ = ["SavedPlan", "key_of", "load_plan", "seal_of", "stack_of"]
