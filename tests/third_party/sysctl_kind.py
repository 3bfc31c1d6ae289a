"""sysctl: a kernel parameter, now and after a reboot. Written from docs/providers.md alone."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field, field_validator

from hacore import contract as c


class SysctlSpec(c.Spec):
    """A kernel parameter: its value now, and the file that sets it at boot."""

    key: str = Field(default="", description="name of the parameter, with dots; default: the resource's name")
    value: str = Field(description="the value, as sysctl(8) prints it")
    file: str = Field(default="", description="default: /etc/sysctl.d/60-KEY.conf")

    @field_validator("value", mode="before", json_schema_input_type=str | int)
    @classmethod
    def _number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def line(self) -> str:
        return f"{self.key} = {self.value}\n"


class SysctlFact:
    """The present value of each parameter, and the content of its file. An argument is `PATH FILE`."""

    name = "sysctl"

    def command(self, asks: Sequence[c.Ask]) -> str:
        show = '[ ! -f "$1" ] || head -c 4096 <"$1" | base64 | tr -d "\\n"'
        calls = (f"look {' '.join(c.quote(word) for word in (*a.arg.split(' '), a.arg))}" for a in asks)
        lines = 'look() { printf "%s," "$(show "$1")"; printf "%s,%s\\n" "$(show "$2")" "$3"; }'
        return "\n".join([f"show() {{ {show}; }}", lines, *calls])

    def parse(self, stdout: bytes) -> Mapping[str, tuple[str | None, str | None]]:
        found = {}
        for line in stdout.decode().splitlines():
            live, kept, arg = line.split(",", 2)
            found[arg] = (_text(live), _text(kept))
        return found


def _text(encoded: str) -> str | None:
    return base64.b64decode(encoded).decode("utf-8", "replace") if encoded else None


PARAMETERS = SysctlFact()


class Sysctl(c.Provider[SysctlSpec]):
    """The kind `sysctl`. `root`: a folder in place of /, for tests."""

    api = 2
    kind = "sysctl"
    spec = SysctlSpec

    def __init__(self, root: str = "") -> None:
        self._root = root

    def _paths(self, spec: SysctlSpec) -> tuple[str, str]:
        return f"{self._root}/proc/sys/{spec.key.replace('.', '/')}", f"{self._root}{spec.file}"

    def _ask(self, spec: SysctlSpec) -> c.Ask:
        return c.Ask(PARAMETERS, " ".join(self._paths(spec)))

    def resolve(self, spec: SysctlSpec, files: c.StackFiles) -> SysctlSpec:
        key = spec.key or files.name
        return spec.model_copy(update={"key": key, "file": spec.file or f"/etc/sysctl.d/60-{key}.conf"})

    def validate(
        self, members: Mapping[str, SysctlSpec], hosts: object, lifecycle: object = None
    ) -> Iterable[tuple[str, c.Mistake]]:
        for host, spec in members.items():
            if not re.fullmatch(r"[a-z0-9_-]+(\.[A-Za-z0-9_-]+)+", spec.key):
                yield host, c.Mistake.where("key", f"is {spec.key!r}: write a name such as net.ipv4.ip_forward")
            if not re.fullmatch(r"(/[A-Za-z0-9_.-]+)+", spec.file):
                yield host, c.Mistake.where("file", f"is {spec.file!r}: write an absolute path without spaces")
            if "\n" in spec.value or not spec.value:
                yield host, c.Mistake("value", "is empty or has a line break: write one value")

    def claims(self, spec: SysctlSpec) -> Sequence[c.Claim]:
        return [c.Claim(f"sysctl:{spec.key}"), c.Claim(f"path:{spec.file}")]

    def facts(self, spec: SysctlSpec) -> Sequence[c.Ask]:
        return [self._ask(spec)]

    def examine(self, view: c.View[SysctlSpec]) -> Iterable[c.Mistake]:
        found = view.facts.get(PARAMETERS, self._ask(view.spec).arg)
        if found is not None and found[0] is None:
            yield c.Mistake.where("key", f"is {view.spec.key}, which the kernel of this host does not have")

    def observe(self, view: c.View[SysctlSpec]) -> c.Observed | None:
        live, kept = view.facts.get(PARAMETERS, self._ask(view.spec).arg) or (None, None)
        attrs = {"live": " ".join((live or "").split()), "persistent": kept}
        return c.Observed(attrs, absent=kept is None)

    def desire(self, view: c.View[SysctlSpec]) -> c.Desired:
        spec = view.spec
        effect = f"set {spec.key} to {spec.value}"
        return c.Desired({"live": " ".join(spec.value.split()), "persistent": spec.line}, effect=effect)

    def delete_effect(self, view: c.View[SysctlSpec], found: c.Found) -> c.Effect:
        return c.Effect(f"restore {view.spec.key}" + (f", remove {view.spec.file}" if view.removed(found) else ""))

    def capture(self, work: c.Work[SysctlSpec]) -> c.Step:
        (change,) = work.changes
        ask = self._ask(change.spec)

        def parse(out: c.Output) -> Mapping[c.Address, c.Image]:
            live, kept = PARAMETERS.parse(out.stdout)[ask.arg]
            return {change.address: c.Image({"live": live, "persistent": kept})}

        return c.Step(PARAMETERS.command([ask]), parse=parse)

    def apply(self, work: c.Work[SysctlSpec]) -> Sequence[c.Step]:
        return [self._set(change.spec, change.spec.value, change.spec.line) for change in work.changes]

    def undo(self, work: c.Work[SysctlSpec]) -> Sequence[c.Step]:
        (change,) = work.changes
        before = work.images[change.address].data or {}
        return [self._set(change.spec, before.get("live"), before.get("persistent"))]

    def _set(self, spec: SysctlSpec, live: str | None, kept: str | None) -> c.Step:
        """The file first, so that a reboot in the middle has the new value as well. None: no file; the value stays."""
        now, file = (c.quote(path) for path in self._paths(spec))
        script = f"{c.SAFE_PATH}safe_path {file}\n"
        if kept is None:
            script += f"rm -f -- {file}\n"
        else:
            script += f'new=$(mktemp -- {file}.XXXXXX)\ncat "$HACORE_WORK/kept" >"$new"\nchmod 0644 "$new"\n'
            script += f'mv -fT -- "$new" {file}\n'
        if live is not None:
            script += f'cat "$HACORE_WORK/live" >{now}\n'
        return c.Step(script, {"kept": (kept or "").encode(), "live": f"{(live or '').strip()}\n".encode()})


PROVIDER = Sysctl()
