"""Single values, and daemons that load them."""

# ruff: noqa: ARG002 - a kind is handed more than it needs

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..address import Address
from ..contract import (
    Ask,
    Change,
    Claim,
    Desired,
    Disrupts,
    Observed,
    Provider,
    Spec,
    StackFiles,
    Step,
    Trigger,
    Unknown,
    View,
    Work,
)
from ..model import Action
from .questions import UNIT, VALUE, images, script, sha


class ThingSpec(Spec):
    """A value. `copy_of` takes the text from another key, which may not be known before apply."""

    key: str = ""
    text: str = ""
    mode: str | None = None
    copy_of: str | None = None
    secret: bool = False
    patience: float = 0.0
    irreversible: str = ""
    disrupts: Disrupts = "none"
    replace_on: tuple[str, ...] = ()
    invalidates: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    shared: bool = False


class Thing(Provider[ThingSpec]):
    """A value at a key, which is a path."""

    api = 2
    kind = "thing"
    spec = ThingSpec

    def resolve(self, spec: ThingSpec, files: StackFiles) -> ThingSpec:
        """The key defaults to the name; a body that names a secret is secret."""
        return spec.model_copy(
            update={"key": spec.key or f"/things/{files.name}", "secret": spec.secret or files.sensitive}
        )

    def claims(self, spec: ThingSpec) -> Sequence[Claim]:
        """Its path, and what it uses."""
        uses = [*spec.uses, *([f"path:{spec.copy_of}"] if spec.copy_of else [])]
        return [Claim(f"path:{spec.key}", "share" if spec.shared else "own"), *[Claim(u, "use") for u in uses]]

    def recorded(self, spec: ThingSpec) -> ThingSpec:
        """Without the text: its hash is among the attrs."""
        return spec.model_copy(update={"text": ""})

    def facts(self, spec: ThingSpec) -> Sequence[Ask]:
        """Its value, and the one it is a copy of."""
        asks = [Ask(VALUE, spec.key, sha(spec.text), spec.secret)]
        return [*asks, Ask(VALUE, spec.copy_of)] if spec.copy_of else asks

    def observe(self, view: View[ThingSpec]) -> Observed | None:
        """Text by hash, and mode."""
        value = view.facts.get(VALUE, view.spec.key)
        if value is None:
            return None
        text = value.get("text", "")
        attrs = {"text": value.get("sha") or sha(text), **({"mode": value["mode"]} if "mode" in value else {})}
        return Observed(attrs, {"size": len(text)}, {} if view.spec.secret else {"text": text})

    def desire(self, view: View[ThingSpec]) -> Desired:
        """The text, or that of the other key once it exists."""
        spec = view.spec
        text: Any = sha(spec.text)
        if spec.copy_of:
            other = view.facts.get(VALUE, spec.copy_of)
            text = Unknown(f"known once {spec.copy_of} exists") if other is None else sha(other["text"])
        return Desired(
            {"text": text, **({"mode": spec.mode} if spec.mode is not None else {})},
            texts={} if spec.secret or spec.copy_of else {"text": spec.text},
            sensitive=frozenset({"text"}) if spec.secret else frozenset(),
            replace_on=frozenset(spec.replace_on),
            irreversible=spec.irreversible,
            disrupts=spec.disrupts,
        )

    def invalidates(self, change: Change[ThingSpec]) -> Sequence[str]:
        """From the spec."""
        return change.spec.invalidates

    def patience(self, spec: ThingSpec) -> float:
        """From the spec."""
        return spec.patience

    def capture(self, work: Work[ThingSpec]) -> Step | None:
        """The current values."""
        keys = {c.address: c.spec.key for c in work.changes}
        secret = any(c.spec.secret for c in work.changes)
        return script(["print", *keys.values()], parse=images(keys, sensitive=secret, modes=()))

    def apply(self, work: Work[ThingSpec]) -> Sequence[Step]:
        """Write; a text is sent as a blob."""
        return [self._write(c) for c in work.changes]

    def _write(self, change: Change[ThingSpec]) -> Step:
        spec = change.spec
        fields = {"mode": spec.mode} if spec.mode is not None else {}
        if spec.copy_of:
            return script(["copy", spec.key, spec.copy_of], what=f"copying {spec.key}")
        return script(["write", spec.key, fields, {"text": "text"}], blobs={"text": spec.text.encode()})

    def undo(self, work: Work[ThingSpec]) -> Sequence[Step]:
        """The mirror: restore the previous values."""
        return [script(["restore", c.spec.key, work.images[c.address].data]) for c in reversed(work.changes)]


class DaemonSpec(Spec):
    """A daemon and what it reads."""

    unit: str = ""
    running: bool = True
    reads: tuple[str, ...] = ()
    reload_on: tuple[str, ...] = ()
    restart_on: tuple[str, ...] = ()
    disrupts: Disrupts = "none"


class Daemon(Provider[DaemonSpec]):
    """A daemon: it runs with the values that it has loaded, not with those on the disk."""

    api = 2
    kind = "daemon"
    spec = DaemonSpec

    def resolve(self, spec: DaemonSpec, files: StackFiles) -> DaemonSpec:
        """The unit defaults to the name."""
        return spec.model_copy(update={"unit": spec.unit or files.name})

    def claims(self, spec: DaemonSpec) -> Sequence[Claim]:
        """Its unit."""
        return [Claim(f"unit:{spec.unit}")]

    def daemon(self, spec: DaemonSpec) -> str:
        """Its unit."""
        return spec.unit

    def triggers(self, spec: DaemonSpec, address: Address) -> Sequence[Trigger]:
        """From the spec."""
        return [Trigger(s, "reload") for s in spec.reload_on] + [Trigger(s, "restart") for s in spec.restart_on]

    def needs(self, spec: DaemonSpec) -> Sequence[str]:
        """A trigger is an edge as well."""
        return [*spec.reload_on, *spec.restart_on]

    def facts(self, spec: DaemonSpec) -> Sequence[Ask]:
        """Its unit."""
        return [Ask(UNIT, spec.unit)]

    def observe(self, view: View[DaemonSpec]) -> Observed | None:
        """Whether it runs; None if the unit does not exist."""
        unit = view.facts.get(UNIT, view.spec.unit)
        return None if unit is None else Observed({"running": unit["running"]}, {"loaded": len(unit["loaded"])})

    def desire(self, view: View[DaemonSpec]) -> Desired:
        """Whether it should run."""
        effect = f"{'start' if view.spec.running else 'stop'} {view.spec.unit}"
        return Desired({"running": view.spec.running}, effect=effect, disrupts=view.spec.disrupts)

    def loads(self, change: Change[DaemonSpec]) -> bool:
        """A start loads everything."""
        was = change.observed is not None and change.observed.get("running")
        return change.spec.running and not was and change.action is not Action.ADOPT

    def capture(self, work: Work[DaemonSpec]) -> Step | None:
        """Whether it ran."""
        keys = {c.address: f"unit:{c.spec.unit}" for c in work.changes}
        return script(["print", *keys.values()], parse=images(keys))

    def apply(self, work: Work[DaemonSpec]) -> Sequence[Step]:
        """Start or stop."""
        return [self._to(c.spec, {"running": c.spec.running}) for c in work.changes]

    def undo(self, work: Work[DaemonSpec]) -> Sequence[Step]:
        """Restore the previous state; forget a unit that did not exist."""
        return [self._to(c.spec, work.images[c.address].data) for c in work.changes]

    def _to(self, spec: DaemonSpec, unit: Any) -> Step:
        if unit is None:
            return script(["forget", spec.unit])
        return script(["start", spec.unit, *spec.reads] if unit["running"] else ["stop", spec.unit])

    def trigger(self, work: Work[DaemonSpec], op: Any) -> Sequence[Step]:
        """Reload or restart it."""
        spec = work.changes[0].spec
        return [script([op, spec.unit, *spec.reads], disrupts=op)] if spec.running else []
