"""The fields of services, and the rules for their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from hacore.contract import Mistake, Spec
from hacore_providers.service import unit_file

__all__ = ["ServiceSpec", "mistakes", "refusal"]


class ServiceSpec(Spec):
    """A unit of the init system. Fields that are not given are not managed."""

    unit: str = Field(
        default="", description="name of the unit; default: the resource's name. `.service` may be left out"
    )
    running: bool | None = Field(default=None, description="whether it runs now")
    enabled: bool | None = Field(default=None, description="whether it starts at boot")
    definition: str | None = Field(
        default=None,
        description="text of the unit file, kept in /etc/systemd/system; or of an init script, in /etc/init.d",
    )
    reload_on: tuple[str, ...] = Field(default=(), description="resources; a change of one reloads the unit")
    restart_on: tuple[str, ...] = Field(default=(), description="resources; a change of one restarts the unit")
    manager: Literal["auto", "systemd", "sysv"] = Field(default="auto", description="auto: that of the host")
    sensitive: bool = Field(default=False, description="never show the definition: it contains a secret")

    @property
    def full(self) -> str:
        """The unit's name with its suffix."""
        return unit_file.full_name(self.unit)

    @property
    def script(self) -> bool:
        """Whether its definition is an init script; for a recorded secret, which has no text, by `manager`."""
        return self.definition is not None and (unit_file.is_script(self.definition) or self.manager == "sysv")

    @property
    def path(self) -> str:
        """The path of its definition, if it has one."""
        return unit_file.path_of(self.full, script=self.script)

    @property
    def short(self) -> str:
        """The unit's name without `.service`."""
        return unit_file.short_name(self.full)


def refusal(spec: ServiceSpec, init: str) -> str:
    """Why an init system cannot provide a spec; empty if it can."""
    if init not in ("systemd", "sysv"):
        return f"cannot manage {spec.short}: this host runs neither systemd nor init scripts"
    if spec.manager not in ("auto", init):
        return f"cannot manage {spec.short}: manager is {spec.manager}, but this host runs {init}"
    if init == "sysv" and not spec.full.endswith(".service"):
        return f"cannot manage {spec.full}: this host has init scripts, and no such units"
    if spec.definition is not None and spec.script != (init == "sysv"):
        kinds = ("a unit file", "an init script (its first line begins with #!)")
        given, wanted = kinds if init == "sysv" else kinds[::-1]
        return f"cannot define {spec.short} by {given}: this host runs {init}, which needs {wanted}"
    return ""


def mistakes(spec: ServiceSpec) -> Iterable[Mistake]:
    """The mistakes in the values of one spec."""
    if not unit_file.valid_name(spec.full):
        yield Mistake(
            "unit", f"{spec.unit!r} is not a unit name: use letters, digits and : _ . \\ - @, as in nginx or x@1.timer"
        )
    elif unit_file.is_template(spec.full) and (spec.running is not None or spec.enabled):
        yield Mistake("unit", f"{spec.full} is a template: name an instance, such as {spec.full.replace('@', '@1', 1)}")
    if spec.definition is None:
        return
    if not spec.definition.endswith("\n"):
        yield Mistake("definition", "the last line has no line end: write the text with `|`")
    if unit_file.is_script(spec.definition):
        yield from _script_mistakes(spec, spec.definition)
        return
    if spec.manager == "sysv":
        yield Mistake("definition", "an init script begins with #!, such as #!/bin/sh: a unit file needs systemd")
    if not unit_file.sections(spec.definition):
        yield Mistake("definition", "a unit file has sections such as [Unit], [Service] and [Install]")
    elif spec.enabled and not unit_file.installable(spec.definition):
        yield Mistake("definition", "enabled: true needs an [Install] section, such as WantedBy=multi-user.target")


def _script_mistakes(spec: ServiceSpec, text: str) -> Iterable[Mistake]:
    if spec.manager == "systemd":
        yield Mistake("definition", "a script that begins with #! is not a unit file, which systemd needs")
    if spec.enabled and not unit_file.runlevels(text):
        yield Mistake(
            "definition", "enabled: true needs `# Default-Start: 2 3 4 5` between `### BEGIN INIT INFO` and its end"
        )
    if spec.sensitive and spec.manager != "sysv":
        yield Mistake(
            "manager", "an init script with a secret needs manager: sysv, because the state does not keep its text"
        )
