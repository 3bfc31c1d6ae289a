"""The process that `graph` measures: `python -m bench.graph_child SIZE`, prints JSON."""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_STACK = """\
stack: chains
variables: {items: {type: list}}
hosts: {h1: {address: 192.0.2.1}}
resources:
  file:
    first: {for_each: "{{ var.items }}", path: "/srv/a/{{ each.key }}", content: "{{ each.value }}", mode: "0644"}
    then:
      for_each: "{{ var.items }}"
      path: "/srv/b/{{ each.key }}"
      content: "{{ each.value }}"
      mode: "0644"
      needs: ['file.first["{{ each.key }}"]']
"""


def main(size: int) -> dict[str, Any]:
    """Times in CPU seconds by phase; those of the whole are as of the end of the first plan."""
    gc.disable()  # as the command line does
    clock = _Clock()
    from hacore.contract import Facts, HostFacts
    from hacore.engine.snapshot import no_key
    from hacore.graph import build_graph
    from hacore.journal.new_rows import new_row
    from hacore.load import LoadRequest, load, load_providers
    from hacore.plan import HostStatus, Inputs, asks_of_desired, make_plan, revive
    from hacore_providers.facts.stat import Stat

    providers = load_providers()
    clock.lap("import")
    with tempfile.TemporaryDirectory(prefix="hacore-bench-") as name:
        file = Path(name) / "stack.yaml"
        file.write_text(_STACK)
        items = json.dumps([f"i{number}" for number in range(size // 2)])
        stack = load(LoadRequest(file, variables={"items": items}), providers)
    clock.lap("load")
    graph = build_graph(stack, providers)
    clock.lap("graph")
    (asks,) = asks_of_desired(stack.instances, providers).values()
    host = HostFacts(family="debian", init="systemd", packager="dpkg", hostname="h1", cpus=2)

    def plan(answers: Mapping[tuple[str, str], Any], recorded: Mapping[Any, Any]) -> Any:
        facts = {"h1": Facts(host, answers)}
        given = Inputs(stack, graph, recorded, facts, stack.hosts, providers, no_key)
        hosts = {name: HostStatus(stack.hosts[name], found) for name, found in facts.items()}
        return make_plan(given, lineage="l", serial=1, hosts=hosts)

    made = plan({ask.id: Stat("absent") for ask in asks}, {})
    clock.lap("create")
    assert made.summary()["create"] == size
    whole = {"wall": clock.wall(), "cpu": time.process_time(), "rss": _rss()}
    rows = {
        change.address: new_row(
            change, stack.instances[change.address], providers["file"], graph, None,
            seal=no_key, rows={}, sources={}, run=1,
        )
        for change in made.changes
    }  # fmt: skip
    there = {ask.id: Stat("file", mode=0o644, owner="root", group="root", sha256=ask.wanted) for ask in asks}
    clock.lap("")
    again = plan(there, revive(rows, providers))
    clock.lap("no-op")
    assert again.empty
    assert not again.quiet
    return {"size": size, **whole, "phases": clock.laps}


def _rss() -> int:
    """Peak resident memory, bytes (getrusage(2) has it in KiB on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _Clock:
    """CPU seconds by phase; `wall` since the first import of this module, with the interpreter's own CPU time."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._began = time.perf_counter() - time.process_time()
        self._last = 0.0

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name] = now - self._last
        self._last = now

    def wall(self) -> float:
        return time.perf_counter() - self._began


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]))))
