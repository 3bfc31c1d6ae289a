"""vip: a virtual address that exactly one member of a VRRP instance must hold.

It changes nothing on a host. Its task waits until the probe of all members shows exactly one holder. A move to
another member is not drift; no holder or several holders are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from hacore.contract import (
    NO_RULES,
    Ask,
    Check,
    Desired,
    Health,
    Host,
    Lifecycle,
    Mistake,
    Observed,
    Provider,
    Served,
    Spec,
    StackFiles,
    Verdict,
    View,
)

from ..facts.addresses import ADDRESSES, holds, parse_ip, plain
from ..facts.http import HOST, HTTP, Answer, question
from ..facts.systemd import UNIT
from .discover import DISCOVER

PATIENCE = 30.0
"""Seconds for the members to elect one holder: 3 missing adverts, and the start of the watched services."""


class HttpCheck(BaseModel):
    """A health check: GET `http` through the address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    http: str = Field(description="an http or https URL")
    status: int = Field(default=200, description="status that the answer must have")
    body: str = Field(default="", description="text that the body must contain")
    timeout: float = Field(default=3.0, gt=0, description="seconds")
    host: str = Field(
        default="", description="the name to ask for, where the URL has an address: `Host` and, with https, SNI"
    )
    insecure: bool = Field(default=False, description="do not verify the certificate, as `curl -k`")

    def question(self, address: str) -> str:
        """The question for the holder of an address."""
        return question(self.http, address, self.timeout, self.host, insecure=self.insecure)


class VipSpec(Spec):
    """A virtual address that exactly one member of a VRRP instance must hold. It changes nothing on a host."""

    instance: str = Field(description="name of the vrrp_instance that carries the address")
    address: str = Field(default="", description="one of the instance's addresses; default: its only one")
    checks: tuple[HttpCheck, ...] = Field(default=(), description="health checks, made by the holder and by hacore")
    sensitive: SkipJsonSchema[bool] = Field(default=False, description="filled in by hacore: a check names a secret")
    unit: SkipJsonSchema[str] = Field(default="", description="filled in by hacore: the unit of the instance's daemon")


class Vip(Provider[VipSpec]):
    """The kind `vip`: one instance for all hosts."""

    api = 2
    kind = "vip"
    spec = VipSpec
    discover = DISCOVER
    hosts = "together"
    plain = ("instance", "address")  # an undo and drift find the holder by them

    # -- at load
    def resolve(self, spec: VipSpec, files: StackFiles) -> VipSpec:
        """The address without its prefix length; default: the only one of the instance."""
        address = spec.address
        found = files.resource("vrrp_instance", spec.instance)
        unit = str(getattr(found, "service", ""))
        unit += "" if "." in unit or not unit else ".service"
        if not address:
            addresses: Sequence[Any] = getattr(found, "vips", ())
            address = addresses[0].address if len(addresses) == 1 else ""
        return spec.model_copy(update={"address": plain(address), "sensitive": files.sensitive, "unit": unit})

    def validate(
        self, members: Mapping[str, VipSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """The address must be an IP address, the checks must have HTTP URLs."""
        for host, spec in list(members.items())[:1]:
            if not spec.address:
                yield (
                    host,
                    Mistake.where(
                        "address",
                        f"is missing: vrrp_instance.{spec.instance} has none or several; name one of its addresses",
                    ),
                )
            elif parse_ip(spec.address) is None:
                yield host, Mistake.where("address", f"is {spec.address!r}: it must be an IP address")
            for index, check in enumerate(spec.checks):
                if not _is_url(check.http):
                    yield (
                        host,
                        Mistake.where(f"checks.{index}.http", f"is {check.http!r}: it must be an http or https URL"),
                    )
                if check.host and not HOST.match(check.host):
                    yield host, Mistake.where(f"checks.{index}.host", f"is {check.host!r}: it must be a host name")

    def needs(self, spec: VipSpec) -> Sequence[str]:
        """The instance, on all of its members."""
        return (f"vrrp_instance.{spec.instance}",)

    # -- at plan
    def facts(self, spec: VipSpec) -> Sequence[Ask]:
        """Each member's addresses and daemon; the holder also makes the checks."""
        checks = (c.question(spec.address) for c in spec.checks if _is_url(c.http))
        daemon = (Ask(UNIT, spec.unit),) if spec.unit else ()
        return (Ask(ADDRESSES, ""), *daemon, *(Ask(HTTP, arg, secret=spec.sensitive) for arg in checks))

    def observe(self, view: View[VipSpec]) -> Observed | None:
        """The number of holders: one, several, none (absent), or unknown if an unreachable host may be one."""
        spec = view.spec
        seen = {host: facts.get(ADDRESSES, "") for host, (_, facts) in view.members.items()}
        held_by = [host for host, addresses in seen.items() if holds(addresses, spec.address)]
        silent = [host for host, addresses in seen.items() if addresses is None]
        if not held_by and not silent:
            return None
        holder = "unknown" if not held_by else "one" if len(held_by) == 1 else "several"
        verdicts: list[Verdict] = []
        for number, check in enumerate(spec.checks, 1):
            name = f"check {number}" if spec.sensitive else check.http
            arg = check.question(spec.address)
            answers = [view.members[host][1].get(HTTP, arg) for host in held_by]
            verdicts.append(_verdict(name, check, next((a for a in answers if a is not None), None)))
        return Observed(
            {"holder": holder},
            {
                "held_by": held_by,
                "address": spec.address,
                "checks": {str(n): v.words for n, v in enumerate(verdicts, 1)},
            },
            health=Health(spec.address, tuple(held_by), tuple(verdicts)),
        )

    def served(self, view: View[VipSpec]) -> Sequence[Served]:
        """Its checks, as its holder made them."""
        observed = self.observe(view)
        verdicts = () if observed is None or observed.health is None else observed.health.verdicts
        return (Served(view.spec.address, checks=verdicts),)

    def desire(self, view: View[VipSpec]) -> Desired:
        """Exactly one holder, on any member."""
        stopped = _all_stopped(view)
        why = (
            f", once {view.spec.unit.removesuffix('.service')}, which is stopped on {stopped}, runs" if stopped else ""
        )
        return Desired({"holder": "one"}, effect=f"wait until exactly one host holds it{why}")

    def checks(self, spec: VipSpec) -> Sequence[Check]:
        """The same checks for the controller."""
        return tuple(
            Check(c.http, c.status, c.body, c.timeout, c.host, c.insecure) for c in spec.checks if _is_url(c.http)
        )

    def patience(self, spec: VipSpec) -> float:
        """Seconds for the members to elect one holder."""
        return PATIENCE


def _all_stopped(view: View[VipSpec]) -> str:
    """The members, if the daemon is installed and runs on none of them: then nobody can hold the address."""
    units = {host: facts.get(UNIT, view.spec.unit) for host, (_, facts) in view.members.items()}
    known = [unit for unit in units.values() if unit is not None and unit.found]
    if len(known) < len(units) or any(unit.active not in ("inactive", "failed") for unit in known):
        return ""
    *most, last = units
    return f"{', '.join(most)} and {last}" if most else last


def _is_url(text: str) -> bool:
    """Whether it can be asked: a recorded URL with a secret in it is only an HMAC."""
    return text.startswith(("http://", "https://"))


def _verdict(name: str, check: HttpCheck, answer: Answer | None) -> Verdict:
    if answer is None:
        return Verdict(name, None, "not asked")
    if answer.status == 0:
        return Verdict(name, False, f"no answer: {answer.reason}" if answer.reason else "no answer")
    if answer.status != check.status:
        to = f" to {answer.location}" if answer.location else ""
        return Verdict(name, False, f"status {answer.status}{to}, not {check.status}")
    if check.body not in answer.body:
        wanted = "the wanted text" if name != check.http else repr(check.body)
        return Verdict(name, False, f"status {answer.status}, but the body does not contain {wanted}")
    return Verdict(name, True, "ok")


PROVIDER = Vip()
