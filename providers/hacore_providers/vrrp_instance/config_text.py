"""keepalived.conf of the instances of a host: one canonical form, a strict subset of keepalived.conf(5)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from hacore.contract import Address

from ..facts.addresses import parse_ip, plain
from ..facts.keepalived import HEADER
from .raw_text import Item, checked, items
from .spec import VirtualAddress, VrrpInstanceSpec
from .tokens import UnsafeTextError, number, quoted, raw_faults, word, word_fault, words

Companions = Sequence[tuple[Address, VrrpInstanceSpec]]

_SECURITY = {"enable_script_security": True, "script_user": "root"}
"""Settings without which keepalived runs no scripts, unless `globals` sets them: without both it reports a security
violation; with the first alone it drops scripts on hosts without a user keepalived_script."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+\Z")
_SECRET = re.compile(r"(?m)^(\s*(?:auth_pass|key|password)\s+).*$")


class ContradictionError(ValueError):
    """Instances on one host have different values for a keyword that exists once in the file."""


def render(companions: Companions) -> str:
    """The whole file. Every value is checked and quoted by tokens.py.

    Raises ContradictionError if the instances have different globals or trackers, UnsafeTextError for a value that
    keepalived would read as something else.
    """
    ordered = sorted(companions, key=lambda item: item[0])
    specs = [spec for _, spec in ordered]
    blocks = [_block("global_defs", _pairs(merged_globals(ordered)))]
    blocks += merged_raw(ordered, "raw_before")
    kinds = (("vrrp_script", _script_lines), ("vrrp_track_file", _file_lines), ("vrrp_track_process", _process_lines))
    for keyword, lines in kinds:
        blocks += [_block(f"{keyword} {word(name)}", lines(t)) for name, t in merged_trackers(ordered, keyword).items()]
    blocks += [_block(f"vrrp_track_file {name}", lines) for spec in specs for name, lines in _drains(spec).items()]
    for name, group in sync_groups(specs).items():
        blocks.append(_block(f"vrrp_sync_group {word(name)}", _group_lines(group)))
    blocks += [_block(f"vrrp_instance {word(spec.name)}", _instance_lines(spec)) for spec in specs]
    blocks += merged_raw(ordered, "raw_after")
    return "\n".join([f"{HEADER}: changes made here by hand are drift\n", *blocks])


def masked(text: str) -> str:
    """The text of a keepalived.conf with hidden passwords, for diffs."""
    return _SECRET.sub(r"\1(hidden)", text)


def needs_promotion(spec: VrrpInstanceSpec, host: str) -> bool:
    """Whether the kernel would remove several addresses when keepalived (2.2.7) removes one of them.

    The first IPv4 address in a network is the primary one; without promote_secondaries the others are removed with it.
    That is an address of the host itself, if it has one there. An address with prefix length 32 has no others.
    """
    own = parse_ip(spec.unicast_src_ip or host)
    for vip in spec.vips:
        try:
            address = ipaddress.ip_interface(vip.address)
        except ValueError:
            continue
        if address.version == 4 and address.network.prefixlen < 32 and (own is None or own not in address.network):
            return True
    return False


def addresses_in(text: str) -> frozenset[str]:
    """All addresses in blocks `virtual_ipaddress` and `virtual_ipaddress_excluded`, in their shortest form."""
    uncommented = re.sub(r"[#!].*", "", text)
    blocks = re.findall(r"virtual_ipaddress(?:_excluded)?\s*\{([^}]*)\}", uncommented)
    entries = (line.split() for block in blocks for line in block.splitlines())
    return frozenset(plain(words[0]) for words in entries if words)


def merged_globals(companions: Companions) -> dict[str, Any]:
    """global_defs of all instances together, router_id first; equal ones are merged."""
    found: dict[str, tuple[Any, Address]] = {}
    for address, spec in companions:
        own = dict(spec.globals) | ({"router_id": spec.router_id} if spec.router_id is not None else {})
        _merge(found, own, address, "global ")
    merged = _SECURITY | {key: value for key, (value, _) in found.items()}
    return {key: merged[key] for key in sorted(merged, key=lambda k: (k != "router_id", k))}


def merged_trackers(companions: Companions, keyword: str) -> dict[str, Any]:
    """The trackers of one keyword, by name, in order; equal ones are merged."""
    found: dict[str, tuple[Any, Address]] = {}
    fields = {"vrrp_script": "track_scripts", "vrrp_track_file": "track_files", "vrrp_track_process": "track_processes"}
    for address, spec in companions:
        _merge(found, getattr(spec, fields[keyword]), address, f"{keyword} ")
    return {name: found[name][0] for name in sorted(found)}


def merged_raw(companions: Companions, field: str) -> list[str]:
    """The statements of `raw_before` or `raw_after` of all instances, in order; what two have alike is written once."""
    known: dict[tuple[str, ...], tuple[Item, Address]] = {}
    found: list[str] = []
    for address, spec in companions:
        lines = spec.lines_before if field == "raw_before" else spec.lines_after
        for item in items(checked(lines, field)):
            same, first = known.setdefault(item.words if item.block else item.lines, (item, address))
            if first == address:
                found.append("".join(f"{line}\n" for line in item.lines))
            elif same.lines != item.lines:
                raise ContradictionError(
                    f"cannot write one keepalived.conf: {field} has the block {' '.join(item.words)} in {first} and "
                    f"another one in {address}; give both the same text"
                )
    return ["".join(found)] if found else []


def sync_groups(specs: Iterable[VrrpInstanceSpec]) -> dict[str, list[VrrpInstanceSpec]]:
    """The instances of each sync group, by its name, in order."""
    found: dict[str, list[VrrpInstanceSpec]] = {}
    for spec in specs:
        if spec.sync_group is not None:
            found.setdefault(spec.sync_group, []).append(spec)
    return dict(sorted(found.items()))


def _merge(found: dict[str, tuple[Any, Address]], new: Mapping[str, Any], address: Address, what: str) -> None:
    for key, value in new.items():
        known, first = found.setdefault(key, (value, address))
        if known != value:
            raise ContradictionError(
                f"cannot write one keepalived.conf: {what}{key} is {_text(known)} in {first} and {_text(value)} in "
                f"{address}; give both the same value"
            )


def _text(value: Any) -> str:
    return str(value.model_dump(exclude_defaults=True)) if isinstance(value, BaseModel) else repr(value)


def _block(head: str, lines: Iterable[str]) -> str:
    return "".join([f"{head} {{\n", *(f"    {line}\n" for line in lines), "}\n"])


def _nested(head: str, lines: Iterable[str]) -> Iterator[str]:
    inner = [f"    {line}" for line in lines]
    if inner:
        yield from (f"{head} {{", *inner, "}")


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    """`keyword value` lines: true is the keyword alone, false and null omit it, a list is a block."""
    for key, value in values.items():
        if value is True:
            yield word(key)
        elif isinstance(value, list | tuple):
            yield from _nested(word(key), (_value(item) for item in value))
        elif value is not None and value is not False:
            yield f"{word(key)} {_value(value)}"


def _value(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else words(str(value))


def _password(text: str) -> str:
    return text if _PLAIN.match(text) else quoted(text)


def _script_lines(script: Any) -> Iterator[str]:
    yield f"script {quoted(script.script)}"
    yield f"interval {number(script.interval)}"
    yield from _pairs({"timeout": script.timeout})
    yield f"weight {script.weight}"
    yield from _pairs({"rise": script.rise, "fall": script.fall, "user": script.user})


def _file_lines(file: Any) -> Iterator[str]:
    yield f"file {_path(file.file)}"
    yield f"weight {file.weight}"
    yield from _pairs({"init_file": file.init_file})


def _process_lines(process: Any) -> Iterator[str]:
    yield f"process {words(process.process)}"
    yield f"weight {process.weight}"
    yield from _pairs({"quorum": process.quorum, "delay": process.delay})


def _path(text: str) -> str:
    return word(text) if not word_fault(text) else quoted(text)


def _drains(spec: VrrpInstanceSpec) -> dict[str, tuple[str, ...]]:
    """The drain trackers, either of which drains: that of runs, gone after a boot, and that of operators."""
    files = {f"hacore_drain_{spec.name}": spec.drain_file, f"hacore_drained_{spec.name}": spec.maintenance_file}
    # Without `overwrite` a drained host stays drained after a restart of keepalived.
    return {n: (f"file {word(file)}", f"weight {spec.drain_weight}", "init_file 0") for n, file in files.items()}


def _group_lines(specs: Sequence[VrrpInstanceSpec]) -> Iterator[str]:
    # the trackers of the group: one drained member drains them all
    yield from _nested("group", (word(spec.name) for spec in specs))
    yield from _nested("track_file", [name for spec in specs for name in _drains(spec)])


def _instance_lines(spec: VrrpInstanceSpec) -> Iterator[str]:
    yield f"state {spec.role}"
    yield f"interface {word(spec.interface)}"
    yield f"virtual_router_id {spec.virtual_router_id}"
    yield f"priority {spec.priority}"
    yield from _pairs({"version": spec.version, "advert_int": spec.advert_interval})
    if spec.nopreempt:
        yield "nopreempt"
    yield from _pairs({"preempt_delay": spec.preempt_delay, "unicast_src_ip": spec.unicast_src_ip})
    yield from _nested("unicast_peer", (word(peer) for peer in spec.peers))
    if spec.authentication is not None:
        auth = spec.authentication
        yield from _nested("authentication", (f"auth_type {auth.type}", f"auth_pass {_password(auth.password)}"))
    yield from _nested("virtual_ipaddress", (_address(a) for a in spec.vips))
    yield from _nested(
        "track_interface", (f"{word(n)} weight {t.weight}" for n, t in sorted(spec.track_interfaces.items()))
    )
    yield from _nested("track_script", map(word, sorted(spec.track_scripts)))
    yield from _nested("track_process", map(word, sorted(spec.track_processes)))
    drain = _drains(spec) if spec.sync_group is None else {}
    yield from _nested("track_file", map(word, [*sorted(spec.track_files), *drain]))
    for keyword, script in spec.notify.scripts().items():
        yield f"{keyword} {quoted(script)}"
    if spec.promote_secondaries and "promote_secondaries" not in spec.extra_keywords:
        yield "promote_secondaries"
    fault = next(raw_faults(spec.extra_lines), "")
    if fault:
        raise UnsafeTextError(f"cannot write keepalived.conf: extra {fault}")
    yield from spec.extra_lines


def _address(entry: VirtualAddress) -> str:
    parts = [word(entry.address)]
    for keyword in ("dev", "scope", "label"):
        value = getattr(entry, keyword)
        if value is not None:
            parts.append(f"{keyword} {word(value)}")
    return " ".join(parts)
