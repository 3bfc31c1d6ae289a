"""Writes what this version of hacore leaves on disk, for the versions that come after it.

    cd CHECKOUT && make setup && .venv/bin/python -m tests.frozen.write FOLDER

Everything is made by the code of that checkout: whole runs over hosts in memory, the shell of this
machine for what lies on a host. Needs root: paths that end up in the files are below /srv/web, which
must not exist and is removed again. What would name this machine (locks) is replaced.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from hacore.address import Address
from hacore.engine import plan, save_plan
from hacore.engine.drift_memory import ReportedDrift
from hacore.engine.drift_memory import write as remember
from hacore.errors import LockedError
from hacore.model import Image, Lifecycle, Row
from hacore.plan import Selection
from hacore.store import (
    DropHost,
    DropRow,
    HostRecord,
    LockInfo,
    PutHost,
    PutRow,
    PutRun,
    PutTask,
    RunRecord,
    SetLoaded,
    SetTask,
    StateWriter,
    TaskRecord,
)
from hacore.testing import Machine, World
from tests.engine.play import Play
from tests.forking import fork
from tests.frozen import write_host

ROOT = Path("/srv/web")
CANARY = "canary-of-a-secret"

PAIR = """
gate: {g: {vip: v}}
shared: {s: {vip: v, instance: gate.g}}
thing:
  bin: {key: /bin/web, text: v1}
  conf: {key: /etc/web.conf, text: v1}
  key: {hosts: a, key: /etc/web.key, text: "{{ var.secret }}"}
  page: {hosts: a, for_each: {index: one, about: two}, key: "/srv/{{ each.key }}", text: "{{ each.value }}"}
  found: {hosts: b, key: /etc/found, text: v1}
  old: {hosts: b, key: /etc/old, text: v1, lifecycle: {on_delete: remove}}
daemon:
  web: {reads: [/bin/web, /etc/web.conf], restart_on: [thing.bin], reload_on: [thing.conf], needs: [gate.g]}
pack: {tools: {names: [one, two]}}
"""
NEXT = (
    PAIR.replace("v1", "v2")
    .replace("{{ var.secret }}", "{{ var.secret }}-2")
    .replace("  old: {hosts: b, key: /etc/old, text: v2, lifecycle: {on_delete: remove}}\n", "")
    .replace("[one, two]", "[one, two, three]")
)
MOVED = (
    PAIR.replace("key: /etc/web.conf, text: v1", "key: /etc/web/web.conf, text: v1")
    .replace("[/bin/web, /etc/web.conf]", "[/bin/web, /etc/web/web.conf]")
    .replace("  found: {", "  renamed: {")
)
HEAD = """
stack: web
variables:
  secret: {type: string, sensitive: true, default: CANARY}
hosts:
  a: {address: 192.0.2.1, groups: [lb], vars: {weight: 1}}
  b: {address: 192.0.2.2, groups: [lb]}
outputs: {url: "http://192.0.2.9/"}
resources:
""".replace("CANARY", CANARY)


def this_process(who: str, what: str) -> LockInfo:
    """A lock of nobody's."""
    return LockInfo(
        who=who,
        what=what,
        since=1700000000.0,
        pid=4242,
        pid_started="1234567",
        pid_space="pid:[4026531836]",
        boot_id="11111111-2222-3333-4444-555555555555",
        machine_id="0123456789abcdef0123456789abcdef",
        hostname="control",
        token="f" * 32,
    )


def state_of(world: World) -> dict[str, Any]:
    """The machines as JSON."""
    machines = {
        m.name: {
            "data": m.data,
            "units": m.units,
            "drained": sorted(m.drained),
            "lock": m.lock,
            "markers": m.markers,
        }
        for m in world
    }
    found: dict[str, Any] = json.loads(json.dumps({"machines": machines, "vips": world.vips, "holders": world.holders}))
    return found


def set_state(world: World, state: dict[str, Any]) -> None:
    """The way back from `state_of`."""
    state = json.loads(json.dumps(state))
    world.vips, world.holders = state["vips"], state["holders"]
    for name, its in state["machines"].items():
        machine = world[name]
        machine.data, machine.units, machine.drained = its["data"], its["units"], set(its["drained"])
        machine.lock, machine.markers = its["lock"], its["markers"]


def new_play() -> Play:
    """A pair, with what was there before hacore."""
    shutil.rmtree(ROOT, ignore_errors=True)
    (ROOT / "state").mkdir(parents=True)
    play = Play(ROOT, ROOT / "state")
    play.world.vips["v"] = ["a", "b"]
    play.world["b"].data["/etc/found"] = {"text": "theirs", "mode": "0640"}
    play.world["b"].data["/etc/old"] = {"text": "v1"}
    play.world["a"].data["/etc/web.key"] = {"text": f"{CANARY}-of-before"}
    return play


async def first(play: Play) -> None:
    """A run that worked."""
    play.stack(PAIR, HEAD)
    result = await play.apply()
    assert result.ok, play.story(result)


def killed(play: Play, work: Callable[[], Awaitable[Any]], host: str, pattern: str, *, after: bool) -> None:
    """Do `work` in a child that is killed at an operation; the machines are then as it left them."""
    left = ROOT / "left.json"

    def die(_machine: Machine) -> None:
        left.write_text(json.dumps(state_of(play.world)))
        os.kill(os.getpid(), signal.SIGKILL)

    child = fork()
    if child == 0:
        try:
            play.world[host].on(pattern, die, after=after)
            asyncio.run(work())  # type: ignore[arg-type]
        finally:
            os._exit(9)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"{pattern} was never reached"
    set_state(play.world, json.loads(left.read_text()))
    left.unlink()


def keep(out: Path, name: str, play: Play, **more: Any) -> None:
    """The state, its key, what was spilled, the machines and the stack."""
    state = ROOT / "state" / "test.db"
    with sqlite3.connect(state) as database:
        database.execute("VACUUM")
    database.close()
    (out / f"{name}.db.gz").write_bytes(gzip.compress(state.read_bytes(), mtime=0))
    shutil.copyfile(f"{state}.key", out / f"{name}.db.key")
    spill = Path(f"{state}.spill")
    if spill.exists():
        shutil.copyfile(spill, out / f"{name}.db.spill")
    about = {"stack": (ROOT / "stack.yaml").read_text(), "world": state_of(play.world), **more}
    (out / f"{name}.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


async def ends(play: Play, *, resume: bool = True) -> dict[str, Any]:
    """What the code of now makes of the unfinished run: gone on with, and rolled back; the play stays as it is."""
    state, world = (ROOT / "state" / "test.db"), state_of(play.world)
    copies = {path: path.read_bytes() for path in state.parent.iterdir()}
    found: dict[str, Any] = {}
    for name, act in {"resumed": lambda: play.apply(resume=True), "rolled_back": play.rollback}.items():
        if name == "resumed" and not resume:
            continue
        for machine in play.world:
            machine.lock = ""
        with sqlite3.connect(state) as database:
            database.execute("DELETE FROM lock")
        database.close()
        result = await act()
        assert result.ok, play.story(result)
        found[name] = {**play.world.snapshot(), "rows": sorted(play.rows())}
        for path in state.parent.iterdir():
            path.unlink()
        for path, content in copies.items():
            path.write_bytes(content)
            path.chmod(0o600)
        set_state(play.world, world)
    return found


def write_states(out: Path) -> None:
    """A state after several runs, unfinished runs, one that lost its state."""
    play = new_play()
    asyncio.run(first(play))
    begun = play.world.snapshot()
    rows = sorted(play.rows())

    async def more() -> None:
        play.stack(NEXT, HEAD)
        assert (await play.apply()).ok
        assert (await play.rollback()).ok
        play.world["a"].fail("write /etc/web.conf")
        play.stack(NEXT, HEAD)
        result = await play.apply()
        assert result.status == "failed", play.story(result)
        play.stack(NEXT, HEAD)
        assert (await play.apply()).ok

    asyncio.run(more())
    keep(out, "finished", play, before=begun, rows_before=rows, rows=sorted(play.rows()))

    for name, host, pattern, after in (
        ("in-block", "b", "restart web*", False),
        ("in-doubt", "b", "write /bin/web", True),
        ("before-reload", "b", "reload web*", False),
        ("in-delete", "b", "restore /etc/old", True),
        ("moved", "b", "write /etc/web/web.conf", False),
    ):
        play = new_play()
        asyncio.run(first(play))
        begun = play.world.snapshot()
        rows = sorted(play.rows())
        wanted = (
            MOVED
            if name == "moved"
            else NEXT
            if name != "before-reload"
            else NEXT.replace("bin/web, text: v2", "bin/web, text: v1")
        )
        play.stack(wanted, HEAD)
        killed(play, play.apply, host, pattern, after=after)
        keep(out, f"unfinished-{name}", play, before=begun, rows_before=rows, **asyncio.run(ends(play)))

    play = new_play()
    asyncio.run(first(play))
    begun = play.world.snapshot()
    play.stack(NEXT, HEAD)
    asyncio.run(play.apply())
    killed(play, play.rollback, "a", "restore /bin/web", after=True)
    keep(out, "unfinished-rollback", play, before=begun, **asyncio.run(ends(play, resume=False)))

    play = new_play()
    asyncio.run(first(play))
    begun = play.world.snapshot()
    rows = sorted(play.rows())
    play.stack(NEXT, HEAD)

    def lose(_machine: Machine) -> None:
        with sqlite3.connect(ROOT / "state" / "test.db") as database:
            database.execute("UPDATE lock SET token = 'another'")
        database.close()

    play.world["a"].on("write /etc/web.key", lose, after=True)
    try:
        asyncio.run(play.apply())
    except LockedError:
        assert (ROOT / "state" / "test.db.spill").exists()
    keep(out, "spilled", play, before=begun, rows_before=rows, **asyncio.run(ends(play)))


async def write_moves(out: Path) -> None:
    """Everything that can be spilled."""
    play = new_play()
    url = f"sqlite:///{ROOT}/state/moves.db"
    row = Row(
        Address.parse('thing.page["index"]@a'),
        {"key": "/srv/index"},
        1,
        {"text": "sha256:0"},
        {"size": 2},
        ("text",),
        ("thing.conf@a",),
        ("own path:/srv/index",),
        ("a",),
        Lifecycle(prevent_destroy=True, ignore_changes=("mode",), on_delete="keep", keep_on_failure=True),
        {"thing.conf@a": None, "thing.bin@a": "abc"},
        4,
        "different",
        True,
        2,
    )
    task = TaskRecord(
        2, "t1", "change", "thing", "a", ("thing.conf@a",), "doing", ("t0",), 3, {"changes": [], "keep": True},
        {"thing.conf@a": 5}, {"thing.conf@a": None}, "cannot do", 1700000001.0, 1700000002.0, 7,
    )  # fmt: skip
    run = RunRecord(
        2, "apply", "interrupted", 1700000000.0, 1700000003.0, "tester@test", "web", "digest", "halt", (1,),
        {"env": "test"}, {"create": 1},
    )  # fmt: skip
    async with await StateWriter.open(url, who="tester@test", what="apply") as writer:
        writer.spill(
            PutRow(row, "token"),
            DropRow(Address.parse("thing.old@b")),
            PutHost(HostRecord("a", {"name": "a", "address": "192.0.2.1"}, "id-of-a", {"family": "debian"})),
            DropHost("c"),
            PutRun(run),
            PutTask(task, {"thing.conf@a": "secret"}),
            SetTask(2, "t2", {"status": "done", "ended": 1700000004.0, "before": {"x": None}}, {"x": "token"}),
            SetLoaded(Address.parse("daemon.web@a"), {"thing.conf@a": "def", "thing.bin@a": None}),
            images={
                "token": Image({"kind": "file"}, {"content": bytes(range(256))}, False, 2),
                "secret": Image({"text": CANARY}, {"content": CANARY.encode()}, True, 2),
            },
        )
    shutil.copyfile(ROOT / "state" / "moves.db.spill", out / "moves.db.spill")
    shutil.copyfile(ROOT / "state" / "moves.db.key", out / "moves.db.key")
    (out / "moves.db.gz").write_bytes(gzip.compress((ROOT / "state" / "moves.db").read_bytes(), mtime=0))
    assert play.rows() == {}


def write_plans(out: Path) -> None:
    """Saved plans: of a pair with everything in it, and of a selection, made before there is a state."""

    async def save(play: Play, name: str) -> None:
        planned = await plan(play.request)
        made = save_plan(planned, play.request, ROOT / name, redact=lambda value: value)
        shutil.copyfile(ROOT / name, out / name)
        if made.key is not None:
            shutil.copyfile(made.key, out / f"{name}.key")

    play = new_play()
    asyncio.run(first(play))
    play.stack(NEXT.replace("key: /etc/web.conf", "key: /etc/web/web.conf"), HEAD)
    play.world["a"].data["/srv/index"] = {"text": "by hand"}
    del play.world["a"].data["/srv/about"]
    asyncio.run(save(play, "update.plan"))
    keep(out, "update", play)
    play = new_play()
    play.stack(PAIR, HEAD)
    play.options = {"selection": Selection.parse(["thing.key", "daemon.web@a"], ["thing.page"])}
    asyncio.run(save(play, "first.plan"))


def write_memory(out: Path) -> None:
    """What drift told: one thing changed, one gone, a secret changed, a host that does not answer."""
    play = new_play()
    asyncio.run(first(play))
    play.world["a"].data["/etc/web.conf"] = {"text": "by hand"}
    play.world["a"].data["/etc/web.key"] = {"text": "another"}
    del play.world["a"].data["/srv/about"]
    play.world["b"].reachable = False
    report = asyncio.run(play.drift())
    assert report.drift
    assert report.unreachable
    with mock.patch("time.time", lambda: 1700000000.0):
        remember(out / "drift.json", report, ReportedDrift())
    play.world["b"].reachable = True
    keep(out, "drifted", play)
    lineage = play.world["a"].markers
    machine = replace(play.world["b"].base, machine_id="another-machine")
    play.world["b"].base = machine
    mark = json.loads(next(iter(lineage.values())))
    mark["lineage"] = "another-lineage"
    play.world["a"].markers["another-lineage.a.json"] = json.dumps(mark)
    report = asyncio.run(play.drift())
    assert report.ownership.new_machines
    assert report.ownership.foreign_hosts
    with mock.patch("time.time", lambda: 1700000000.0):
        remember(out / "drift-whose.json", report, ReportedDrift())
    (out / "marker.json").write_text(json.dumps(play.world["a"].markers, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """All of it."""
    out = Path(sys.argv[1]).absolute()
    assert not ROOT.exists(), f"{ROOT} is in the way"
    os.environ.pop("HACORE_KEY", None)
    try:
        with (
            mock.patch("hacore.store.holder.this_process", this_process),
            mock.patch("getpass.getuser", lambda: "tester"),
            mock.patch("socket.gethostname", lambda: "control"),
        ):
            write_states(out)
            asyncio.run(write_moves(out))
            write_plans(out)
            write_memory(out)
        asyncio.run(write_host.write(out, ROOT))
    finally:
        shutil.rmtree(ROOT, ignore_errors=True)


if __name__ == "__main__":
    main()
