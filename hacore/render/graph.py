"""The graph of a stack as DOT (graphviz) or Mermaid: `a -> b` means that a needs b."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..address import Address

Needs = Mapping[Address, Sequence[Address]]


def dot(needs: Needs) -> str:
    """DOT, for `dot -Tsvg`; the instances of a host are in one box."""
    lines = ["digraph hacore {", "  rankdir = RL;", "  node [shape = box, fontname = monospace];"]
    hosts: dict[str | None, list[Address]] = {}
    for address in needs:
        hosts.setdefault(address.host, []).append(address)
    for number, (host, addresses) in enumerate(sorted(hosts.items(), key=lambda item: item[0] or "")):
        inside = [f"    {_quoted(str(a))} [label = {_quoted(str(a.at(None)))}];" for a in addresses]
        if host is None:
            lines += inside
        else:
            lines += [f"  subgraph cluster_{number} {{", f"    label = {_quoted(host)};", *inside, "  }"]
    lines += [f"  {_quoted(str(a))} -> {_quoted(str(need))};" for a, needed in needs.items() for need in needed]
    return "\n".join([*lines, "}"])


def mermaid(needs: Needs) -> str:
    """Mermaid, for a Markdown page."""
    names = {address: f"n{number}" for number, address in enumerate(needs)}
    lines = ["graph RL"]
    lines += [
        f"  {name}[{json.dumps(str(a).replace(chr(34), '#quot;'), ensure_ascii=False)}]" for a, name in names.items()
    ]
    lines += [f"  {names[a]} --> {names[need]}" for a, needed in needs.items() for need in needed if need in names]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """A DOT string (graphviz.org/doc/info/lang.html), valid as a name and as a label."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
