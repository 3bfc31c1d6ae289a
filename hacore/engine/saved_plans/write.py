"""Saving a plan: the loaded stack, the state and the facts the plan was made from, and the plan itself.

What is not secret is saved in full, with rendered contents, so that an apply does what was planned
even if the stack file has changed. An instance with anything secret is saved only as a keyed HMAC: an
apply loads it again, with the values it is given, and compares. The key is the state's; where the
state has none yet, one is made in a file beside the plan.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import PlanError
from ...load.stack import Instance, Stack
from ...model import JSON, canonical, digest
from ...plan import Plan
from ...plan.saved_format import plan_to_json
from ...store import host_to_json, lifecycle_to_json, row_to_json
from ...store.keys import Key, find, key_file, make, put_aside
from ...store.place import Place
from ...urls import url_secrets
from ..request import Request
from ..results import Planned
from .file import write_plan

GONE = "gone"  # in place of the checksum of a missing file


def beside(path: Path) -> Path:
    """The key file of a plan that was made before its state had a key."""
    return path.with_name(path.name + ".key")


@dataclass
class PlanSeal:
    """The HMAC of sensitive values in a plan's file. The key is looked up when it is first needed."""

    state: str
    path: Path
    made: Path | None = None
    _key: Key | None = field(default=None, repr=False)

    @property
    def key_id(self) -> str:
        """The key that was used; empty when none was."""
        return "" if self._key is None else self._key.id

    def __call__(self, value: str) -> str:
        """`hmac:<hex>` of a value's text."""
        if self._key is None:
            self._key = self._find()
        return self._key.hmac(value)

    def _find(self) -> Key:
        own = beside(self.path)
        for file in (key_file(Place.parse(self.state).path), own):
            ring = find(file, "")
            if ring.key is not None:
                return ring.key
        put_aside(own)
        self.made = own
        return make(own)


@dataclass(frozen=True, slots=True)
class SavedAs:
    """Where a plan was saved; `key`: a key that was made for it and must be moved with the plan."""

    path: Path
    key: Path | None = None


def save_plan(planned: Planned, request: Request, path: Path, *, redact: Callable[[Any], Any]) -> SavedAs:
    """Write a plan's file. `redact` removes secrets from text that is only shown: notes, warnings, reasons.

    Raises PlanError for a plan that cannot be saved, UsageError for a place where none can be.
    """
    stack, made = planned.stack, planned.plan
    seal = PlanSeal(stack.state, path.absolute())
    plan = plan_to_json(made, seal)
    plan.update({key: redact(plan[key]) for key in ("notes", "health", "warnings")})
    for change in (*plan["changes"], *plan["quiet"]):
        change.update({name: redact(change[name]) for name in ("reason", "effect", "irreversible")})
    content = {
        "made": time.time(),
        "who": request.means.who,
        "stack": _stack(stack, made, request, seal),
        "rows": {str(address): digest(row_to_json(row)) for address, row in sorted(planned.rows.items())},
        "plan": plan,
    }
    content["key"] = seal.key_id
    write_plan(path, content, find(key_file(Place.parse(stack.state).path), "").key)
    old = path.with_name(path.name + ".sig")
    old.unlink(missing_ok=True)  # of the plan that was there before
    return SavedAs(path, seal.made)


def _stack(stack: Stack, made: Plan, request: Request, seal: PlanSeal) -> dict[str, JSON]:
    open_variables = {k: v for k, v in stack.variables.items() if k not in stack.sensitive_variables}
    return {
        "name": stack.name,
        "file": str(stack.file),
        "state": "" if url_secrets(stack.state) else stack.state,
        "env": request.load.env_name,
        "digest": stack.digest,
        "hosts": {n: host_to_json(h) for n, h in stack.hosts.items()},
        "switched_off": sorted(str(address) for address in stack.switched_off),
        "variables": open_variables,
        "sensitive_variables": sorted(stack.sensitive_variables),
        "secrets": {n: seal(canonical(stack.variables[n])) for n in sorted(stack.sensitive_variables)}
        if any(_is_secret(i, made, request) for i in stack.instances.values())
        else {},
        "sensitive_outputs": sorted(stack.sensitive_outputs),
        "instances": [_instance(i, stack, made, request, seal) for i in stack.instances.values()],
    }


def _instance(instance: Instance, stack: Stack, made: Plan, request: Request, seal: PlanSeal) -> dict[str, JSON]:
    secret = _is_secret(instance, made, request)
    data = spec_json(instance)
    if not secret and request.means.providers[instance.address.kind].spec.model_validate(data) != instance.spec:
        raise PlanError(f"cannot save the plan: a spec of the kind {instance.address.kind} cannot be read back")
    sums = {path: checksum(stack.file.parent, path) for path in instance.files}
    at = instance.position
    return {
        "address": str(instance.address),
        "hosts": list(instance.hosts),
        "position": [at.file, at.line, at.column],
        "needs": [
            [str(n.selector), n.why, [n.position.file, n.position.line, n.position.column]] for n in instance.needs
        ],
        "lifecycle": lifecycle_to_json(instance.lifecycle),
        "sensitive": sorted(instance.sensitive),
        "files": {path: seal(text) if secret else text for path, text in sums.items()},
        **({"sealed": sealed_spec(instance, seal)} if secret else {"spec": data}),
    }


def spec_json(instance: Instance) -> JSON:
    """The whole spec, with the contents of files in it."""
    return instance.spec.model_dump(mode="json", exclude_defaults=True)


def sealed_spec(instance: Instance, seal: Callable[[str], str]) -> str:
    """The HMAC of a whole spec."""
    return seal(canonical(spec_json(instance)))


def checksum(folder: Path, path: str) -> str:
    """The SHA-256 of a file of the stack's folder, hex; GONE when it is missing."""
    try:
        with (folder / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return GONE


def _is_secret(instance: Instance, made: Plan, request: Request) -> bool:
    """Whether an instance has anything secret: by its expressions, or because its resource is marked so."""
    if instance.sensitive or made.secrets.get(instance.address):
        return True
    if instance.address in made.observed:
        return False
    return any(ask.secret for ask in request.means.providers[instance.address.kind].facts(instance.spec))


__all__ = ["GONE", "PlanSeal", "SavedAs", "beside", "checksum", "save_plan", "sealed_spec", "spec_json"]
