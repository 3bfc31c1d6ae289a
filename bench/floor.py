"""The least cost of a plan of several hosts: asyncssh, and a connection and one exec each.

    python -m bench.floor bare|imports FOLDER HOST:PORT…

`imports` also imports the libraries that hacore's plan needs. FOLDER has a script for
each host, `ask0` and so on: by hand, what hacore asks these hosts; nobody reads the answer.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import asyncssh

if sys.argv[1] == "imports":
    import click  # noqa: F401
    import jinja2  # noqa: F401
    import pydantic  # noqa: F401
    import ruamel.yaml  # noqa: F401
    import sqlalchemy  # noqa: F401


async def one(target: str, script: str) -> int:
    """Ask a host; returns the number of bytes it printed."""
    host, _, port = target.rpartition(":")
    config = os.environ.get("HACORE_SSH_CONFIG")  # a lab's
    async with asyncssh.connect(host, int(port), config=[config] if config else ()) as connection:
        done = await connection.run("/bin/sh -s", input=script, check=True)
        return len(str(done.stdout))


async def main() -> None:
    """All hosts at once."""
    folder = Path(sys.argv[2])
    asked = [one(target, (folder / f"ask{number}").read_text()) for number, target in enumerate(sys.argv[3:])]
    sizes = await asyncio.gather(*asked)
    sys.stdout.write(f"{sum(sizes)}\n")


asyncio.run(main())
