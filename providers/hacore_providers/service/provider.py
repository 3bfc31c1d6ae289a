"""The kind `service`: a unit of the init system, running or stopped, enabled at boot or not.

Enabled: `enabled`, and a unit generated from an init script that a runlevel starts. Not enabled:
`enabled-runtime` and `linked`, which have no effect after a reboot. Units that cannot be enabled
(`static`, `indirect`, `alias`, `transient`) always match the desired state.

Without systemd a service is a script in /etc/init.d: running by its `status`, enabled if a runlevel
starts it.

Running: `active` and `reloading`. A transient state (`activating`, also of a unit that is restarted again
and again) matches no desired state and is shown by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from hacore.contract import (
    NO_RULES,
    Action,
    Address,
    Ask,
    Change,
    Claim,
    Daemon,
    Desired,
    Effect,
    Found,
    Host,
    Image,
    Lifecycle,
    Mistake,
    Observed,
    Output,
    Provider,
    StackFiles,
    Step,
    Trigger,
    View,
    Work,
)
from hacore_providers.facts.paths import PATHS, unsafe_path
from hacore_providers.facts.stat import sha256
from hacore_providers.facts.systemd import DEFINITION, UNIT, UnitState
from hacore_providers.facts.tools import TOOLS, strange_tools
from hacore_providers.service import systemd, unit_file
from hacore_providers.service.discover import DISCOVER
from hacore_providers.service.init_system import init_system
from hacore_providers.service.spec import ServiceSpec, mistakes, refusal
from hacore_providers.shell import failing_step

_UNMANAGEABLE = ("static", "indirect", "alias", "transient")


class ServiceProvider(Provider[ServiceSpec]):
    """Units that run and are enabled, and that reload or restart after changes of their sources."""

    api = 2
    kind = "service"
    spec = ServiceSpec
    discover = DISCOVER
    confidential: ClassVar[Mapping[str, tuple[str, ...]]] = {"sensitive": ("definition",)}
    plain = ("unit",)  # the undo of a run reloads the daemon by its recorded row

    # -- at load
    def resolve(self, spec: ServiceSpec, files: StackFiles) -> ServiceSpec:
        """The unit's name from the resource's, if none is given."""
        unit = spec.unit or str(getattr(files, "name", "")).partition("[")[0]
        sensitive = spec.sensitive or (spec.definition is not None and files.sensitive)
        return spec.model_copy(update={"unit": unit, "sensitive": sensitive})

    def validate(
        self, members: Mapping[str, ServiceSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Invalid unit names, and definitions that cannot provide the desired state."""
        for host, spec in members.items():
            for mistake in mistakes(spec):
                yield host, mistake

    def claims(self, spec: ServiceSpec) -> Sequence[Claim]:
        """Owns its unit; uses its package, its configuration, and the paths and accounts in its definition."""
        claims = [Claim(f"unit:{spec.short}"), Claim(f"pkg:{spec.short}", "use"), Claim(f"config:{spec.short}", "use")]
        if spec.definition is not None:
            claims.append(Claim(f"path:{spec.path}"))
            claims += [Claim(f"path:{path}", "use") for path in unit_file.paths_named(spec.definition)]
            claims += unit_file.accounts_named(spec.definition)
        return claims

    def daemon(self, spec: ServiceSpec) -> str:
        """Its unit."""
        return spec.unit

    def triggers(self, spec: ServiceSpec, address: Address) -> Sequence[Trigger]:
        """The sources of reload_on and restart_on; a change of its own definition restarts it as well."""
        own = [] if spec.definition is None else [Trigger(str(address), "restart", ("definition",))]
        reloads = [Trigger(source, "reload") for source in spec.reload_on]
        return [*reloads, *(Trigger(source, "restart") for source in spec.restart_on), *own]

    # -- at plan
    def facts(self, spec: ServiceSpec) -> Sequence[Ask]:
        """The unit's state, and its definition if that is managed."""
        asks: list[Ask] = [Ask(UNIT, spec.full)]
        if spec.definition is not None:
            asks.append(Ask(DEFINITION, spec.path, sha256(spec.definition.encode()), spec.sensitive))
            asks.append(Ask(PATHS, spec.path))
        return [*asks, Ask(TOOLS, "")]

    def examine(self, view: View[ServiceSpec]) -> Iterable[Mistake]:
        """A definition that is to be written where another user can redirect it; ports that a socket decides."""
        spec = view.spec
        yield from strange_tools(view.facts, view.host.name if view.host is not None else "the host")
        state = view.facts.get(UNIT, spec.full)
        if state is not None and (spec.enabled or spec.restart_on or spec.reload_on):
            for socket, ports in state.ports:
                yield Mistake.where(
                    "unit",
                    f"is {spec.full}, which {socket} starts: it serves the ports of the socket (now {ports}), whatever "
                    f"its own configuration has; a change of them needs ListenStream= of {socket}, and its restart",
                    warning=True,
                )
        unsafe = None if spec.definition is None else unsafe_path(view.facts, spec.path)
        if unsafe is not None and spec.definition is not None:
            found = view.facts.get(DEFINITION, spec.path)
            if found is None or found.digest != f"sha256:{sha256(spec.definition.encode())}":
                yield unsafe

    def observe(self, view: View[ServiceSpec]) -> Observed | None:
        """The state of the unit; None if neither the unit nor its definition exists."""
        spec = view.spec
        state = view.facts.get(UNIT, spec.full) or UnitState(spec.full, load="not-found")
        definition = view.facts.get(DEFINITION, spec.path) if spec.definition is not None else None
        if not state.found and definition is None:
            return None
        attrs: dict[str, Any] = {}
        texts: dict[str, str] = {}
        if spec.running is not None:
            attrs["running"] = _running(state)
        if spec.enabled is not None:
            attrs["enabled"] = _enabled(state, spec.enabled)
        if spec.definition is not None:
            attrs["definition"] = definition.digest if definition else None
            if definition and definition.digest == f"sha256:{sha256(spec.definition.encode())}":
                texts["definition"] = spec.definition
            elif definition and definition.text is not None:
                texts["definition"] = definition.text
        info = {"state": f"{state.active} ({state.sub})", "unit_file": state.file_state, "fragment": state.fragment}
        return Observed(attrs, info=info, texts={} if spec.sensitive else texts)

    def desire(self, view: View[ServiceSpec]) -> Desired:
        """The managed fields."""
        spec = view.spec
        attrs: dict[str, Any] = {}
        if spec.running is not None:
            attrs["running"] = spec.running
        if spec.enabled is not None:
            attrs["enabled"] = spec.enabled
        texts = {}
        if spec.definition is not None:
            attrs["definition"] = f"sha256:{sha256(spec.definition.encode())}"
            texts["definition"] = spec.definition
        observed = self.observe(view)
        stops = spec.running is False and observed is not None and observed.attrs["running"] is not False
        return Desired(
            attrs,
            texts={} if spec.sensitive else texts,
            sensitive=frozenset({"definition"} if spec.sensitive and spec.definition is not None else ()),
            effect=_effect(spec, observed.attrs if observed else {}, attrs, masked=_masked(view)),
            disrupts="restart" if stops else "none",
        )

    def delete_effect(self, view: View[ServiceSpec], found: Found) -> Effect:
        """Stop, disable and remove a unit that hacore created; else restore its original state."""
        spec = view.spec
        if not view.removed(found):
            return Effect(f"restore the original state of {spec.short}")
        words = [f"stop {spec.short}"] if spec.running else []
        words += [f"disable {spec.short}"] if spec.enabled else []
        words += [f"remove {spec.path}"] if spec.definition is not None else []
        return Effect(", ".join(words))

    def invalidates(self, change: Change[ServiceSpec]) -> Sequence[str]:
        """The unit."""
        return [f"unit:{change.spec.short}"]

    # -- for status and drift
    def daemons(self, view: View[ServiceSpec]) -> Sequence[Daemon]:
        """Its unit, if it should run or is running."""
        state = view.facts.get(UNIT, view.spec.full)
        if state is None:
            return ()
        return (Daemon(view.spec.short, _running(state) is True, view.spec.running),)

    # -- at apply
    def prepare(self, work: Work[ServiceSpec]) -> Sequence[Step]:
        """Fail if this host's init system cannot manage the unit."""
        for change in work.changes:
            why = "" if change.action is Action.DELETE else refusal(change.spec, work.facts.host.init)
            if why:
                return [failing_step(why, f"checking {change.spec.short}")]
        return []

    def capture(self, work: Work[ServiceSpec]) -> Step | None:
        """State, links and definition of the unit (a service has a task of its own)."""
        if not work.changes:
            return None
        change = work.changes[0]
        spec, address, init = change.spec, change.address, init_system(work)

        def parse(output: Output) -> Mapping[Address, Image]:
            return {address: init.read_image(output, sensitive=spec.sensitive)}

        along = unit_file.also(spec.definition) if spec.definition is not None else ()
        return Step(init.capture(spec.full, along), what=f"reading {spec.short}", parse=parse)

    def apply(self, work: Work[ServiceSpec]) -> Sequence[Step]:
        """Write, unmask, enable; then start or stop."""
        return [step for change in work.changes for step in self._do(change, work)]

    def _do(self, change: Change[ServiceSpec], work: Work[ServiceSpec]) -> Iterable[Step]:
        spec = change.spec
        if change.action is Action.DELETE:
            yield from self._undo(change, work)
            return
        init = init_system(work)
        define = spec.definition is not None
        script = init.prepare_unit(
            spec.full, define=define, enabled=spec.enabled, running=spec.running, secret=spec.sensitive
        )
        blobs = {} if spec.definition is None else {"definition": spec.definition.encode()}
        yield Step(script, blobs=blobs, what=f"setting up {spec.short}")
        if spec.running is not None:
            stops = spec.running is False and (change.observed or {}).get("running", False) is not False
            yield Step(
                init.run_unit(spec.full, running=spec.running),
                what=systemd.describe("start" if spec.running else "stop", spec.full),
                deadline=init.SECONDS,
                disrupts="restart" if stops else "none",
            )

    def undo(self, work: Work[ServiceSpec]) -> Sequence[Step]:
        """Stop, restore definition, mask and links, start: the mirror of apply."""
        return [step for change in work.changes for step in self._undo(change, work)]

    def _undo(self, change: Change[ServiceSpec], work: Work[ServiceSpec]) -> Iterable[Step]:
        image = work.images.get(change.address)
        if image is None:
            return
        spec = change.spec
        define = spec.definition is not None
        init = init_system(work, image)
        script, blobs = init.undo(spec.full, image, define=define, enabled=spec.enabled, running=spec.running)
        yield Step(script, blobs=blobs, what=f"restoring {spec.short}", deadline=init.SECONDS, disrupts="restart")

    def trigger(self, work: Work[ServiceSpec], op: Literal["reload", "restart"]) -> Sequence[Step]:
        """Reload or restart a running unit, and check that it stays up.

        Every change of the instance triggers its own restart, even one of `enabled` alone. Without another
        source, a process that is younger than its definition is not restarted.
        """
        return [
            Step(
                init_system(work).trigger(change.spec.full, op, unless_young=_own_change(change, work)),
                what=systemd.describe(op, change.spec.full),
                deadline=init_system(work).SECONDS,
                disrupts=op,
            )
            for change in work.changes
        ]

    def loads(self, change: Change[ServiceSpec]) -> bool:
        """Whether this change starts the unit."""
        wants = (change.desired or {}).get("running") is True
        return wants and (change.observed or {}).get("running") is not True

    def patience(self, spec: ServiceSpec) -> float:
        """Seconds for a unit to reach its state."""
        return 30.0


def _own_change(change: Change[ServiceSpec], work: Work[ServiceSpec]) -> bool:
    """Whether only the unit's own change pulled the trigger: then the definition's age shows whether it is loaded."""
    return change.spec.definition is not None and set(work.sources) == {change.address}


def _running(state: UnitState) -> bool | str:
    if state.active in ("active", "reloading", "refreshing"):
        return True
    if state.active in ("inactive", "failed", "maintenance", ""):
        return False
    return state.active


def _enabled(state: UnitState, wanted: bool) -> bool:
    if state.file_state in _UNMANAGEABLE or (state.file_state == "" and state.load == "loaded"):
        return wanted
    return state.file_state == "enabled" or (state.file_state == "generated" and state.sysv)


def _masked(view: View[ServiceSpec]) -> bool:
    """Whether somebody has forbidden it to start: an administrator's wish that the change would end."""
    state = view.facts.get(UNIT, view.spec.full)
    return state is not None and (state.load == "masked" or state.file_state in ("masked", "masked-runtime"))


def _effect(spec: ServiceSpec, now: Mapping[str, Any], wanted: Mapping[str, Any], *, masked: bool = False) -> str:
    words = []
    if masked and (wanted.get("running") or wanted.get("enabled")):
        words.append(f"unmask {spec.short}")
    if "definition" in wanted and now.get("definition") != wanted["definition"]:
        words.append(f"write {spec.full}")
    if "enabled" in wanted and now.get("enabled", False) != wanted["enabled"]:
        words.append(f"{'enable' if wanted['enabled'] else 'disable'} {spec.short}")
    if "running" in wanted and now.get("running", False) != wanted["running"]:
        words.append(f"{'start' if wanted['running'] else 'stop'} {spec.short}")
    return ", ".join(words)


PROVIDER = ServiceProvider()
