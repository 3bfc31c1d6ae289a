"""The command line. Its exit codes: 0, 1 (2 where documented), 64 for wrong usage, 130 after Ctrl-C.

Start-up is part of every number, so this file imports nothing: `hacore --version` needs no more.
"""

from __future__ import annotations

import sys


def main() -> int:
    """The entry point: run the command of sys.argv; the exit code."""
    argv = sys.argv[1:]
    if argv in (["--version"], ["version"]):
        from .. import __version__

        sys.stdout.write(f"hacore {__version__}\n")
        return 0
    from .app import run

    return run(argv)
