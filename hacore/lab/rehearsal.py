"""A rehearsal: the whole life cycle of a stack on twins of its hosts, with the commands that a user would run.

    twins     create bare machines with the hosts' own addresses
    plan      plan the stack
    apply     apply it
    again     plan again: no changes
    drift     edit files and stop a service by hand; drift must report that
    heal      apply again: the drift is corrected
    rollback  roll back: the hosts are byte for byte as before the last apply
    forward   apply again what was rolled back
    destroy   destroy: the hosts are byte for byte as at the beginning

The first step that fails ends it. Each command is a process of its own in the lab's network, where the hosts' addresses
are those of the twins.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hacore.contract import quote
from hacore.errors import LabError
from hacore.lab import manifest
from hacore.lab.lab import Lab, Say
from hacore.lab.manifest import Manifest
from hacore.lab.model import LabSpec
from hacore.lab.system import check_prerequisites, wait_until
from hacore.lab.users import admit

PATIENCE = 5.0
"""Seconds within which drift must report the changes by hand."""
SHOWN = 12
"""Differences that a failed comparison names."""


@dataclass(frozen=True, slots=True)
class Act:
    """One step: its duration in seconds and its result. `output` is that of a command that failed."""

    name: str
    ok: bool
    seconds: float
    detail: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The result of a rehearsal."""

    stack: str
    hosts: tuple[str, ...]
    acts: tuple[Act, ...]

    @property
    def ok(self) -> bool:
        """Whether all steps passed."""
        return all(act.ok for act in self.acts)

    @property
    def seconds(self) -> float:
        """The duration of all steps, in seconds."""
        return sum(act.seconds for act in self.acts)


@dataclass(frozen=True, slots=True)
class Touch:
    """A change by hand on a host: the address that drift must report, and the change as sh."""

    address: str
    host: str
    what: str
    script: str


class MissedError(Exception):
    """A step failed; `output` is that of its command."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


def rehearsal_spec(spec: LabSpec) -> LabSpec:
    """The lab of a rehearsal, separate from the stack's own, which may be up."""
    return replace(spec, stack=f"{spec.stack}-rehearsal")


def touches(changes: Sequence[Mapping[str, Any]], claims: Mapping[str, Sequence[str]]) -> list[Touch]:
    """The changes by hand: on each host a file with managed content, and on one host a service that should run.

    A service stopped on all hosts would be an outage of the whole stack, not drift.
    `changes`: those of the first plan, as JSON. `claims`: the tokens that each address owns.
    """
    edits: dict[str, Touch] = {}
    stops: dict[str, Touch] = {}
    for change in changes:
        address, host, after = change["address"], change["host"], change["after"] or {}
        for token in claims.get(address, ()):
            sort, _, name = token.partition(":")
            if sort == "path" and after.get("ensure") == "file" and "content" in after:
                script = f"echo '# by hand' >>{quote(name)}"
                edits.setdefault(host, Touch(address, host, f"edited {name}", script))
            elif sort == "unit" and after.get("running") is True:
                script = f"systemctl stop {quote(name)} || service {quote(name)} stop"
                stops.setdefault(host, Touch(address, host, f"stopped {name}", script))
    return [*edits.values(), *list(stops.values())[-1:]]


@dataclass
class Rehearsal:
    """`command` gives the words of a hacore command on the stack; `claims` as in `touches`, `users` as in `admit`.

    `maintenance`: also reboot the hosts one after the other, and drill, if an address is served by several hosts.
    """

    lab: Lab
    stack: str
    command: Callable[[Sequence[str]], list[str]]
    claims: Mapping[str, Sequence[str]]
    users: Mapping[str, str] = field(default_factory=dict)
    maintenance: bool = False
    say: Say = lambda _: None
    _bare: dict[str, Manifest] = field(default_factory=dict)
    _before: dict[str, Manifest] = field(default_factory=dict)
    _touches: list[Touch] = field(default_factory=list)

    def play(self, *, keep: bool = False) -> Rehearsed:
        """Run all steps. The twins are destroyed afterwards; with `keep` they stay up when a step failed.

        Raises LabError when this machine cannot create twins.
        """
        missing = check_prerequisites()
        if missing:
            raise LabError(f"cannot rehearse {self.stack}: this machine lacks {', '.join(missing)}")
        if self.lab.running():
            raise LabError(
                f"cannot rehearse {self.stack}: the lab {self.lab.spec.stack} is up, perhaps for another rehearsal; "
                f"`hacore lab down {self.lab.spec.stack}` destroys it"
            )
        acts: list[Act] = []
        try:
            for name, act in self._acts():
                acts.append(self._played(name, act))
                if not acts[-1].ok:
                    break
        finally:
            if not (keep and acts and not acts[-1].ok):
                self.lab.down()
        return Rehearsed(self.stack, tuple(twin.name for twin in self.lab.spec.twins), tuple(acts))

    def _acts(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "twins", self._up
        yield "plan", self._plan
        yield "apply", self._apply
        yield "again", self._again
        if self._touches:
            yield "drift", self._drift
            yield "heal", self._heal
        yield "rollback", self._rollback
        yield "forward", self._apply
        if self.maintenance:
            yield "roll", self._roll
            yield "drill", self._drill
        yield "destroy", self._destroy

    def _played(self, name: str, act: Callable[[], str]) -> Act:
        began = time.monotonic()
        self.say(f"{name} ...")
        try:
            detail, output, ok = act(), "", True
        except MissedError as error:
            detail, output, ok = str(error), error.output, False
        except LabError as error:
            detail, output, ok = str(error), "", False
        return Act(name, ok, round(time.monotonic() - began, 1), detail, output)

    # -- the steps
    def _up(self) -> str:
        self.lab.up()
        admit(self.lab, self.users)
        self._bare = self._before = self._manifests()
        return ", ".join(f"{twin.name} {twin.address}" for twin in self.lab.spec.twins)

    def _plan(self) -> str:
        plan = json.loads(self._run("plan", "--json"))
        self._touches = touches(plan["changes"], self.claims)
        return ", ".join(f"{number} to {what}" for what, number in plan["summary"].items() if number and what != "noop")

    def _apply(self) -> str:
        self._run("apply", "--auto-approve")
        return "done"

    def _again(self) -> str:
        self._run("plan", "--detailed-exitcode")
        return "no changes"

    def _drift(self) -> str:
        for touch in self._touches:
            done = self.lab.ssh(touch.host, touch.script)
            if done.returncode != 0:
                raise MissedError(f"cannot change {touch.host} by hand: {touch.what}", done.stderr)
        report, missed = "", self._touches

        def found_all() -> bool:
            nonlocal report, missed
            report = self._run("drift", "--json", expect=(0, 2))
            found = {entry["address"] for entry in json.loads(report)["drift"]}
            missed = [touch for touch in self._touches if touch.address not in found]
            return not missed

        # some init scripts report "stopped" before their daemon has ended
        if not wait_until(found_all, PATIENCE, 1.0):
            raise MissedError(
                "not reported: " + "; ".join(f"{t.what} on {t.host} ({t.address})" for t in missed), report
            )
        return "reported: " + "; ".join(f"{touch.what} on {touch.host}" for touch in self._touches)

    def _heal(self) -> str:
        self._before = self._manifests()
        self._apply()
        self._run("drift")
        return "no drift"

    def _rollback(self) -> str:
        self._run("rollback", "--auto-approve")
        self._same(self._before)
        return "byte for byte as before the last apply"

    def _roll(self) -> str:
        if not self._is_served():
            return "not needed: no address is served by several hosts"
        self._run("roll", "--reboot", "--auto-approve")
        return "all hosts rebooted, one after the other"

    def _drill(self) -> str:
        if not self._is_served():
            return "not needed: no address is served by several hosts"
        done = json.loads(self._run("drill", "--baseline", "3s", "--auto-approve", "--json"))
        return "; ".join(f"{one['scenario']}: {one['lost']} of {one['sent']} lost" for one in done["scenarios"])

    def _is_served(self) -> bool:
        """Whether there is an address to drill; waits until it is served well after an apply or a reboot."""
        found: list[dict[str, Any]] = []

        def healthy() -> bool:
            found[:] = json.loads(self._run("status", "--json", expect=(0, 1, 2)))["addresses"]
            return all(address["verdict"] == "healthy" for address in found)

        wait_until(healthy, PATIENCE + 30, 1.0)
        return bool(found)

    def _destroy(self) -> str:
        self._run("destroy", "--auto-approve")
        self._same(self._bare)
        return "byte for byte as at the beginning"

    # -- their parts
    def _manifests(self) -> dict[str, Manifest]:
        return {twin.name: manifest.take(self.lab, twin.name) for twin in self.lab.spec.twins}

    def _same(self, wanted: Mapping[str, Manifest]) -> None:
        now = self._manifests()
        lines = [f"{name}: {line}" for name in wanted for line in manifest.diff(wanted[name], now[name])]
        if lines:
            more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            raise MissedError("the hosts differ from their manifest before", "\n".join(lines[:SHOWN] + more))

    def _run(self, *words: str, expect: tuple[int, ...] = (0,)) -> str:
        argv = [sys.executable, "-P", "-m", "hacore.cli", *self.command(words)]
        done = subprocess.run(
            self.lab.command(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        if done.returncode not in expect:
            shown = (done.stdout if "--json" not in words or not done.stderr else "") + done.stderr
            wanted = " or ".join(map(str, expect))
            raise MissedError(
                f"hacore {' '.join(words)}: exit code {done.returncode}, expected {wanted}", shown.strip()
            )
        return done.stdout


__all__ = ["Act", "Rehearsal", "Rehearsed", "Touch", "rehearsal_spec", "touches"]
