"""The command line. Exit codes: 0, 1 (2 where documented), 64 for wrong usage, 130 after Ctrl-C.

This file imports next to nothing, so that `hacore --version` starts fast.
"""

from __future__ import annotations

import atexit
import gc
import sys


def main() -> int:
    """The entry point: run the command of sys.argv, return the exit code.

    The cyclic garbage collector is off: a command makes many objects that live until its end, and collections
    took a fifth of the time of a plan.
    """
    gc.disable()
    atexit.register(gc.freeze)
    argv = sys.argv[1:]
    if argv == ["--version"] or (argv == ["version"] and not _foreign_kinds()):
        from .. import __version__

        sys.stdout.write(f"hacore {__version__}\n")
        return 0
    from .app import run

    return run(argv)


def _foreign_kinds() -> bool:
    """Whether other packages provide kinds: then `version` checks that they can be used."""
    from importlib.metadata import entry_points

    return any(point.dist is None or point.dist.name != "hacore" for point in entry_points(group="hacore.providers"))
