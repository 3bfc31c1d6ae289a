"""A host in memory: a mapping of JSON values, daemons that load them, and a tiny language of steps.

A step's script is a JSON list of operations. Operations:

    write KEY FIELDS BLOBS   set fields of a value; BLOBS are field -> name of a blob of the step
    copy KEY FROM            take the text of another value
    restore KEY VALUE        the previous value; null removes it
    install NAME...          remove NAME...
    print KEY...             values as one JSON object on stdout (`unit:NAME` is a daemon); missing ones are left out
    start UNIT KEY...        run a daemon, which loads the values of KEYs
    stop UNIT                forget UNIT
    reload UNIT KEY...       load again, if it runs          restart UNIT KEY...
    drain NAME               undrain NAME                    for guards

Before an operation is done its text (`write /etc/x`, its words without the values) is matched
against the machine's rules: a test makes an operation fail, lose the connection, wait, or do
something else first.
"""

from __future__ import annotations

import copy
import fnmatch
import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ..contract import HostFacts, Output, Step

Hook = Callable[["Machine"], Awaitable[None] | None]


class StepFault(Exception):  # noqa: N818 - a fault that a test injects
    """Raised by a rule: the step fails with this exit code and this text on stderr."""

    def __init__(self, message: str = "made to fail", rc: int = 1) -> None:
        super().__init__(message)
        self.rc = rc


@dataclass
class Rule:
    """A hook for operations with a matching text; `times`: how often it is still called, None: always."""

    pattern: str
    hook: Hook
    times: int | None = 1
    after: bool = False


@dataclass
class Machine:
    """A host in memory. `data` is its content; `log` has every executed operation."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    units: dict[str, dict[str, Any]] = field(default_factory=dict)
    drained: set[str] = field(default_factory=set)
    lock: str = ""
    markers: dict[str, str] = field(default_factory=dict)  # file to text
    base: HostFacts = field(default_factory=lambda: HostFacts(family="debian", init="systemd", packager="dpkg"))
    execs: int = 0
    boots: int = 1
    log: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    reachable: bool = True
    breach: Exception | None = None  # the error of every probe: a deadline, too much output, an unreadable answer
    silent: dict[str, str] = field(default_factory=dict)  # facts without an answer, and the reason
    watchers: list[Callable[[Machine, str], None]] = field(default_factory=list)

    # -- for tests

    def snapshot(self) -> dict[str, Any]:
        """The content of the machine, as a copy, for comparisons after a rollback."""
        return copy.deepcopy({"data": self.data, "units": self.units, "drained": sorted(self.drained)})

    def on(self, pattern: str, hook: Hook, *, times: int | None = 1, after: bool = False) -> None:
        """Call `hook` before (or after) operations with a matching text (fnmatch)."""
        self.rules.append(Rule(pattern, hook, times, after))

    def fail(self, pattern: str, message: str = "made to fail", *, times: int | None = 1, rc: int = 1) -> None:
        """Let operations fail before they change anything."""

        def hook(_machine: Machine) -> None:
            raise StepFault(message, rc)

        self.on(pattern, hook, times=times)

    def restart(self) -> None:
        """Power off and on: everything in memory is lost, the run's lock included."""
        self.boots += 1
        self.lock = ""

    def did(self, pattern: str) -> list[str]:
        """The executed operations that match."""
        return [text for text in self.log if fnmatch.fnmatchcase(text, pattern)]

    def facts(self) -> HostFacts:
        """The facts of every probe."""
        return HostFacts(
            family=self.base.family,
            init=self.base.init,
            packager=self.base.packager,
            machine_id=self.base.machine_id or f"id-of-{self.name}",
            hostname=self.name,
        )

    # -- for steps

    async def run(self, step: Step) -> Output:
        """Run a step to its end or to its first fault."""
        for left in reversed(range(max(1, step.tries))):
            out: dict[str, Any] = {}
            try:
                for words in json.loads(step.script):
                    await self._operation(list(words), step, out)
            except StepFault as fault:
                if fault.rc == 75 and left:
                    continue
                return Output(fault.rc, b"", f"{fault}\n".encode())
            return Output(0, json.dumps(out).encode() if out else b"")
        raise AssertionError("a step must end with its last try")

    async def _operation(self, words: list[Any], step: Step, out: dict[str, Any]) -> None:
        text = " ".join(w for w in words if isinstance(w, str))
        await self._apply_rules(text, after=False)
        op, *args = words
        getattr(self, f"_op_{op}")(args, step, out)
        self.log.append(text)
        for watcher in self.watchers:
            watcher(self, text)
        await self._apply_rules(text, after=True)

    async def _apply_rules(self, text: str, *, after: bool) -> None:
        for rule in list(self.rules):
            if rule.after is after and rule.times != 0 and fnmatch.fnmatchcase(text, rule.pattern):
                if rule.times is not None:
                    rule.times -= 1
                result = rule.hook(self)
                if inspect.isawaitable(result):
                    await result

    def _op_write(self, args: list[Any], step: Step, _out: dict[str, Any]) -> None:
        key, fields, blobs = args
        texts = {field: step.blobs[name].decode() for field, name in blobs.items()}
        self.data[key] = {**self.data.get(key, {}), **copy.deepcopy(fields), **texts}

    def _op_copy(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        if args[1] not in self.data:
            raise StepFault(f"cannot copy {args[1]}: it does not exist")
        self.data[args[0]] = {**self.data.get(args[0], {}), "text": self.data[args[1]]["text"]}

    def _op_restore(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        key, value = args
        if value is None:
            self.data.pop(key, None)
        else:
            self.data[key] = copy.deepcopy(value)

    def _op_install(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        self.data.update({f"pkg:{name}": {} for name in args})

    def _op_remove(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        for name in args:
            self.data.pop(f"pkg:{name}", None)

    def _op_print(self, args: list[Any], _step: Step, out: dict[str, Any]) -> None:
        out.update({key: copy.deepcopy(self.data[key]) for key in args if key in self.data})
        for key in args:
            if key.startswith("unit:") and key[5:] in self.units:
                out[key] = copy.deepcopy(self.units[key[5:]])

    def _load(self, unit: str, keys: list[str]) -> None:
        loaded = {key: copy.deepcopy(self.data[key]) for key in keys if key in self.data}
        self.units[unit] = {"running": True, "loaded": loaded}

    def _op_start(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        if not self.units.get(args[0], {}).get("running"):
            self._load(args[0], args[1:])

    def _op_stop(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        self.units[args[0]] = {"running": False, "loaded": {}}

    def _op_forget(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        self.units.pop(args[0], None)

    def _op_reload(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        if self.units.get(args[0], {}).get("running"):
            self._load(args[0], args[1:])

    _op_restart = _op_reload

    def _op_drain(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        self.drained.add(args[0])

    def _op_undrain(self, args: list[Any], _step: Step, _out: dict[str, Any]) -> None:
        self.drained.discard(args[0])
