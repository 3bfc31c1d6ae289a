"""`python -m bench [NAME…]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict

from .content import content
from .graph import SIZES, graph
from .start import start
from .table import Line, text, values


def main() -> int:
    """Run the named benchmarks, or all of them, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks; see bench/README.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="start, plan, graph, content; default: all")
    parser.add_argument("-n", "--times", type=int, default=5, help="runs of each; the median counts (default: 5)")
    parser.add_argument("--hosts", type=int, default=10, help="hosts of the plan (default: 10)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="instances (default: %(default)s)")
    parser.add_argument("--mb", type=int, default=300, help="MB of the source of content (default: 300)")
    parser.add_argument("--twins", action="store_true", help="plan and content: twins with systemd, too; needs root")
    parser.add_argument("--operations", action="store_true", help="requests lost per operation, on twins; needs root")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    if args.operations:
        return _operations(args.times, as_json=args.json)
    from .plan import plan

    sizes = tuple(int(size) for size in args.sizes.split(","))
    known: dict[str, Callable[[], list[Line]]] = {
        "start": lambda: start(args.times),
        "plan": lambda: plan(args.times, args.hosts, twins=args.twins),
        "graph": lambda: graph(args.times, sizes),
        "content": lambda: content(args.mb, twins=args.twins),
    }
    unknown = [name for name in args.names if name not in known]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(known)}")
    lines: list[Line] = []
    for name in args.names or known:
        print(f"{name} …", file=sys.stderr)
        lines += known[name]()
    if args.json:
        print(json.dumps({"cpus": os.cpu_count(), "load": os.getloadavg()[0], "lines": values(lines)}, indent=2))
    else:
        print(text(lines))
        print(f"\n{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; medians of {args.times}, in turn")
    return 0


def _operations(times: int, *, as_json: bool) -> int:
    from .operations import over, table

    runs = over(times)
    print(json.dumps([[asdict(lost) for lost in run] for run in runs], indent=2) if as_json else table(runs))
    return 0


sys.exit(main())
