"""Approval: the literal yes, a closed stdin, signals."""

from __future__ import annotations

import functools
import io
import os
import signal
import subprocess
import sys
import threading

import pytest

import hacore.engine
from hacore.cli.interruptible import Stopper
from hacore.cli.prompts import ask_yes
from hacore.errors import HacoreError
from hacore.render.terminal import Terminal
from hacore.testing import Machine
from tests.cli.conftest import Console

ONE = "thing: {one: {text: x}, two: {text: y, needs: [thing.one]}}"


@pytest.mark.parametrize("answer", ["no\n", "y\n", "YES\n", "yes please\n", "\n"])
def test_only_the_literal_yes_will_do(console: Console, answer: str) -> None:
    console.stack(ONE)
    done = console("apply", stdin=answer)
    assert done.code == 1
    assert done.err.splitlines()[-1] == "error: apply cancelled"
    assert console.world["a"].data == {}
    assert console("runs").out == "No runs yet.\n"


@pytest.mark.parametrize("stdin", ["", None], ids=["at its end", "closed"])
def test_a_closed_stdin_is_an_error_not_a_hang(console: Console, stdin: str | None) -> None:
    console.stack(ONE)
    done = console("apply", stdin=stdin)
    assert done.code == 1
    assert done.err.splitlines()[-1] == "error: cannot ask for approval: stdin is closed; use --auto-approve"


def pipe(text: bytes) -> io.TextIOWrapper:
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    return os.fdopen(reader)


def test_a_real_stream_is_read_line_by_line_so_a_second_question_finds_its_answer(console: Console) -> None:
    console.stack(ONE)
    console.world["a"].data["/things/one"] = {"text": "before"}
    with pipe(b"yes\nyes\n") as stdin:
        # between the question and the run the host changes: it is shown and asked again
        changed = threading.Event()

        def read(number: int, size: int, real_read: object = os.read) -> bytes:
            if not changed.is_set():
                changed.set()
                console.world["a"].data["/things/one"] = {"text": "changed meanwhile"}
            return real_read(number, size)  # type: ignore[operator,no-any-return]

        console.monkeypatch.setattr("hacore.cli.prompts.os.read", read)
        done = console("apply", stdin=stdin)
    assert done.code == 0, done.err
    assert done.err.count("Do you want to perform these actions") == 2
    assert "The plan changed since it was shown: thing.one@a: text was sha256:" in done.err
    assert "- changed meanwhile" in done.out


def test_ctrl_c_at_the_question_ends_the_command(console: Console) -> None:
    console.stack(ONE)
    reader, writer = os.pipe()

    def read(number: int, size: int, real_read: object = os.read) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        return real_read(number, size)  # type: ignore[operator,no-any-return]

    console.monkeypatch.setattr("hacore.cli.prompts.os.read", read)
    with os.fdopen(reader) as stdin:
        done = console("apply", stdin=stdin)
        os.close(writer)
        for thread in threading.enumerate():
            if thread.name == "stdin":
                thread.join(10)
    assert done.code == 130
    assert done.err.splitlines()[-1] == "interrupted"
    assert console("runs").out == "No runs yet.\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_anything_was_touched_ends_the_command(
    console: Console, number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.stack(ONE)
    real = console.world.connect

    signals = [number]

    async def connect(host: object) -> object:
        for one in signals[:1]:
            signals.clear()
            os.kill(os.getpid(), one)
        return await real(host)  # type: ignore[arg-type]

    means = hacore.engine.Means.func  # type: ignore[attr-defined]
    monkeypatch.setattr(hacore.engine, "Means", functools.partial(means, connect=connect))
    done = console("plan")
    assert done.code == code
    assert done.out == ""
    assert done.err == "interrupted\n"


def test_the_first_ctrl_c_in_a_run_lets_what_is_running_end(console: Console) -> None:
    console.stack(ONE)
    console.world["a"].on("write /things/one", lambda _: os.kill(os.getpid(), signal.SIGINT))
    done = console("apply", "--auto-approve")
    assert done.code == 1
    assert "Interrupted: finishing running tasks, starting no new ones. Press Ctrl-C again to abort." in done.err
    assert console.world["a"].data["/things/one"]["text"] == "x"
    assert "/things/two" not in console.world["a"].data
    assert "Apply interrupted: " in done.out
    assert "not started" in done.out
    unfinished = console("plan")
    assert unfinished.out.startswith("Interrupted run #1 apply")
    assert console("rollback", "--auto-approve").code == 0
    assert console.world["a"].data == {}


def test_the_second_ctrl_c_leaves_at_once(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    console.stack(ONE)
    left: list[int] = []
    monkeypatch.setattr("hacore.cli.interruptible.os._exit", left.append)

    stoppers: list[Stopper] = []
    real = Stopper.watch
    monkeypatch.setattr(Stopper, "watch", lambda self, work: (stoppers.append(self), real(self, work))[1])

    def twice(_: Machine) -> None:
        stoppers[0].signal(signal.SIGINT)
        stoppers[0].signal(signal.SIGINT)

    console.world["a"].on("write /things/one", twice)
    done = console("apply", "--auto-approve")
    assert left == [130]
    assert "Aborted. The run is incomplete: " in done.err


def test_after_ctrl_c_at_the_question_the_process_ends(tmp_path: object) -> None:
    """A thread that still waits for stdin must not keep the interpreter alive."""
    script = (
        "import asyncio, io, os, signal, sys, threading\n"
        "from hacore.cli.prompts import ask_yes\n"
        "from hacore.cli.exit_codes import Interrupted\n"
        "from hacore.cli.interruptible import run\n"
        "from hacore.render.terminal import Terminal\n"
        "terminal = Terminal(sys.stdout, sys.stderr, {})\n"
        "async def work(stopper):\n"
        "    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)\n"
        "    return await ask_yes(terminal, 'well?')\n"
        "try:\n"
        "    run(terminal, work)\n"
        "except Interrupted as error:\n"
        "    sys.exit(error.code)\n"
    )
    reader, writer = os.pipe()
    try:
        done = subprocess.run([sys.executable, "-c", script], stdin=reader, capture_output=True, text=True, timeout=60)
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert "Fatal" not in done.stderr


async def test_another_option_than_auto_approve_is_named() -> None:
    terminal = Terminal(io.StringIO(), io.StringIO(), {})
    with pytest.raises(HacoreError, match="use --fingerprint"):
        await ask_yes(terminal, "Are these the keys?", stdin=io.StringIO(""), option="--fingerprint")
