"""`hacore report` and `plan --html`: pages for people, in a real browser too, with nothing of a secret on them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Console
from tests.drill.test_page import browse

HEAD = """stack: web
variables:
  password: {type: string, sensitive: true, default: "hunter2-and-more"}
hosts:
  a: {address: 192.0.2.1}
  b: {address: 192.0.2.2}
"""
THINGS = """
thing:
  conf: {key: /etc/conf, text: "v1 <b>&"}
  secret: {text: "{{ var.password }}", needs: [thing.conf]}
daemon:
  web: {reads: [/etc/conf], reload_on: [thing.conf]}
"""


@pytest.fixture
def web(console: Console) -> Console:
    console.stack(THINGS, HEAD)
    assert console("apply", "--auto-approve").code == 0
    return console


def data_of(page: str, name: str) -> object:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def alone(page: str) -> None:
    """Nothing is loaded, and nothing runs."""
    assert not re.search(r"(?:src|href|onload|onclick)=", page)
    assert "<script>" not in page and "@import" not in page and "url(" not in page
    assert "hunter2" not in page


def test_a_plan_as_a_page_has_what_the_terminal_shows(web: Console) -> None:
    web.stack(THINGS.replace("v1 <b>&", "v2 <i>"), HEAD)
    shown = web("plan", "--html", "plan.html")
    assert shown.code == 0
    page = (web.folder / "plan.html").read_text()
    alone(page)
    assert '<span class="' in page  # the colours of a terminal
    text = re.sub(r"<[^>]*>", "", page.split("<pre>")[1].split("</pre>")[0])
    assert "- v1 &lt;b&gt;&amp;" in text and "+ v2 &lt;i&gt;" in text
    assert "Plan: 0 to create, 4 to update" in text
    assert data_of(page, "plan") == json.loads(web("plan", "--json").out)


def test_a_report_has_hosts_resources_runs_changes_and_the_graph(web: Console) -> None:
    web.world["a"].data["/etc/conf"]["text"] = "by hand"
    done = web("report", "--html", "web.html")
    assert (done.code, done.out) == (0, "Wrote web.html.\n"), done.err
    page = (web.folder / "web.html").read_text()
    alone(page)
    assert "<title>web: no address</title>" in page
    assert "<h2>Managed: 6 resources</h2>" in page
    assert "<summary>thing: 4</summary>" in page and "<li>thing.conf@a</li>" in page
    assert "by hand" in page  # the change that a plan would take back
    assert "#1 apply done" in page
    assert "drill" not in page  # there is no address that could move
    for name in ("thing.conf", "thing.secret", "daemon.web"):
        assert f"<title>{name}</title>" in page
    assert page.count("<path ") == 2  # two of them need the first one
    assert data_of(page, "status") == json.loads(web("status", "--json").out)


def test_a_report_of_a_stack_that_cannot_be_used_is_by_the_state(web: Console) -> None:
    web.stack("thing: {conf: {key: [}}", HEAD)
    done = web("report", "--html", "web.html")
    page = (web.folder / "web.html").read_text()
    assert "Shown by the state alone, the stack cannot be used: " in page and "<h2>Managed: 6 resources</h2>" in page
    assert done.code == web("status").code


def test_a_report_of_nothing(console: Console) -> None:
    console.stack(THINGS, HEAD)
    assert console("report", "--html", "web.html").code == 0
    page = (console.folder / "web.html").read_text()
    assert "<title>web: nothing recorded</title>" in page and "<p>Nothing is recorded.</p>" in page


def test_a_file_is_required(web: Console) -> None:
    done = web("report")
    assert done.code == 64 and "--html" in done.err


@pytest.mark.machine
@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no browser here")
@pytest.mark.parametrize("command", ["report", "plan"])
def test_a_browser_shows_it_without_an_error(web: Console, tmp_path: Path, command: str) -> None:
    web(command, "--html", "page.html")
    seen = browse(web.folder / "page.html", tmp_path, "--dump-dom")
    assert seen.returncode == 0, seen.stderr
    assert "CONSOLE" not in seen.stderr, seen.stderr
    assert "<h1>" in seen.stdout and "</pre>" in seen.stdout
    picture = tmp_path / "page.png"
    browse(web.folder / "page.html", tmp_path, f"--screenshot={picture}", "--window-size=1000,1400")
    assert picture.read_bytes()[:4] == bytes([0x89]) + b"PNG"
