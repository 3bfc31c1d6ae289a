"""Checks that passed before a run pass again after it, asked of a real server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.contract import Check
from hacore.journal import RunningTask
from hacore.model import Op
from hacore.plan import PlanTask
from hacore.walk.health import ask, ask_all, recheck
from tests.journal.runs import changed
from tests.plan.table import Table
from tests.walk.walks import Walk

X, Y = Address.parse("thing.x"), Address.parse("thing.y")


class Site(ThreadingHTTPServer):
    """Answers with the next status of `answers` for each path, the last one again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.answers: dict[str, list[int]] = {}
        self.asked: list[str] = []

    def check(self, path: str, *answers: int, status: int = 200, body: str = "") -> Check:
        self.answers[path] = list(answers)
        return Check(f"http://127.0.0.1:{self.server_port}{path}", status, body, 10.0)


class Page(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answers = self.server.answers[self.path]
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.end_headers()
        self.wfile.write(b"welcome to " + self.path.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "wanted", "body", "why"),
    [
        (200, 200, "", ""),
        (200, 200, "welcome", ""),
        (200, 200, "goodbye", "the answer does not contain 'goodbye'"),
        (503, 200, "", "status 503, not 200"),
        # an error that is wanted
        (404, 404, "welcome", ""),
        (200, 404, "", "status 200, not 404"),
    ],
)
def test_one_check(site: Site, status: int, wanted: int, body: str, why: str) -> None:
    assert ask(site.check("/x", status, status=wanted, body=body)) == why


def test_where_nobody_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there, nor can
        assert "refused" in ask(Check(f"http://127.0.0.1:{taken.getsockname()[1]}/x"))


def test_a_proxy_is_never_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(site.check("/x", 200)) == ""


async def test_each_answer_is_of_its_check(site: Site) -> None:
    good, bad, other = site.check("/good", 200), site.check("/bad", 500), site.check("/other", 404)
    assert await ask_all({X: (good, bad), Y: (other,)}) == {
        X: [(good, ""), (bad, "status 500, not 200")],
        Y: [(other, "status 404, not 200")],
    }


def over_all(*patience: float) -> RunningTask:
    changes = tuple(changed(str(a), "~", patience=p) for a, p in zip((X, Y), patience, strict=False))
    return RunningTask(PlanTask("t1", Op.CHANGE, "thing", None, tuple(c.address for c in changes), changes))


@pytest.mark.parametrize(
    ("patience", "answers", "asked", "fails"),
    [
        (0.0, (200,), 1, False),
        (0.0, (503, 200), 1, True),
        # within its patience
        (600.0, (503, 503, 200), 3, False),
    ],
)
async def test_what_passed_before_passes_again(
    tmp_path: Path,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    patience: float,
    answers: tuple[int, ...],
    asked: int,
    fails: bool,
) -> None:
    monkeypatch.setattr("hacore.walk.health.POLL", 0)
    check = site.check("/x", *answers)
    async with Walk.of(tmp_path, Table(), checks={X: (check,)}) as walk:
        failed = await recheck(over_all(patience), walk.ctx)
    words = f"thing.x: a check that passed before fails now: {check.http}: status 503, not 200"
    assert (None if failed is None else str(failed)) == (words if fails else None)
    assert site.asked == ["/x"] * asked


async def test_every_change_is_asked_for_and_each_fault_is_told(tmp_path: Path, site: Site) -> None:
    checks = {X: (site.check("/x", 200),), Y: (site.check("/good", 200), site.check("/y", 500), site.check("/z", 404))}
    async with Walk.of(tmp_path, Table(), checks=checks) as walk:
        failed = await recheck(over_all(0.0, 0.0), walk.ctx)
    assert failed is not None
    assert [part.rpartition(":")[2] for part in str(failed).split("; ")] == [
        " status 500, not 200",
        " status 404, not 200",
    ]


async def test_what_has_no_check_is_healthy(tmp_path: Path) -> None:
    async with Walk.of(tmp_path, Table()) as walk:
        assert await recheck(over_all(0.0), walk.ctx) is None
