"""The rules for one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hacore.contract import suggestion

from ..keepalived import Document, Statement
from ..keepalived.keywords import BLOCKS, LISTS, known
from ..vrrp_instance.from_config import TRACKERS, FoundInstance
from .catalogue import RULES
from .finding import Finding, Member

__all__ = ["file_findings"]

_QUOTES = "“”„‟‘’«»"
_REFERENCES = {"track_script": "vrrp_script", "track_file": "vrrp_track_file", "track_process": "vrrp_track_process"}
_TRACKED = ("vrrp_track_file", "track_file", "vrrp_track_process", "bfd_instance")
_NAMED = frozenset({"vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server_group", *_TRACKED})
_FREE = frozenset({"virtual_server_group", "net_namespace", "include_check"})


def file_findings(member: Member) -> Iterator[Finding]:
    """All findings of one host's configuration."""
    document = member.document
    for fault in document.faults:
        yield Finding(fault.rule, RULES[fault.rule].severity, fault.at, fault.message)
    for instance in member.instances:
        for problem in instance.problems:
            yield Finding(problem.rule, RULES[problem.rule].severity, problem.at, problem.message)
    yield from _keywords(document.statements, "/")
    yield from _quotes(document.statements)
    yield from _nameless(document)
    yield from _twice(member.instances)
    yield from _trackers(document)
    yield from _unused(document)
    yield from _security(document)


def _found(rule: str, statement: Statement, message: str) -> Finding:
    return Finding(rule, RULES[rule].severity, statement.at, message)


def _keywords(statements: Iterable[Statement], block: str) -> Iterator[Finding]:
    """Keywords that no version of keepalived knows in this block."""
    for statement in statements:
        keyword = statement.keyword
        if keyword not in known(block):
            elsewhere = next((b for b in BLOCKS if keyword in known(b)), "")
            near = suggestion(keyword, sorted(known(block)), "")
            if elsewhere:
                belongs = "outside of blocks" if elsewhere == "/" else f"into {elsewhere.replace('/', ' ')}"
                yield _found(
                    "misplaced-keyword",
                    statement,
                    f"{keyword} is {_where(block)}, where keepalived ignores it: it belongs {belongs}; look for a "
                    "{ or } that is missing or superfluous before it",
                )
            elif keyword.startswith("$") and statement.value == "=":
                message = f"a blank is before the =, so that {keyword} defines nothing: write {keyword}=VALUE"
                yield _found("misspelt-keyword", statement, message)
            elif near:
                yield _found("misspelt-keyword", statement, f"keepalived does not know {keyword}: {near}")
            else:
                yield _found("unknown-keyword", statement, f"keepalived does not know {keyword} {_where(block)}")
        if statement.block is None or keyword in LISTS or keyword in _FREE:
            continue
        inner = "virtual_server" if block == "virtual_server" else f"{block}/{keyword}".removeprefix("//")
        inner = inner.removeprefix("/")
        if inner in BLOCKS:
            yield from _keywords(statement.block, inner)


def _where(block: str) -> str:
    return "outside of blocks" if block == "/" else f"in {block.replace('/', ' ')}"


def _quotes(statements: Iterable[Statement]) -> Iterator[Finding]:
    """Quotes of a word processor: to keepalived they are letters."""
    for statement in statements:
        for word in statement.words:
            character = next((c for c in word.text if c in _QUOTES), None)
            if character is not None and not word.quoted:
                yield Finding(
                    "typographic-quote",
                    "fault",
                    word.at,
                    f'{character} is part of the word to keepalived; write "',
                )
                break
        yield from _quotes(statement.block or ())


def _nameless(document: Document) -> Iterator[Finding]:
    """Blocks without the name that others call them by."""
    for statement in document.all(*sorted(_NAMED)):
        if not statement.value:
            yield _found("no-name", statement, f"{statement.keyword} has no name: write {statement.keyword} NAME {{")


def _twice(instances: tuple[FoundInstance, ...]) -> Iterator[Finding]:
    """Names, router ids and addresses that may be there once."""
    names: dict[str, FoundInstance] = {}
    numbers: dict[tuple[str, int, bool], FoundInstance] = {}
    addresses: dict[str, FoundInstance] = {}
    for instance in instances:
        first = names.setdefault(instance.name, instance)
        if first is not instance:
            message = f"vrrp_instance {instance.name} is in line {first.statement.at.line}, too: give each its own name"
            yield _found("name-twice", instance.statement, message)
        spec = instance.spec
        if spec is None:
            continue
        ipv6 = any(":" in vip.address for vip in spec.vips)
        other = numbers.setdefault((spec.interface, spec.virtual_router_id, ipv6), instance)
        if other is not instance:
            yield Finding(
                "router-id-twice",
                "fault",
                instance.place("virtual_router_id"),
                f"virtual_router_id is {spec.virtual_router_id} as in {other.name}, on the same interface: keepalived "
                "takes the adverts of one for the other's; give each instance its own number",
            )
        for vip in spec.vips:
            owner = addresses.setdefault(vip.address.partition("/")[0], instance)
            if owner is not instance:
                yield Finding(
                    "address-twice",
                    "fault",
                    instance.place("addresses"),
                    f"{vip.address.partition('/')[0]} is in {owner.name}, too: keepalived removes an address with the "
                    "first of its instances that becomes backup; leave it in one of them",
                )


def _trackers(document: Document) -> Iterator[Finding]:
    """Trackers that are used: defined, and before their use."""
    order = {id(statement): number for number, statement in enumerate(document.statements)}
    for user in document.all("vrrp_instance", "vrrp_sync_group"):
        for block in user.all(*TRACKERS):
            keywords = TRACKERS[block.keyword]
            for entry in block.block or ():
                definitions = [d for d in document.all(*keywords) if d.value == entry.keyword]
                what = f"{_REFERENCES[block.keyword]} {entry.keyword}"
                if not definitions:
                    others = [d.value for d in document.all(*keywords)]
                    hint = suggestion(entry.keyword, others, "keepalived ignores it")
                    yield _found("tracker-undefined", entry, f"no {what} is defined: {hint}")
                elif order[id(definitions[0])] > order[id(user)]:
                    line = definitions[0].at.line
                    yield _found(
                        "tracker-order",
                        entry,
                        f"{what} is defined in line {line}, after its use: keepalived ignores it here; move the "
                        "definition before the first instance",
                    )


def _unused(document: Document) -> Iterator[Finding]:
    users = list(document.all("vrrp_instance", "vrrp_sync_group"))
    for reference, keywords in TRACKERS.items():
        used = {entry.keyword for user in users for block in user.all(reference) for entry in block.block or ()}
        lvs = reference == "track_file" and any(True for _ in document.all("virtual_server"))
        for definition in document.all(*keywords):
            if definition.value not in used and not lvs:
                message = f"{definition.keyword} {definition.value} is used by no instance: it watches nothing"
                yield _found("tracker-unused", definition, message)


def _security(document: Document) -> Iterator[Finding]:
    scripts = [s for s in document.all("vrrp_script") if s.block and s.last("user") is None]
    if not scripts:
        return
    settings = {inner.keyword for block in document.all("global_defs") for inner in block.block or ()}
    if "enable_script_security" not in settings:
        yield _found(
            "script-security",
            scripts[0],
            f"vrrp_script {scripts[0].value} runs as root although others may be able to write it: set "
            "enable_script_security and script_user in global_defs, or a user here",
        )
    elif "script_user" not in settings:
        yield _found(
            "script-user",
            scripts[0],
            f"vrrp_script {scripts[0].value} has no user: with enable_script_security keepalived runs it as "
            "keepalived_script, and drops it on hosts without this user; set script_user in global_defs",
        )
