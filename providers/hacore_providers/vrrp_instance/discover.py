"""The vrrp_instances of a keepalived.conf that somebody else wrote, as resources of a new stack.

Each statement becomes a field, a raw line, or an entry of the list of what is left out: nothing is dropped silently.
Included files are part of the result, as if they stood in the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hacore.contract import Ask, Discover, Discovered, Discovery, Facts, LeftOut, Secret

from ..facts.addresses import parse_ip, plain
from ..facts.keepalived import HEADER, VERSION
from ..facts.keepalived_files import KEEPALIVED_FILES, PLACES, configuration
from ..keepalived import Document, Statement, read, write
from ..keepalived.keywords import known
from .from_config import TRACKERS, FoundInstance, found_instances
from .raw_text import ELSEWHERE
from .spec import BINARY, CONFIG

__all__ = ["DISCOVER"]

PROGRAMS = (BINARY, "/usr/local/sbin/keepalived", "/usr/local/keepalived/sbin/keepalived")
"""Where keepalived is: of a package, and of builds with the usual prefixes."""
_FIELDS = frozenset(
    {
        "interface", "virtual_router_id", "priority", "state", "version", "advert_int", "authentication", "preempt",
        "nopreempt", "preempt_delay", "unicast_peer", "unicast_src_ip", "virtual_ipaddress", "track_script",
        "track_file", "track_process", "track_interface", "notify", "notify_master", "notify_backup", "notify_fault",
        "notify_stop",
    }
)  # fmt: skip
"""The statements of an instance for which the kind has fields; all others become raw lines."""

_FILE = frozenset({"file", "weight", "init_file"})
_TRACKER_FIELDS = {
    "vrrp_script": frozenset({"script", "interval", "timeout", "weight", "rise", "fall", "user"}),
    "vrrp_track_file": _FILE,
    "track_file": _FILE,
    "vrrp_track_process": frozenset({"process", "weight", "quorum", "delay"}),
}
_PASSWORD = re.compile(
    r"(?i)(?:^|[^a-z])(?:password|passwd|passphrase|pass|pw|secret|token|api[_-]?key|authorization)"
    r"(?:[ \t]*[=:][ \t]*|[ \t]+)[^ \t]|://[^/\s:@]+:[^/\s@]+@|[ \t]-p(?=[^ \t\d])"
)
"""A password in a command or a line: `password X`, `--password=X`, `-pX`, a URL with user and password."""
_MAIL = ("smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker", "virtual_server")
_USED = 8
"""Bytes of auth_pass that keepalived sends (RFC 2338, section 5.3.6.1)."""


def _find(facts: Facts) -> Discovery:
    """The instances of one host, with what its keepalived.conf has besides."""
    known = configuration(facts)
    if known is None:
        return Discovery(left_out=(LeftOut(CONFIG, "the host has no such file, or the user cannot read it"),))
    path, found = known
    data = found.files[path]
    if data.startswith(HEADER.encode()):
        return Discovery(left_out=(LeftOut(path, "hacore manages this file already, with another stack"),))
    name = facts.host.hostname.partition(".")[0] or None
    document = read(data, path, files=found.included, config_id=name)
    program = next((one for one in PROGRAMS if facts.get(VERSION, one) is not None), BINARY)
    own = {"config": path} if path != CONFIG else {}
    own |= {"binary": program} if program != BINARY else {}
    reading = _Reading(document, [LeftOut(file, f"not read: {why}") for file, why in found.refused.items()], own)
    return Discovery(tuple(reading.resources()), tuple(reading.left))


@dataclass(slots=True)
class _Reading:
    """One configuration while it becomes resources."""

    document: Document
    left: list[LeftOut] = field(default_factory=list)
    own: dict[str, Any] = field(default_factory=dict)  # fields of each instance: where keepalived is

    def resources(self) -> Iterator[Discovered]:
        for fault in self.document.faults:
            self._leave(fault, fault.message)
        groups = self._groups()
        first = True
        for instance in found_instances(self.document):
            for problem in instance.problems:
                self._leave(problem, problem.message)
            if instance.spec is None:
                continue
            body = self._body(instance)
            if instance.name in groups:
                body["sync_group"] = groups[instance.name]
            if first:  # what the file has once is merged from all instances: one of them is enough
                body |= self._around()
                first = False
            body = {key: _guarded(value, f"{instance.name}_{key}") for key, value in body.items()}
            yield Discovered(instance.name, body | self.own, links={"needs": ("package:keepalived",)})
        self._unused()

    def _leave(self, at: Any, why: str) -> None:
        place = at.at
        self.left.append(LeftOut(f"{place.file}:{place.line}", why))

    def _groups(self) -> dict[str, str]:
        """The sync group of each instance."""
        found: dict[str, str] = {}
        for block in self.document.all("vrrp_sync_group"):
            for inner in block.block or ():
                if inner.keyword == "group":
                    names = [word.text for entry in inner.block or () for word in entry.words]
                    found |= dict.fromkeys(names, block.value)
                else:
                    self._leave(inner, f"{inner.keyword} of a sync group has no field: give it to the instances")
        return found

    def _body(self, instance: FoundInstance) -> dict[str, Any]:
        spec, statement = instance.spec, instance.statement
        assert spec is not None
        body = spec.model_dump(mode="json", exclude_unset=True, exclude_none=True, by_alias=True)
        for name in ("name", "globals", "router_id", "addresses", "authentication"):
            body.pop(name, None)
        body["addresses"] = [a for block in statement.all("virtual_ipaddress") for a in self._addresses(block)]
        auth = spec.authentication
        if auth is not None:
            password = auth.password.encode()[:_USED].decode("utf-8", "ignore")
            if password != auth.password:
                self._leave(
                    statement.last("authentication") or statement,
                    f"auth_pass has more than {_USED} bytes: give the first {_USED}, keepalived uses no more",
                )
            body["authentication"] = {"type": auth.type, "password": Secret(f"{instance.name}_password", password)}
        self._trackers(statement, body)
        body = {key: _whole(value) for key, value in body.items()}
        if extra := self._extra(statement):
            body["extra"] = extra
        return body

    def _addresses(self, block: Statement) -> Iterator[str | dict[str, str]]:
        for entry in block.block or ():
            words = list(entry.values)
            options: dict[str, str] = {}
            while words:
                word = words.pop(0)
                if word in ("dev", "label", "scope") and words:
                    options[word] = words.pop(0)
                else:
                    value = (
                        f" {words.pop(0)}" if word in ("brd", "broadcast", "peer", "preferred_lft") and words else ""
                    )
                    self._leave(entry, f"{word}{value} of the address {entry.keyword}: hacore has no field for it")
            yield {"address": entry.keyword} | options if options else entry.keyword

    def _trackers(self, statement: Statement, body: dict[str, Any]) -> None:
        """Drops what names no tracker that keepalived knows at that line; weights of the entry are the tracker's."""
        for keyword, blocks in TRACKERS.items():
            definitions = list(self.document.all(*blocks))
            for entry in (e for block in statement.all(keyword) for e in block.block or ()):
                named = next((d for d in definitions if d.value == entry.keyword), None)
                if named is None:
                    self._leave(entry, f"{keyword} {entry.keyword} is not defined, so keepalived ignores it")
                elif _order(self.document, named) > _order(self.document, statement):
                    self._leave(entry, f"{entry.keyword} is defined after its use, so keepalived ignores it")
                    fields = {"track_script": "track_scripts", "track_file": "track_files"}
                    body.get(fields.get(keyword, "track_processes"), {}).pop(entry.keyword, None)

    def _extra(self, statement: Statement) -> list[str]:
        lines: list[str] = []
        for inner in statement.block or ():
            if inner.keyword in _FIELDS:
                continue
            if inner.keyword not in known("vrrp_instance"):
                self._leave(inner, f"keepalived does not know {inner.keyword} in a vrrp_instance, and ignores it")
                continue
            lines += write([inner]).splitlines()
        return lines

    def _around(self) -> dict[str, Any]:
        """global_defs, and the statements before and after the instances."""
        around: dict[str, Any] = {}
        settings = self._globals()
        router = settings.pop("router_id", None)
        if router is not None:
            around["router_id"] = router
        if settings:
            around["globals"] = settings
        before: list[str] = []
        after: list[str] = []
        seen = False
        for statement in self.document.statements:
            seen = seen or statement.keyword == "vrrp_instance"
            if statement.keyword in ("net_namespace", "namespace"):
                self._leave(statement, f"{statement.keyword}: {ELSEWHERE[statement.keyword]}")
            elif statement.keyword in ELSEWHERE:
                continue
            elif statement.keyword not in known("/"):
                self._leave(statement, f"keepalived does not know {statement.keyword} here, and ignores it")
            else:
                late = seen or statement.keyword.startswith("virtual_server")
                (after if late else before).extend(write([statement]).splitlines())
        return around | {name: lines for name, lines in (("raw_before", before), ("raw_after", after)) if lines}

    def _globals(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        mails = any(s.keyword in _MAIL for s in _walk(self.document.statements))
        for inner in (i for block in self.document.all("global_defs") for i in block.block or ()):
            keyword = inner.keyword
            if keyword not in known("global_defs"):
                self._leave(inner, f"keepalived does not know {keyword} in global_defs, and ignores it")
            elif keyword == "smtp_server" and not mails and parse_ip(plain(inner.value)) is None:
                self._leave(inner, "no smtp_alert sends mail, and `keepalived -t` fails for an unknown name")
            elif inner.block is not None:
                found[keyword] = [" ".join(word.text for word in entry.words) for entry in inner.block]
            else:
                found[keyword] = " ".join(inner.values) if inner.values else True
        return found

    def _unused(self) -> None:
        used = {
            (keyword, entry.keyword)
            for instance in self.document.all("vrrp_instance")
            for keyword in TRACKERS
            for block in instance.all(keyword)
            for entry in block.block or ()
        }
        for keyword, blocks in TRACKERS.items():
            for definition in self.document.all(*blocks):
                if (keyword, definition.value) not in used:
                    self._leave(definition, f"{definition.keyword} {definition.value} is used by no instance")
                for inner in definition.block or ():
                    if inner.keyword not in _TRACKER_FIELDS[definition.keyword]:
                        self._leave(inner, f"{inner.keyword} of {definition.value}: hacore has no field for it")


def _guarded(value: Any, hint: str) -> Any:
    """Each text that may contain a password as a secret: a command with it, or a line of the file, as a whole."""
    if isinstance(value, str):
        return Secret(hint, value) if _PASSWORD.search(value) else value
    if isinstance(value, dict):
        return {key: _guarded(inner, f"{hint}_{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_guarded(inner, f"{hint}_{number}") for number, inner in enumerate(value, 1)]
    return value


def _whole(value: Any) -> Any:
    """Numbers without a fraction as integers, as people write them."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _order(document: Document, statement: Statement) -> int:
    return next(i for i, other in enumerate(document.statements) if other is statement)


def _walk(statements: Iterable[Statement]) -> Iterator[Statement]:
    for statement in statements:
        yield statement
        yield from _walk(statement.block or ())


DISCOVER = Discover(
    (*(Ask(KEEPALIVED_FILES, path) for path in PLACES), *(Ask(VERSION, program) for program in PROGRAMS)), _find
)
