"""The rules for the texts of a VRRP instance: names, paths, commands, globals and raw lines of keepalived.conf(5)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from hacore.contract import Mistake

from ..facts.addresses import parse_ip
from .raw_text import ELSEWHERE, raw_mistakes
from .spec import VrrpInstanceSpec
from .tokens import command_fault, line_fault, raw_faults, word_fault

_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,239}\Z")
_MISSPELT = {"smtp_connection_timeout": "smtp_connect_timeout", "notification_mail": "notification_email"}
_NAMESPACES = ("net_namespace", "namespace")
FIELDS = {
    "state": "state",
    "interface": "interface",
    "virtual_router_id": "virtual_router_id",
    "priority": "priority",
    "version": "version",
    "advert_int": "advert_interval",
    "authentication": "authentication",
    "nopreempt": "preempt",
    "preempt": "preempt",
    "preempt_delay": "preempt_delay",
    "unicast_src_ip": "unicast_src_ip",
    "unicast_peer": "unicast",
    "virtual_ipaddress": "addresses",
    "track_script": "track_scripts",
    "track_file": "track_files",
    "track_process": "track_processes",
    "track_interface": "track_interfaces",
    "notify": "notify.any",
    "notify_master": "notify.master",
    "notify_backup": "notify.backup",
    "notify_fault": "notify.fault",
    "notify_stop": "notify.stop",
}
"""Keywords of a vrrp_instance that have a field: in `extra` the rules would not see them."""


def command_mistakes(where: str, command: str) -> Iterator[Mistake]:
    """Why keepalived cannot run a command line."""
    fault = command_fault(command)
    if fault:
        yield Mistake.where(where, f"is {command!r}: {fault}")


def text_mistakes(spec: VrrpInstanceSpec) -> Iterator[Mistake]:
    """Mistakes in names, paths, globals and raw lines."""
    if not _NAME.match(spec.name) or spec.name in (".", ".."):
        yield Mistake.where("name", f"is {spec.name!r}: use letters, digits, _ . -")
    for keyword, script in spec.notify.scripts().items():
        yield from command_mistakes(
            f"notify.{keyword.removeprefix('notify_') if keyword != 'notify' else 'any'}", script
        )
    for field in ("config", "binary"):
        path = getattr(spec, field)
        if not re.match(r"(/[^/\s]+)+\Z", path) or not path.isprintable():
            yield Mistake.where(
                field, f"is {path!r}: it must be an absolute path of printable characters, without spaces"
            )
    if not _UNIT.match(spec.service):
        yield Mistake.where("service", f"is {spec.service!r}: it must be the name of a unit, such as keepalived")
    yield from _globals(spec)
    if spec.router_id is not None:
        fault = word_fault(spec.router_id)
        if fault:
            yield Mistake.where("router_id", f"is {spec.router_id!r}: it must be one word: {fault}")
    for fault in raw_faults(spec.extra_lines):
        yield Mistake.where("extra", fault)
    for field, lines in (("raw_before", spec.lines_before), ("raw_after", spec.lines_after)):
        yield from (Mistake.where(field, fault) for fault in raw_mistakes(lines))
    if spec.sync_group is not None and not _NAME.match(spec.sync_group):
        yield Mistake.where("sync_group", f"is {spec.sync_group!r}: use letters, digits, _ . -")
    for field, address in (("unicast_src_ip", spec.unicast_src_ip), *(("unicast", peer) for peer in spec.peers)):
        if address is not None and parse_ip(address) is None:
            why = "has a zone (%), which keepalived does not accept" if "%" in address else "must be an IP address"
            yield Mistake(field, f"names {address!r}: it {why}")


def _globals(spec: VrrpInstanceSpec) -> Iterator[Mistake]:
    for key, value in spec.globals.items():
        where = f"globals.{key}"
        if key in _MISSPELT:
            yield Mistake.where(where, f"is not a keyword of keepalived: write {_MISSPELT[key]}")
            continue
        items = value if isinstance(value, list | tuple) else [value]
        if not re.match(r"[a-z][a-z0-9_]*\Z", key) or any(isinstance(item, dict | list | tuple) for item in items):
            yield Mistake.where(where, "is not a keyword with a value, a flag (true) or a list")
            continue
        if key in _NAMESPACES:
            yield Mistake.where(where, f"puts the addresses where hacore does not look: {ELSEWHERE[key]}")
        if key.startswith("include"):
            yield Mistake.where(where, "would make keepalived read another file: write its keywords here")
        for item in items:
            fault = _value_fault(item, alone=items[0] is value)
            if fault:
                yield Mistake.where(where, f"{'is' if items[0] is value else 'has'} {item!r}: {fault}")
    own = spec.globals.get("router_id")
    if own is not None and spec.router_id is not None and str(own) != spec.router_id:
        yield Mistake.where("router_id", f"is {spec.router_id}, but globals.router_id is {own}: remove one of them")
    for keyword in dict.fromkeys(spec.extra_keywords):
        if keyword in FIELDS:
            yield Mistake.where("extra", f"has the keyword {keyword}: use the field {FIELDS[keyword]}")


def _value_fault(value: object, *, alone: bool) -> str:
    """Why a value of a global, `alone` or in a list, cannot be written."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "write a number"
    if value is None or isinstance(value, int):
        return "" if alone or not isinstance(value, bool | None) else "write a word or a number"
    return line_fault(str(value))


__all__ = ["FIELDS", "command_mistakes", "text_mistakes"]
