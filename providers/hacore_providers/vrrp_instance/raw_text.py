"""Raw text of keepalived.conf around the trackers and instances: `raw_before` and `raw_after`.

It holds what the kind has no fields for, such as the virtual servers of LVS. Several instances share one file, so the
same block in two of them is written once, as with `globals`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .tokens import UnsafeTextError, outside_quotes, raw_faults

__all__ = ["ELSEWHERE", "RAW_FIELDS", "Item", "included", "items", "raw_mistakes", "servers_in"]

RAW_FIELDS = ("raw_before", "raw_after")

ELSEWHERE = {
    "global_defs": "use the field globals",
    "vrrp_instance": "describe it as a vrrp_instance of the stack",
    "vrrp_sync_group": "use the field sync_group of its instances",
    "vrrp_script": "use the field track_scripts",
    "vrrp_track_file": "use the field track_files",
    "track_file": "use the field track_files",
    "vrrp_track_process": "use the field track_processes",
    "track_process": "use the field track_processes",
    "net_namespace": "run keepalived in the namespace of the host; remove it",
    "namespace": "run keepalived in the namespace of the host; remove it",
}
"""Keywords on the level of the file that raw text may not have, and what to do instead."""


_INCLUDE = re.compile(r'(?:^|[{}\s])"?include\w*"?\s+("[^"]*"|[^\s{}"]+)')


@dataclass(frozen=True, slots=True)
class Item:
    """A statement on the level of the file, with the comments above it: `words` of its first line, all its `lines`.

    `block`: it has braces, so a second one with the same words would contradict it.
    """

    words: tuple[str, ...]
    lines: tuple[str, ...]
    block: bool = False


def items(lines: Sequence[str]) -> Iterator[Item]:
    """The statements of raw text; comments behind the last one are an item without words."""
    depth, words, own, block = 0, (), [], False  # type: int, tuple[str, ...], list[str], bool
    for position, line in enumerate(lines):
        own.append(line)
        parts = _bare_words(line)
        if depth == 0 and not words:
            words = tuple(part for part in parts if part not in ("{", "}"))
        block = block or "{" in parts
        depth += parts.count("{") - parts.count("}")
        if words and depth == 0 and not (not block and _opens(lines[position + 1 :])):
            yield Item(words, tuple(own), block)
            words, own, block = (), [], False
    if own:
        yield Item(words, tuple(own), block)


def _opens(lines: Iterable[str]) -> bool:
    """Whether the next words are a brace: keepalived accepts it on a line of its own."""
    following = (parts for parts in map(_bare_words, lines) if parts)
    return next(following, [""])[0] == "{"


def _bare_words(line: str) -> list[str]:
    bare, _ = outside_quotes(line, keep=True)
    return bare.replace('"', "").replace("{", " { ").replace("}", " } ").split()


def raw_mistakes(lines: Sequence[str]) -> Iterator[str]:
    """Why raw lines cannot stand in the file, as predicates of a sentence."""
    faults = list(raw_faults(lines, closes="no block of its own"))
    yield from faults
    if faults:
        return
    told: set[str] = set()
    for item in items(lines):
        keyword = item.words[0] if item.words else ""
        if keyword in ELSEWHERE and keyword not in told:
            told.add(keyword)
            yield f"has the keyword {keyword}: {ELSEWHERE[keyword]}"


def checked(lines: Sequence[str], field: str) -> Sequence[str]:
    """The same lines. Raises UnsafeTextError if they cannot stand in the file."""
    fault = next(raw_mistakes(lines), "")
    if fault:
        raise UnsafeTextError(f"cannot write keepalived.conf: {field} {fault}")
    return lines


def included(lines: Sequence[str]) -> tuple[str, ...]:
    """The patterns of files that raw lines include, at any depth."""
    found: list[str] = []
    for line in lines:
        masked, _ = outside_quotes(line, keep=True)  # each character at its place in the line
        found.extend(line[match.start(1) : match.end(1)].strip('"') for match in _INCLUDE.finditer(masked))
    return tuple(found)


def servers_in(text: str) -> frozenset[str]:
    """The virtual servers of a file, as the probe names them: `ADDRESS PORT`, `fwmark N`, `group NAME`."""
    found = re.findall(r"(?m)^[ \t]*virtual_server[ \t]+([^\s{]+)(?:[ \t]+([^\s{]+))?", re.sub(r"[#!].*", "", text))
    return frozenset(f"{one} {two}".strip().replace('"', "") for one, two in found)
