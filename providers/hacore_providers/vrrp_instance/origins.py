"""Which field of the stack made a line of keepalived.conf: keepalived reports mistakes by line."""

from __future__ import annotations

import re

from .check_text import FIELDS
from .config_text import Companions, render

_TRACKERS = {
    "vrrp_script": "track_scripts",
    "vrrp_track_file": "track_files",
    "vrrp_track_process": "track_processes",
}


def origins(companions: Companions) -> tuple[str, ...]:
    """For each line of the file the resource and field that made it; empty for braces, comments and hacore's own."""
    known = {spec.name: (address, spec) for address, spec in companions}
    found: list[str] = []
    head: list[str] = []
    depth, inner, seen = 0, "", False
    for line in render(companions).splitlines():
        words = line.split()
        bare = re.sub(r'"[^"]*"', "", re.sub(r"[#!].*", "", line))
        if depth == 0 and words:
            head = words
            seen = seen or words[0] == "vrrp_instance"
        elif depth == 1 and words:
            inner = words[0]
        field = _field(head, inner, first=depth == 0, after=seen) if words and words != ["}"] else ""
        if head[:1] == ["vrrp_instance"] and len(head) > 1 and head[1] in known and field:
            address, spec = known[head[1]]
            if field == "extra" and depth == 1 and line.strip() not in {own.strip() for own in spec.extra_lines}:
                field = ""
            field = f"{address.at(None)} {field}".strip() if field else ""
        found.append(field)
        depth += bare.count("{") - bare.count("}")
    return tuple(found)


def _field(head: list[str], inner: str, *, first: bool, after: bool) -> str:
    keyword, name = head[0], head[1] if len(head) > 1 else ""
    if keyword == "#":
        return ""
    if keyword == "vrrp_instance":
        return "name" if first else FIELDS.get(inner, "extra")
    if keyword == "global_defs":
        return "" if first else f"globals.{inner}"
    if keyword == "vrrp_sync_group":
        return "sync_group"
    if keyword in _TRACKERS:
        own = "" if name.startswith("hacore_") else f"{_TRACKERS[keyword]}.{name}"
        return own if first or not own else f"{own}.{inner}"
    return "raw_after" if after else "raw_before"


__all__ = ["origins"]
