"""command: a change that no other kind covers, as shell: a check, a script for the change, and one for its undo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from hacore import contract as c

SHELL = 'sh -eu "$HACORE_WORK"/'


class CommandSpec(c.Spec):
    """A change that no other kind covers, as shell: a check, a script for the change, and one for its undo."""

    check: str = Field(description="read-only sh, run by every plan and drift: exit code 0 in the desired state")
    do: str = Field(description="sh that makes the change; runs only if `check` fails")
    undo: str = Field(default="", description="sh that undoes `do`, also after `do` failed half-way")
    irreversible: str = Field(default="", description="in place of `undo`: why it cannot be undone")
    disrupts: c.Disrupts = Field(default="none", description="effect of `do` on the services of its host")
    effect: str = Field(default="", description="text for the plan; default: that of `do`, if it names no secret")
    timeout: float = Field(default=120, gt=0, description="seconds for `do`, and for `undo`; `check` has 10")


class CheckFact:
    """The exit codes of checks. The shell reads a check from a descriptor: its text is in no process list."""

    name = "command"

    def command(self, asks: Sequence[c.Ask]) -> str:
        run = "timeout -k 1 10 sh -eu /dev/fd/3 >/dev/null 2>&1 </dev/null 3<<END || rc=$?\n$check\nEND"
        return "\n".join(f"check={c.quote(a.arg)} rc=0\n{run}\nprintf '%s\\0' \"$check\" $rc" for a in asks)

    def parse(self, stdout: bytes) -> Mapping[str, int]:
        fields = stdout.decode("utf-8", "surrogateescape").split("\0")
        return {check: int(code) for check, code in zip(fields[0::2], fields[1::2], strict=False)}


CHECKS = CheckFact()


class Command(c.Provider[CommandSpec]):
    """The kind `command`."""

    api = 2
    kind = "command"
    spec = CommandSpec
    plain = ("check", "undo")  # the state keeps them, so they must not name a secret

    def resolve(self, spec: CommandSpec, files: c.StackFiles) -> CommandSpec:
        text = "its `do`" if files.sensitive else spec.do.strip().replace("\n", "; ")
        return spec.model_copy(update={"effect": spec.effect or f"run {text}"})

    def validate(
        self, members: Mapping[str, CommandSpec], hosts: object, lifecycle: object = None
    ) -> Iterable[tuple[str, c.Mistake]]:
        for host, spec in members.items():
            if bool(spec.undo) == bool(spec.irreversible):
                yield host, c.Mistake("undo", "give either `undo`, or `irreversible` with the reason")

    def facts(self, spec: CommandSpec) -> Sequence[c.Ask]:
        return [c.Ask(CHECKS, spec.check)]

    def observe(self, view: c.View[CommandSpec]) -> c.Observed:
        code = view.facts.get(CHECKS, view.spec.check)
        words = {0: "passed", 124: "no answer within 10 s", None: "not asked"}
        return c.Observed({"check": words.get(code, f"exit code {code}")}, absent=code != 0)

    def desire(self, view: c.View[CommandSpec]) -> c.Desired:
        s = view.spec
        return c.Desired({"check": "passed"}, irreversible=s.irreversible, effect=s.effect, disrupts=s.disrupts)

    def delete_irreversible(self, spec: CommandSpec) -> str:
        return spec.irreversible

    def delete_effect(self, view: c.View[CommandSpec], found: c.Found) -> c.Effect:
        text = view.spec.undo.strip().replace("\n", "; ")
        return c.Effect(f"run {text}" if text else "", view.spec.disrupts)

    def capture(self, work: c.Work[CommandSpec]) -> c.Step:
        (change,), script = work.changes, f"! {SHELL}check >/dev/null 2>&1 || echo passed"
        blobs = {"check": change.spec.check.encode()}
        return c.Step(script, blobs, parse=lambda out: {change.address: c.Image({"passed": bool(out.stdout)})})

    def apply(self, work: c.Work[CommandSpec]) -> Sequence[c.Step]:
        spec = work.changes[0].spec
        failed = '{ echo "its check still fails: exit code $?" >&2; exit 1; }'
        script = f"! {SHELL}check >/dev/null 2>&1 || exit 0\n{SHELL}do\n{SHELL}check || {failed}"
        blobs = {"check": spec.check.encode(), "do": spec.do.encode()}
        return [c.Step(script, blobs, deadline=spec.timeout, disrupts=spec.disrupts)]

    def undo(self, work: c.Work[CommandSpec]) -> Sequence[c.Step]:
        (change,), spec = work.changes, work.changes[0].spec
        if (work.images[change.address].data or {}).get("passed"):
            return self.apply(work)
        return [c.Step(f"{SHELL}undo", {"undo": spec.undo.encode()}, deadline=spec.timeout, disrupts=spec.disrupts)]


PROVIDER = Command()
