"""The progress of a run, with a clock that is set by hand."""

from __future__ import annotations

import io
from typing import Any

import pytest

from hacore.events import Event
from hacore.render.progress import QUIET, Progress
from hacore.render.terminal import Terminal


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Scene:
    def __init__(self, err: io.StringIO | None = None) -> None:
        self.err = err or io.StringIO()
        self.clock = Clock()
        self.terminal = Terminal(io.StringIO(), self.err, {"NO_COLOR": "1"})
        self.progress = Progress(self.terminal, self.clock)
        self.progress(Event("run_started"))

    def say(self, type_: Any, task: str = "t1", host: str | None = "lb1", after: float = 0.0, **more: Any) -> None:
        self.clock.now += after
        addresses = more.pop("addresses", (f"file.conf@{host}",) if host else ("vip.front",))
        data = {"op": more.pop("op", "update")}
        self.progress(Event(type_, host=host, task=task, addresses=addresses, data=data, **more))

    def tick(self, after: float = 0.0) -> None:
        self.clock.now += after
        self.progress.tick()

    @property
    def lines(self) -> list[str]:
        return self.err.getvalue().splitlines()


def test_what_ends_gets_a_line_with_its_duration() -> None:
    scene = Scene()
    scene.say("task_started")
    scene.say("task_done", after=2.0)
    scene.say("task_started", "t2", op="reload", addresses=("service.nginx@lb1",))
    scene.say("task_done", "t2", op="reload", addresses=("service.nginx@lb1",), after=0.5)
    scene.say("task_started", "t3", host=None, op="create")
    scene.say("task_done", "t3", host=None, op="create", after=61)
    scene.say("task_started", "t4", op="drain", addresses=("vrrp_instance.VI_1@lb1",))
    scene.say("task_done", "t4", op="drain", addresses=("vrrp_instance.VI_1@lb1",), after=3)
    assert scene.lines == [
        "[    2s] lb1  file.conf: updated in 2.0s",
        "[    2s] lb1  reload service.nginx: reloaded in 0.5s",
        "[ 1m03s]      vip.front: created in 1m01s",
        "[ 1m06s] lb1  drain: out of service in 3.0s",
    ]


def test_a_failure_is_told_in_full_and_so_is_what_follows_from_it() -> None:
    scene = Scene()
    scene.say("task_started")
    scene.say("task_failed", message="cannot change file.conf: exit code 1:\nno space\x1b[2J left", after=1.0)
    scene.say("task_held", "t2", host="lb2")
    scene.say("task_undo_started")
    scene.say("task_undone", after=1.0)
    scene.say("task_undo_started", "t3")
    scene.say("task_undo_failed", "t3", message="cannot undo", after=1.0)
    assert scene.lines == [
        "[    1s] lb1  file.conf: failed after 1.0s",
        "        cannot change file.conf: exit code 1:",
        "        no space\\x1b[2J left",
        "[    1s] lb2  file.conf: not started",
        "[    2s] lb1  file.conf: undone in 1.0s",
        "[    3s] lb1  file.conf: could not be undone after 1.0s",
        "        cannot undo",
    ]


def test_only_a_step_that_takes_long_gets_a_line() -> None:
    scene = Scene()
    scene.say("task_started")
    scene.say("task_progress", message="unpacking nginx")
    scene.say("task_progress", message="building nginx", after=0.4)
    scene.tick(0.5)
    assert scene.lines == []
    scene.tick(0.6)
    scene.tick(0.6)
    assert scene.lines == ["[    1s] lb1  file.conf: building nginx"]


def test_a_log_says_after_a_silence_what_is_still_running() -> None:
    scene = Scene()
    scene.say("task_started")
    scene.say("task_progress", message="building nginx")
    scene.tick(2)
    scene.tick(QUIET - 0.1)
    assert len(scene.lines) == 1
    scene.tick(0.2)
    scene.tick(1.0)
    assert scene.lines[1:] == ["[   12s] lb1  file.conf: still running after 12s: building nginx"]
    scene.say("task_done")
    scene.tick(QUIET * 3)
    assert len(scene.lines) == 3, "nothing runs any more: nothing to say"


def test_a_terminal_has_a_live_line_that_gives_way_to_others() -> None:
    scene = Scene(Tty())
    scene.say("task_started")
    scene.tick(3.0)
    assert scene.err.getvalue().endswith("\r\x1b[2K[    3s] lb1 file.conf (3.0s)")
    scene.terminal.tell("something else")
    assert scene.err.getvalue().endswith("\r\x1b[2Ksomething else\n"), "the old one is not true any more"
    scene.tick(1.0)
    assert scene.err.getvalue().endswith("\r\x1b[2K[    4s] lb1 file.conf (4.0s)")
    scene.progress.paused = True
    scene.tick()
    assert scene.err.getvalue().endswith("\r\x1b[2K"), "a question must stand alone"
    scene.progress.paused = False
    scene.tick()
    scene.progress.end()
    assert scene.err.getvalue().endswith("(4.0s)\r\x1b[2K")


def test_before_a_run_the_live_line_says_who_is_asked() -> None:
    err = Tty()
    terminal = Terminal(io.StringIO(), err, {})
    progress = Progress(terminal, Clock())
    for host in ("lb1", "lb2"):
        progress(Event("host_connecting", host=host))
    progress.tick()
    assert "checking lb1 and lb2" in err.getvalue()
    progress(Event("host_ready", host="lb1"))
    progress(Event("host_unreachable", "timed out", host="lb2"))
    progress.tick()
    assert err.getvalue().endswith("\r\x1b[2K")


def test_warnings_are_told_at_once() -> None:
    scene = Scene()
    scene.progress(Event("warning", "a check failed before the run"))
    assert scene.lines == ["[    0s]   warning: a check failed before the run"]


@pytest.mark.parametrize("op", ["create", "update", "replace", "delete", "adopt", "forget", "noop", "ensure", "change"])
def test_each_operation_has_a_word_for_its_end(op: str) -> None:
    scene = Scene()
    scene.say("task_started", op=op)
    scene.say("task_done", op=op)
    words = {"noop": "checked", "ensure": "unchanged", "change": "applied", "forget": "forgotten"}
    assert scene.lines == [f"[    0s] lb1  file.conf: {words.get(op, op.removesuffix('e') + 'ed')} in 0.0s"]


@pytest.mark.parametrize(
    ("op", "line"),
    [
        ("create/update", "file.conf: created/updated in 0.0s"),
        ("restore", "file.conf: restored in 0.0s"),
        ("restart", "restart file.conf: restarted in 0.0s"),
        ("verify", "verify: verified in 0.0s"),
        ("undrain", "undrain: back in service in 0.0s"),
        ("unheard of", "file.conf: unheard of in 0.0s"),
    ],
)
def test_other_operations_and_several_in_one(op: str, line: str) -> None:
    scene = Scene()
    scene.say("task_started", op=op)
    scene.say("task_done", op=op)
    assert scene.lines == [f"[    0s] lb1  {line}"]


def test_addresses_of_a_task_are_named_once_without_their_host_and_not_all_of_many() -> None:
    scene = Scene()
    names = ("file.a@lb1", "file.b@lb1", "file.a@lb1", "file.c@lb2", "file.d@lb1")
    scene.say("task_started", addresses=names)
    scene.say("task_done", addresses=names)
    scene.say("task_done", "t2", addresses=(*names, "file.e@lb1"))
    assert [line.partition("lb1  ")[2] for line in scene.lines] == [
        "file.a, file.b, file.c@lb2 and file.d: updated in 0.0s",
        "file.a, file.b, file.c@lb2 and 2 more: updated",
    ]


def test_an_undo_that_takes_long_is_named_with_its_host() -> None:
    scene = Scene()
    scene.say("task_undo_started")
    scene.tick(QUIET)
    scene.say("task_undo_started", "t2", host=None)
    scene.tick(QUIET)
    assert scene.lines == [
        "[   10s] lb1  undo file.conf: still running after 10s",
        "[   20s] lb1  undo file.conf: still running after 20s",
        "[   20s]      undo vip.front: still running after 10s",
    ]


def test_the_same_step_again_is_no_new_one_and_an_unknown_task_is_ignored() -> None:
    scene = Scene()
    scene.say("task_progress", "t9", message="of nobody")
    scene.say("task_started")
    scene.say("task_progress", message="building")
    scene.say("task_progress", message="building", after=0.9)
    scene.tick(0.2)
    scene.tick(2.0)
    assert scene.lines == ["[    1s] lb1  file.conf: building"]


def test_the_end_of_a_run_leaves_nothing_running() -> None:
    scene = Scene()
    scene.say("task_started")
    scene.progress(Event("run_finished"))
    scene.tick(QUIET * 2)
    assert scene.lines == []


def test_hosts_are_in_a_column() -> None:
    scene = Scene()
    scene.say("task_held", host="a-long-name")
    scene.say("task_held", host="lb1")
    assert [line[9:24] for line in scene.lines] == ["a-long-name  fi", "lb1          fi"]


def test_a_new_run_begins_at_zero() -> None:
    scene = Scene()
    scene.clock.now += 50
    scene.progress(Event("run_started"))
    scene.say("task_held")
    assert scene.lines == ["[    0s] lb1  file.conf: not started"]
