"""Kinds for machines in memory: small, but each with one of the traits that real kinds have.

thing    a value at a path: found and restored, secret, unknown, irreversible, disrupting, patient
pack     packages, aggregated over all resources of a host, several names shared
conf     a section of a file that is one task for all of its sections
daemon   loads what it reads when it starts, reloads or restarts
gate     one of several hosts that serve together: guarded
shared   one instance over all hosts: exactly one of them must hold a name
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..address import Address
from ..contract import (
    Ask,
    Change,
    Check,
    Claim,
    Desired,
    Disrupts,
    Guard,
    Image,
    Observed,
    Output,
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
from .machine import Machine
from .world import World


def sha(text: str) -> str:
    """A text as an attr has it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def script(*operations: Sequence[Any], **more: Any) -> Step:
    """A step of operations."""
    return Step(json.dumps(operations), **more)


@dataclass(frozen=True)
class Question:
    """What machines in memory can be asked: `value` of a key, `unit`, or whether it `holds` a name."""

    name: str

    def command(self, asks: Sequence[Ask]) -> str:
        """Nothing for a shell."""
        return ":"

    def parse(self, stdout: bytes) -> Mapping[str, Any]:
        """Nothing from a shell."""
        return {}

    def answer(self, world: World, machine: Machine, ask: Ask) -> Any:
        """The answer; a secret value comes as its hash only."""
        if self.name == "holds":
            return world.holder(ask.arg) == machine.name
        if self.name == "unit":
            return machine.units.get(ask.arg)
        value = machine.data.get(ask.arg)
        if value is not None and ask.secret:
            return {**value, "text": "", "sha": sha(value.get("text", ""))}
        return value


VALUE = Question("value")
UNIT = Question("unit")
HOLDS = Question("holds")


def _images(key_of: Mapping[Address, str], *, sensitive: bool = False) -> Any:
    def parse(output: Output) -> dict[Address, Image]:
        found = json.loads(output.stdout or b"{}")
        return {address: Image(data=found.get(key), sensitive=sensitive) for address, key in key_of.items()}

    return parse


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

    kind = "thing"
    spec = ThingSpec

    def resolve(self, spec: ThingSpec, files: StackFiles) -> ThingSpec:
        """The key defaults to the name; what names a secret is one."""
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
        """The text, or that of the other key once it is there."""
        spec = view.spec
        text: Any = sha(spec.text)
        if spec.copy_of:
            other = view.facts.get(VALUE, spec.copy_of)
            text = Unknown(f"known once {spec.copy_of} is there") if other is None else sha(other["text"])
        return Desired(
            {"text": text, **({"mode": spec.mode} if spec.mode is not None else {})},
            texts={} if spec.secret or spec.copy_of else {"text": spec.text},
            sensitive=frozenset({"text"}) if spec.secret else frozenset(),
            replace_on=frozenset(spec.replace_on),
            irreversible=spec.irreversible,
            disrupts=spec.disrupts,
        )

    def invalidates(self, change: Change[ThingSpec]) -> Sequence[str]:
        """As the spec says."""
        return change.spec.invalidates

    def patience(self, spec: ThingSpec) -> float:
        """As the spec says."""
        return spec.patience

    def capture(self, work: Work[ThingSpec]) -> Step | None:
        """The values as they are."""
        keys = {c.address: c.spec.key for c in work.changes}
        secret = any(c.spec.secret for c in work.changes)
        return script(["print", *keys.values()], parse=_images(keys, sensitive=secret))

    def apply(self, work: Work[ThingSpec]) -> Sequence[Step]:
        """Write; a text travels as a blob."""
        return [self._write(c) for c in work.changes]

    def _write(self, change: Change[ThingSpec]) -> Step:
        spec = change.spec
        fields = {"mode": spec.mode} if spec.mode is not None else {}
        if spec.copy_of:
            return script(["copy", spec.key, spec.copy_of], what=f"copying {spec.key}")
        return script(["write", spec.key, fields, {"text": "text"}], blobs={"text": spec.text.encode()})

    def undo(self, work: Work[ThingSpec]) -> Sequence[Step]:
        """The mirror: what was there comes back."""
        return [script(["restore", c.spec.key, work.images[c.address].data]) for c in reversed(work.changes)]


class PackSpec(Spec):
    """Packages."""

    names: tuple[str, ...] = ()


class Pack(Provider[PackSpec]):
    """Packages: one task for all resources of a level, as apt would have it."""

    kind = "pack"
    spec = PackSpec

    def claims(self, spec: PackSpec) -> Sequence[Claim]:
        """Each name, shared."""
        return [Claim(f"pkg:{name}", "share") for name in spec.names]

    def aggregate(self, spec: PackSpec) -> str | None:
        """One for all."""
        return "packs"

    def exclusive(self, spec: PackSpec) -> str | None:
        """One at a time."""
        return "packs"

    def facts(self, spec: PackSpec) -> Sequence[Ask]:
        """Each name."""
        return [Ask(VALUE, f"pkg:{name}") for name in spec.names]

    def observe(self, view: View[PackSpec]) -> Observed | None:
        """Those that are installed; None when none is."""
        have = [n for n in view.spec.names if view.facts.get(VALUE, f"pkg:{n}") is not None]
        return Observed(dict.fromkeys(have, "installed")) if have else None

    def desire(self, view: View[PackSpec]) -> Desired:
        """All of them."""
        return Desired(dict.fromkeys(view.spec.names, "installed"))

    def capture(self, work: Work[PackSpec]) -> Step | None:
        """Which ones are there before."""
        names = {c.address: c.spec.names for c in work.changes}
        every = sorted({f"pkg:{n}" for c in work.changes for n in c.spec.names})

        def parse(output: Output) -> dict[Address, Image]:
            found = json.loads(output.stdout or b"{}")
            return {a: Image([n for n in mine if f"pkg:{n}" in found]) for a, mine in names.items()}

        return script(["print", *every], parse=parse)

    def apply(self, work: Work[PackSpec]) -> Sequence[Step]:
        """All at once."""
        return [script(["install", *sorted({n for c in work.changes for n in c.spec.names})])]

    def undo(self, work: Work[PackSpec]) -> Sequence[Step]:
        """Those that were not there go, but not what others hold."""
        before = {n for image in work.images.values() for n in image.data or ()}
        mine = {n for c in work.changes for n in c.spec.names}
        held = {t.removeprefix("pkg:") for t in work.foreign}
        gone = sorted(mine - before - held)
        return [script(["remove", *gone])] if gone else []


class ConfSpec(Spec):
    """A section of a file."""

    path: str
    name: str = ""
    text: str = ""


class Conf(Provider[ConfSpec]):
    """Sections of a file: the file is written whole, by one task."""

    kind = "conf"
    spec = ConfSpec

    def claims(self, spec: ConfSpec) -> Sequence[Claim]:
        """The file, shared with the other sections; the section is one's own."""
        return [Claim(f"path:{spec.path}", "share"), Claim(f"section:{spec.path}/{spec.name}")]

    def resolve(self, spec: ConfSpec, files: StackFiles) -> ConfSpec:
        """The section has the resource's name."""
        return spec.model_copy(update={"name": spec.name or files.name})

    def aggregate(self, spec: ConfSpec) -> str | None:
        """The file."""
        return f"path:{spec.path}"

    def facts(self, spec: ConfSpec) -> Sequence[Ask]:
        """The file."""
        return [Ask(VALUE, spec.path)]

    def observe(self, view: View[ConfSpec]) -> Observed | None:
        """The section's text; None when it is not in the file."""
        value = view.facts.get(VALUE, view.spec.path) or {}
        sections = value.get("sections", {})
        name = view.spec.name
        return Observed({"text": sections[name]}) if name in sections else None

    def desire(self, view: View[ConfSpec]) -> Desired:
        """The section's text."""
        return Desired({"text": view.spec.text})

    def capture(self, work: Work[ConfSpec]) -> Step | None:
        """The whole file, for each section."""
        keys = {c.address: c.spec.path for c in work.changes}
        return script(["print", *sorted(set(keys.values()))], parse=_images(keys))

    def apply(self, work: Work[ConfSpec]) -> Sequence[Step]:
        """The file as all sections want it."""
        path = work.changes[0].spec.path
        return [script(["write", path, {"sections": {s.name: s.text for _, s in work.wanted}, "ours": True}, {}])]

    def undo(self, work: Work[ConfSpec]) -> Sequence[Step]:
        """The file as it was."""
        path = work.changes[0].spec.path
        return [script(["restore", path, next(iter(work.images.values())).data])]

    def delete(self, work: Work[ConfSpec]) -> Sequence[Step]:
        """Without the sections that go; the last one brings back what was there first."""
        if work.wanted:
            return self.apply(work)
        first = min(work.images.values(), key=lambda image: image.run)
        there = first.data if first.data is not None and "ours" not in first.data else None
        return [script(["restore", work.changes[0].spec.path, there])]


class DaemonSpec(Spec):
    """A daemon and what it reads."""

    unit: str = ""
    running: bool = True
    reads: tuple[str, ...] = ()
    reload_on: tuple[str, ...] = ()
    restart_on: tuple[str, ...] = ()
    disrupts: Disrupts = "none"


class Daemon(Provider[DaemonSpec]):
    """A daemon: what it runs on is what it has loaded, not what lies on the disk."""

    kind = "daemon"
    spec = DaemonSpec

    def resolve(self, spec: DaemonSpec, files: StackFiles) -> DaemonSpec:
        """The unit defaults to the name."""
        return spec.model_copy(update={"unit": spec.unit or files.name})

    def claims(self, spec: DaemonSpec) -> Sequence[Claim]:
        """Its unit."""
        return [Claim(f"unit:{spec.unit}")]

    def triggers(self, spec: DaemonSpec, address: Address) -> Sequence[Trigger]:
        """As the spec says."""
        return [Trigger(s, "reload") for s in spec.reload_on] + [Trigger(s, "restart") for s in spec.restart_on]

    def needs(self, spec: DaemonSpec) -> Sequence[str]:
        """A trigger is an edge, too."""
        return [*spec.reload_on, *spec.restart_on]

    def facts(self, spec: DaemonSpec) -> Sequence[Ask]:
        """Its unit."""
        return [Ask(UNIT, spec.unit)]

    def observe(self, view: View[DaemonSpec]) -> Observed | None:
        """Whether it runs; None when there is no such unit."""
        unit = view.facts.get(UNIT, view.spec.unit)
        return None if unit is None else Observed({"running": unit["running"]}, {"loaded": len(unit["loaded"])})

    def desire(self, view: View[DaemonSpec]) -> Desired:
        """Whether it should run."""
        effect = f"{'start' if view.spec.running else 'stop'} {view.spec.unit}"
        return Desired({"running": view.spec.running}, effect=effect, disrupts=view.spec.disrupts)

    def loads(self, change: Change[DaemonSpec]) -> bool:
        """A start takes everything in."""
        was = change.observed is not None and change.observed.get("running")
        return change.spec.running and not was and change.action is not Action.ADOPT

    def capture(self, work: Work[DaemonSpec]) -> Step | None:
        """Whether it ran."""
        keys = {c.address: f"unit:{c.spec.unit}" for c in work.changes}
        return script(["print", *keys.values()], parse=_images(keys))

    def apply(self, work: Work[DaemonSpec]) -> Sequence[Step]:
        """Start or stop."""
        return [self._to(c.spec, {"running": c.spec.running}) for c in work.changes]

    def undo(self, work: Work[DaemonSpec]) -> Sequence[Step]:
        """As it was; a unit that was not there is forgotten."""
        return [self._to(c.spec, work.images[c.address].data) for c in work.changes]

    def _to(self, spec: DaemonSpec, unit: Any) -> Step:
        if unit is None:
            return script(["forget", spec.unit])
        return script(["start", spec.unit, *spec.reads] if unit["running"] else ["stop", spec.unit])

    def trigger(self, work: Work[DaemonSpec], op: Any) -> Sequence[Step]:
        """Load again."""
        spec = work.changes[0].spec
        return [script([op, spec.unit, *spec.reads], disrupts=op)] if spec.running else []


class GateSpec(Spec):
    """A host's part in serving a name."""

    vip: str
    weight: int = 100
    patience: float = 0.0


class Gate(Provider[GateSpec]):
    """One of several hosts that serve a name together; it can be drained."""

    kind = "gate"
    spec = GateSpec

    def claims(self, spec: GateSpec) -> Sequence[Claim]:
        """Its part of the name."""
        return [Claim(f"gate:{spec.vip}")]

    def facts(self, spec: GateSpec) -> Sequence[Ask]:
        """Its weight, and whether it holds the name."""
        return [Ask(VALUE, f"gate:{spec.vip}"), Ask(HOLDS, spec.vip)]

    def observe(self, view: View[GateSpec]) -> Observed | None:
        """The weight; who holds is volatile and no attr."""
        value = view.facts.get(VALUE, f"gate:{view.spec.vip}")
        return None if value is None else Observed(dict(value), {"holds": view.facts.get(HOLDS, view.spec.vip)})

    def desire(self, view: View[GateSpec]) -> Desired:
        """The weight."""
        return Desired({"weight": view.spec.weight})

    def guard(self, view: View[GateSpec]) -> Guard | None:
        """Drained when it does not hold the name any more."""
        vip = view.spec.vip
        return Guard(
            vip,
            script(["drain", vip]),
            script(["undrain", vip]),
            lambda fresh: not fresh.facts.get(HOLDS, vip),
            patience=view.spec.patience,
        )

    def capture(self, work: Work[GateSpec]) -> Step | None:
        """The weight before."""
        keys = {c.address: f"gate:{c.spec.vip}" for c in work.changes}
        return script(["print", *keys.values()], parse=_images(keys))

    def apply(self, work: Work[GateSpec]) -> Sequence[Step]:
        """Set the weight."""
        return [script(["write", f"gate:{c.spec.vip}", {"weight": c.spec.weight}, {}]) for c in work.changes]

    def undo(self, work: Work[GateSpec]) -> Sequence[Step]:
        """The weight before."""
        return [script(["restore", f"gate:{c.spec.vip}", work.images[c.address].data]) for c in work.changes]


class SharedSpec(Spec):
    """A name that exactly one host holds."""

    vip: str
    instance: str | None = None
    patience: float = 0.0
    checks: tuple[str, ...] = ()


class Shared(Provider[SharedSpec]):
    """One instance over all hosts; it changes nothing on them."""

    kind = "shared"
    spec = SharedSpec
    hosts = "together"

    def needs(self, spec: SharedSpec) -> Sequence[str]:
        """The gate that makes it."""
        return [spec.instance] if spec.instance else []

    def facts(self, spec: SharedSpec) -> Sequence[Ask]:
        """Asked of each member."""
        return [Ask(HOLDS, spec.vip)]

    def observe(self, view: View[SharedSpec]) -> Observed | None:
        """How many hold it."""
        held = [h for h, (_, facts) in view.members.items() if facts.get(HOLDS, view.spec.vip)]
        return Observed({"holders": len(held)}, {"held by": held})

    def desire(self, view: View[SharedSpec]) -> Desired:
        """One."""
        return Desired({"holders": 1})

    def patience(self, spec: SharedSpec) -> float:
        """As the spec says."""
        return spec.patience

    def checks(self, spec: SharedSpec) -> Sequence[Check]:
        """As the spec says."""
        return [Check(url) for url in spec.checks]


KINDS: Mapping[str, Provider[Any]] = {
    provider.kind: provider for provider in (Thing(), Pack(), Conf(), Daemon(), Gate(), Shared())
}
