"""Two controllers and the lock of one host: real processes, a real shell, hacore's folders in a place of the test."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A controller. What it may hold up at is put in front of its scripts: `rm` or `flock` of the shell's own.
CONTROLLER = r"""
import asyncio, sys
import hacore.probe.marker, hacore.probe.script, hacore.walk.hostlock
from hacore.errors import LockedError
from hacore.model import Connection, Host
from hacore.probe import SessionLink
from hacore.probe.script import PRELUDE
from hacore.transport import Transport
from hacore.walk import Holder, acquire, release

place, name, hold, work = sys.argv[1:]
text = f"HACORE_HOME={place}/home HACORE_RUN={place}/run\n" + hold
for module in (hacore.probe.marker, hacore.probe.script, hacore.walk.hostlock):
    module.PRELUDE = PRELUDE + text

async def main():
    transport = Transport()
    host = Host(name="here", address="localhost", connection=Connection(transport="local"))
    link = SessionLink(await transport.session(host))
    try:
        if work == "release":
            await release(link, name, hold)
            print("released")
        else:
            await acquire(link, Holder(name, {"who": name}), alive=lambda info: info.get("who") not in ("dead", work))
            print("locked")
    except LockedError as error:
        print(error)
    await transport.close()

asyncio.run(main())
"""


class Controllers:
    """Starts controllers on one host, and waits for what they do."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.lock = place / "run" / "lock"
        self.running: list[subprocess.Popen[str]] = []

    def start(self, name: str, hold: str = "", work: str = "") -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", CONTROLLER, str(self.place), name, hold.format(p=self.place), work]
        self.running.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT))
        return self.running[-1]

    def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def lay(self, token: str, who: str) -> None:
        self.place.joinpath("home").mkdir(mode=0o755)
        self.lock.parent.mkdir(mode=0o700)
        self.lock.write_text(f'{token}\n{{"who": "{who}"}}\n')

    def locked_by(self) -> str:
        return self.lock.read_text().splitlines()[0]


@pytest.fixture
def controllers(tmp_path: Path) -> Iterator[Controllers]:
    found = Controllers(tmp_path)
    yield found
    for process in found.running:
        process.kill()
        process.communicate()


# Between the look at the lock and its removal: says so, and waits.
STALL = """
rm() {{
  case "$*" in *run/lock) touch {p}/stalled; until [ -e {p}/go ]; do sleep 0.05; done ;; esac
  command rm "$@"
}}
"""
# Says that it waits for its turn.
WAITS = """
flock() {{ case "$*" in *" 6") touch {p}/waits ;; esac; command flock "$@"; }}
"""


def test_of_two_that_replace_a_dead_holder_one_gets_the_lock(controllers: Controllers) -> None:
    controllers.lay("old", "dead")
    slow = controllers.start("slow", STALL)
    controllers.until((controllers.place / "stalled").exists)
    quick = controllers.start("quick", WAITS)
    controllers.until(lambda: (controllers.place / "waits").exists() or quick.poll() is not None)

    (controllers.place / "go").touch()

    told = {"slow": slow.communicate(timeout=60)[0].strip(), "quick": quick.communicate(timeout=60)[0].strip()}
    winner = controllers.locked_by()
    assert told.pop(winner) == "locked"
    assert list(told.values()) == [f"cannot lock here@localhost: it is held by {winner} (run, pid ?, stack ?)"]


def test_a_host_that_waits_for_a_confirmation_is_not_left_locked(controllers: Controllers) -> None:
    controllers.lay("", "")
    controllers.lock.unlink()
    folder = controllers.lock.with_name("confirm")
    folder.mkdir(mode=0o700)
    (folder / "lineage").write_text("of another state\n")
    (folder / "what").write_text("run 7 of web\n")

    told = controllers.start("mine").communicate(timeout=60)[0].strip()

    assert told == "cannot lock here@localhost: it waits for the confirmation of run 7 of web, or reverts automatically"
    assert not controllers.lock.exists()


def test_a_holder_that_ends_does_not_remove_the_lock_of_its_replacement(controllers: Controllers) -> None:
    controllers.lay("ends", "ends")
    ends = controllers.start("ends", "touch {p}/stalled; until [ -e {p}/go ]; do sleep 0.05; done\n", "release")
    controllers.until((controllers.place / "stalled").exists)
    new = controllers.start("new", WAITS, "ends")
    controllers.until(lambda: (controllers.place / "waits").exists() or new.poll() is not None)

    (controllers.place / "go").touch()

    assert ends.communicate(timeout=60)[0].strip() == "released"
    assert new.communicate(timeout=60)[0].strip() == "locked"
    assert controllers.locked_by() == "new"
