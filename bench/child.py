"""Run a program to its end and measure it."""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HACORE = (sys.executable, "-c", "import sys; from hacore.cli import main; sys.exit(main())")
"""The code of the installed script `hacore`."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: `wall` and `cpu` (user + system) in seconds, `rss` at its peak in bytes."""

    wall: float
    cpu: float
    rss: int
    stdout: str = ""


@functools.cache
def _byte_code() -> tempfile.TemporaryDirectory[str]:
    """A folder for byte code, deleted at the end of this process."""
    return tempfile.TemporaryDirectory(prefix="hacore-bench-pyc-")


def environment(home: Path | None = None) -> dict[str, str]:
    """This process's environment, able to import this source tree, without hacore's variables."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HACORE_") and k != "SSH_AUTH_SOCK"}
    paths = [str(ROOT), str(ROOT / "providers"), os.environ.get("PYTHONPATH", "")]
    environ["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    environ["NO_COLOR"] = "1"
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its byte code, this source tree may not
    environ["PYTHONPYCACHEPREFIX"] = _byte_code().name
    if home is not None:
        environ["HOME"] = str(home)
    return environ


def run(argv: Sequence[str], environ: Mapping[str, str], *, codes: Sequence[int] = (0,)) -> Run:
    """Run `argv`; raises SystemExit with its output when its exit code is not in `codes`."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(argv, env=dict(environ), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = [stream.read() for stream in (out, err) if stream.seek(0) == 0]
    if process.returncode not in codes:
        raise SystemExit(f"bench: exit code {process.returncode} from {' '.join(argv)}\n{''.join(texts)}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, texts[0])


def median(runs: Sequence[Run]) -> Run:
    """The median of each measure by itself."""
    return Run(
        statistics.median(r.wall for r in runs),
        statistics.median(r.cpu for r in runs),
        int(statistics.median(r.rss for r in runs)),
    )


def side_by_side(calls: Mapping[str, Callable[[], Run]], times: int) -> dict[str, Run]:
    """The medians of `times` runs of each, taken in turn, so that other load of the machine affects all alike.

    Each runs once beforehand, unmeasured: byte code is compiled and the disk cache is warm.
    """
    for call in calls.values():
        call()
    runs: dict[str, list[Run]] = {name: [] for name in calls}
    for _ in range(times):
        for name, call in calls.items():
            runs[name].append(call())
    return {name: median(found) for name, found in runs.items()}
