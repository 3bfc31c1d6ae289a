"""The services of a pair that runs, as resources of a new stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hacore.contract import Ask, Discover, Discovered, Discovery, Facts
from hacore_providers.facts.agents import AGENTS
from hacore_providers.facts.systemd import DEFINITION, UNIT

__all__ = ["DISCOVER"]

_READS: dict[str, tuple[str, ...]] = {
    "nginx": ("/etc/nginx", "/usr/local/nginx/conf"),
    "haproxy": ("/etc/haproxy",),
    "keepalived": (),
}
"""By unit, the folders of its configuration; keepalived is reloaded by the kind of its file."""


def _find(facts: Facts) -> Discovery:
    """The services of one host: whether they run, whether they start at boot, and unit files made by hand."""
    return Discovery(tuple(_resources(facts)), rivals=facts.get(AGENTS, "") or ())


def _resources(facts: Facts) -> Iterator[Discovered]:
    for name, folders in _READS.items():
        unit = facts.get(UNIT, f"{name}.service")
        if unit is None or not unit.found or unit.load == "masked":
            continue
        body: dict[str, Any] = {"running": unit.active in ("active", "reloading", "activating")}
        if unit.file_state in ("enabled", "disabled") or unit.sysv:
            body["enabled"] = unit.sysv or unit.file_state == "enabled"
        own = facts.get(DEFINITION, _path(name))
        if own is not None and own.text is not None:
            body["definition"] = own.text
        links = {"reload_on": folders, "needs": (f"package:{name}",)}
        if name == "keepalived":
            links = {"needs": ("package:keepalived", "service:")}
        yield Discovered(name, body, f"unit:{name}" if name == "keepalived" else f"service:{name}", links)


def _path(name: str) -> str:
    return f"/etc/systemd/system/{name}.service"


DISCOVER = Discover(
    (
        Ask(AGENTS, ""),
        *(Ask(UNIT, f"{name}.service") for name in _READS),
        *(Ask(DEFINITION, _path(name)) for name in _READS),
    ),
    _find,
)
