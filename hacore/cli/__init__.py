"""The command line. Its exit codes: 0, 1 (2 where documented), 64 for wrong usage, 130 after Ctrl-C.

Start-up is part of every number, so this file imports next to nothing: `hacore --version` needs no more.
"""

from __future__ import annotations

import atexit
import gc
import sys


def main() -> int:
    """The entry point: run the command of sys.argv; the exit code.

    The search for reference cycles is off: a command makes many objects that live until its end,
    and going through all of them again and again, once more at exit, is a fifth of a plan's time.
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
    """Whether other packages bring kinds: then `version` looks whether they can be used."""
    from importlib.metadata import entry_points

    return any(point.dist is None or point.dist.name != "hacore" for point in entry_points(group="hacore.providers"))
