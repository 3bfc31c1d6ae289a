"""Forking in a process that has had threads.

A thread that Python has joined may still be on its way out, and holds locks of libcrypto as it goes
(OPENSSL_thread_stop(3)): a child that is forked in that moment waits for them for ever.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path


def _unknown() -> int:
    """How many threads the kernel has of this process that Python's threading does not know."""
    return len(list(Path("/proc/self/task").glob("*"))) - threading.active_count()


OWN = max(0, _unknown())  # what the test run started by other means, and keeps


def fork() -> int:
    """os.fork(), once all threads that were joined have ended."""
    until = time.monotonic() + 10
    while _unknown() > OWN and time.monotonic() < until:
        time.sleep(0.0005)
    return os.fork()


__all__ = ["fork"]
