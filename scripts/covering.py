"""Which tests execute a line: of a fault on that line, no others can find anything."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Covering:
    """The tests by the lines that they execute: file -> line -> ids of tests."""

    lines: Mapping[Path, Mapping[int, frozenset[str]]]

    @classmethod
    def read(cls, data: Path) -> Covering:
        """From a data file of coverage.py that was written with a context for each test."""
        from coverage import CoverageData

        stored = CoverageData(basename=str(data))
        stored.read()
        found: dict[Path, dict[int, frozenset[str]]] = {}
        for file in stored.measured_files():
            contexts = stored.contexts_by_lineno(file)  # "" while modules are imported, else test|phase
            found[Path(file)] = {
                n: frozenset(t.rpartition("|")[0] for t in names if t) for n, names in contexts.items()
            }
        return cls(found)

    def tests(self, path: Path, line: int) -> list[str] | None:
        """Those of a line; where it has none of its own, those of its function. Not known outside of functions: None.

        A line has none if it is the second one of a statement. Outside of functions only the import executes it.
        """
        lines = self.lines.get(path, {})
        if here := lines.get(line):
            return sorted(here)
        within = _function(path, line)
        if within is None:
            return None
        return sorted({test for number in within for test in lines.get(number, ())})


@dataclass
class Stopwatch:
    """A plugin of pytest: writes how many seconds each test took, with its fixtures, to a file, as JSON."""

    path: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called for the set-up, the call and the end of each test."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Called at the end."""
        self.path.write_text(json.dumps(self.seconds))


def slowness(seconds: Mapping[str, float], tests: Iterable[str]) -> float:
    """How many seconds these tests take together."""
    return sum(seconds.get(test, 0.0) for test in tests)


def _function(path: Path, line: int) -> range | None:
    """The lines of the body of the innermost function around a line; None outside of the bodies of functions."""
    found: range | None = None
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
            if line in body and (found is None or len(body) < len(found)):
                found = body
    return found
