"""Limits of this process while it reads a stack that may be a stranger's."""

from __future__ import annotations

import faulthandler
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["MEMORY", "SECONDS", "limited"]

SECONDS = 30.0
"""A regular expression can backtrack for ever; nothing that Python does can end that, but its process."""
MEMORY = 1 << 30
"""Bytes of memory in addition to those that the process has."""


@contextmanager
def limited(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """After `seconds` the process ends with exit code 1 and its traceback; beyond `memory` there is a MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _size() + memory
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    errors = sys.__stderr__
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    if errors is not None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=errors)
    try:
        yield
    finally:
        if errors is not None:
            faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _size() -> int:
    """Bytes of address space that the process has; 0 where it is not known (proc(5), statm)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
