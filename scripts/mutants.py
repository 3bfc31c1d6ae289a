"""Plant single faults in the engine and count those that the near tests catch: `make mutants SEED=1 SAMPLE=100`.

The faults are those of cosmic-ray's operators. Each one is planted in the memory of a process of its own, which runs
the tests of the same package only: a fault that only another package's tests catch counts as missed. Of these it runs
those that execute the line of the fault (see covering.py). No file changes.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import ctypes
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from covering import Covering, Stopwatch, slowness

ROOT = Path(__file__).resolve().parents[1]
PROVIDERS = ROOT / "providers" / "hacore_providers"
PACKAGES = ("plan", "journal", "walk", "store")
WARM = ("asyncssh", "deepdiff", "jinja2", "networkx", "pydantic", "sqlalchemy")
SLOWER, LEAST = 3, 15  # how long a fault's tests may take: so many times longer than without it, at least 15 s
NEAR = "not twins and (not machine or server)"  # the tests that judge a fault
NO_TESTS = 5  # exit code of pytest
CAUGHT, MISSED, OVER = "caught", "MISSED", "caught by the time limit"


@dataclass(frozen=True, order=True)
class Place:
    """Where an operator can plant a fault: the node's number in the module, and which of its positions."""

    path: Path
    line: int
    operator: str
    node: int
    position: int


@dataclass(frozen=True)
class Mutant:
    """One fault: where, and the whole module with it."""

    path: Path
    line: int
    code: str

    @property
    def module(self) -> str:
        """The dotted name of the module."""
        root = PROVIDERS.parent if self.path.is_relative_to(PROVIDERS) else ROOT
        parts = self.path.relative_to(root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def __str__(self) -> str:
        before, after = self.path.read_text().splitlines(), self.code.splitlines()
        at = next((n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), self.line - 1)
        new = after[at].strip() if at < len(after) else ""
        return f"{self.path.relative_to(ROOT)}:{at + 1}: {before[at].strip()}  ->  {new}"


def places_in(path: Path) -> Iterator[Place]:
    """All places of a module where a fault can be planted."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(path.read_text())))
    for name in sorted(operator_names()):
        operator = get_operator(name)
        if list(operator.arguments()):
            continue  # it needs the name of a variable
        for number, node in enumerate(nodes):
            for index, (start, _) in enumerate(operator().mutation_positions(node)):
                yield Place(path, start[0], name, number, index)


def planted(place: Place) -> Mutant | None:
    """The fault at a place; None when it changes nothing that runs."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator

    source = place.path.read_text()
    tree = get_ast(source)
    node = list(ast_nodes(tree))[place.node]
    try:
        new = get_operator(place.operator)().mutate(node, place.position)
    except AttributeError:  # cosmic-ray's operator for exceptions: a dotted name in a tuple
        return None
    if new is not node:
        siblings = node.parent.children
        at = next(i for i, child in enumerate(siblings) if child is node)
        siblings[at : at + 1] = [] if new is None else [new]
    code = str(tree.get_code())
    return None if _meaning(code) in (_meaning(source), None) else Mutant(place.path, place.line, code)


def _meaning(source: str) -> str | None:
    """A module without what changes nothing that runs: annotations, imports for them, dataclass options, zip's check.

    None: it does not compile.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.test = ast.Name("TYPE_CHECKING")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "zip":
            node.keywords = []
        elif isinstance(node, ast.ClassDef):
            node.decorator_list = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return ast.dump(tree)


def sample(paths: Sequence[Path], count: int, seed: int) -> list[Mutant]:
    """A random choice of faults, no two on one line of a file: else long expressions would be most of it."""
    chosen = random.Random(seed)
    lines: dict[tuple[Path, int], list[Place]] = {}
    for path in paths:
        for place in places_in(path):
            lines.setdefault((path, place.line), []).append(place)
    found: list[Mutant] = []
    for line in chosen.sample(sorted(lines), len(lines)):
        mutant = planted(chosen.choice(lines[line]))
        if mutant is not None:
            found.append(mutant)
        if len(found) == count:
            break
    return found


class Planted(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module with its fault."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The mutant's own module; all others are found as ever."""
        if name != self.mutant.module:
            return None
        package = self.mutant.path.name == "__init__.py"
        return importlib.util.spec_from_file_location(
            name,
            self.mutant.path,
            loader=self,
            submodule_search_locations=[str(self.mutant.path.parent)] if package else None,
        )

    def get_source(self, _name: str) -> str:
        """The module with its fault."""
        return self.mutant.code

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        exec(compile(self.mutant.code, str(self.mutant.path), "exec"), module.__dict__)


def near_tests(path: Path) -> str:
    """The tests of a module's package, or of a kind's folder."""
    if path.is_relative_to(PROVIDERS):
        return f"tests/providers/{path.relative_to(PROVIDERS).parts[0]}"
    return f"tests/{path.relative_to(ROOT / 'hacore').parts[0]}"


def modules(package: str) -> Iterator[Path]:
    """The modules of a package of hacore/, or of the folder of a kind (`providers/file`)."""
    kind = package.removeprefix("providers/")
    folder = PROVIDERS / kind if kind != package else ROOT / "hacore" / package
    return (path for path in folder.rglob("*.py") if "migrations" not in path.parts)


def judge(
    tests: Sequence[str],
    mutant: Mutant | None,
    limit: int = 0,
    more: Sequence[str] = (),
    watch: Stopwatch | None = None,
) -> str:
    """Run tests with a fault planted (None: without any), in a child that has the libraries loaded already.

    `limit`: seconds after which the child is stopped, since some faults make an endless loop; 0: never.
    `more`: further options of pytest. `watch`: gets the time of each test.
    """
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.setpgid(0, 0)
        if mutant is not None:
            sys.meta_path.insert(0, Planted(mutant))
        import pytest

        options = ["-q", "-x", "-p", "no:cacheprovider", "-m", NEAR]
        os._exit(int(pytest.main([*options, *more, *tests], plugins=[watch] if watch else [])))
    end = time.monotonic() + limit  # not by alarm(2): pytest-timeout has that for itself
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended:
        if limit and time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
        ended, status = os.waitpid(child, os.WNOHANG)
    end_orphans()
    if os.WIFSIGNALED(status):
        return OVER
    return MISSED if os.WEXITSTATUS(status) in (0, NO_TESTS) else CAUGHT


def adopt_orphans() -> None:
    """Make processes that a fault's tests leave behind children of this one, PR_SET_CHILD_SUBREAPER of prctl(2)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing
            os.set_inheritable(int(path.name), int(path.name) < 3)  # a lock, for example


def end_orphans() -> None:
    """Stop all children of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while pids := children.read_text().split():
        for pid in map(int, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def main() -> int:
    """Plant a sample, report what was missed, and the score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument(
        "packages",
        nargs="*",
        default=PACKAGES,
        help=f"packages of hacore/, or kinds such as providers/file (default: {', '.join(PACKAGES)})",
    )
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["HACORE_NO_TWINS"] = "1"
    adopt_orphans()
    paths = sorted(path for package in options.packages for path in modules(package))
    mutants = sample(paths, options.sample, options.seed)
    for name in WARM:
        importlib.import_module(name)
    seconds: dict[str, dict[str, float]] = {}
    covering: dict[str, Covering] = {}
    for tests in sorted({near_tests(mutant.path) for mutant in mutants}):
        folders = {mutant.path.parent for mutant in mutants if near_tests(mutant.path) == tests}
        with tempfile.TemporaryDirectory() as folder:
            os.environ["COVERAGE_FILE"] = f"{folder}/data"
            measure = [*(f"--cov={path}" for path in sorted(folders)), "--cov-context=test", "--cov-report="]
            times = Path(folder, "times")
            if judge([tests], None, more=measure, watch=Stopwatch(times)) != MISSED:
                sys.stderr.write(f"cannot count: {tests} fails without any fault\n")
                return 1
            covering[tests] = Covering.read(Path(folder, "data"))
            seconds[tests] = json.loads(times.read_text())
    tally = dict.fromkeys((CAUGHT, MISSED, OVER), 0)
    by_package: dict[str, list[int]] = {}
    for number, mutant in enumerate(mutants, 1):
        near = near_tests(mutant.path)
        chosen = covering[near].tests(mutant.path, mutant.line)
        if chosen:  # the quick ones first: most faults are caught by many tests
            chosen.sort(key=lambda test: seconds[near].get(test, 0.0))
        limit = max(LEAST, int(SLOWER * slowness(seconds[near], chosen or seconds[near])))
        found = MISSED if chosen == [] else judge(chosen or [near], mutant, limit)
        tally[found] += 1
        score = by_package.setdefault(near.partition("/")[2], [0, 0])
        score[0] += found != MISSED
        score[1] += 1
        sys.stdout.write(f"{number}/{len(mutants)} {found}: {mutant}\n")
        sys.stdout.flush()
    caught = tally[CAUGHT] + tally[OVER]
    for name, (good, total) in sorted(by_package.items()):
        sys.stdout.write(f"{name}: {good} of {total}\n")
    sys.stdout.write(f"score: {caught} of {len(mutants)} faults caught ({100 * caught // max(1, len(mutants))} %), ")
    sys.stdout.write(f"seed {options.seed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
