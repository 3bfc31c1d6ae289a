"""`hacore drift` for machines: only what is new, metrics, a webhook, schedules, and an empty environment."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hacore.load import load_providers
from hacore.testing import ThisMachine
from tests.cli.conftest import Console
from tests.engine.play import Play

TWO = "thing: {one: {text: first}, key: {text: '{{ var.password }}', secret: true}}"


@pytest.fixture
def made(console: Console, monkeypatch: pytest.MonkeyPatch) -> Console:
    """A stack that is applied; what drift remembers is in the test's folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(console.folder / "memory"))
    monkeypatch.delenv("HACORE_WEBHOOK", raising=False)
    console.stack(TWO)
    assert console("apply", "--auto-approve").code == 0
    return console


def by_hand(console: Console, text: str = "by hand", host: str = "a") -> None:
    console.world[host].data["/things/one"] = {"text": text}


# -- only what is new


def test_since_last_tells_a_change_once(made: Console) -> None:
    assert made("drift", "--since-last", "--quiet").code == 0
    by_hand(made)

    first, second = (made("drift", "--since-last", "--quiet") for _ in range(2))
    assert (first.code, "thing.one@a" in first.out) == (2, True)
    assert (second.code, second.out) == (0, "")
    assert made("drift", "--quiet").code == 2  # who asks for all gets all
    loud = made("drift", "--since-last")
    assert loud.out.startswith("No new drift; 4 resources checked.\n1 difference already reported at 20")

    by_hand(made, host="b")
    third = made("drift", "--since-last", "--json")
    assert (third.code, [d["address"] for d in third.json["drift"]], third.json["known"]) == (2, ["thing.one@b"], 1)


def test_since_last_tells_once_that_it_cannot_tell_and_never_says_clean(made: Console) -> None:
    made.world["b"].reachable = False

    done = [made("drift", "--since-last", "--quiet") for _ in range(2)]

    assert [d.code for d in done] == [1, 1]
    assert ["Incomplete: b" in d.out for d in done] == [True, False]


def test_without_since_last_nothing_is_remembered(made: Console) -> None:
    by_hand(made)

    made("drift")

    assert not (made.folder / "memory").exists()


# -- metrics


def metrics(path: Path) -> dict[str, float]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_say_what_the_report_says(made: Console) -> None:
    file = made.folder / "hacore.prom"
    by_hand(made)

    assert made("drift", "--quiet", "--metrics", str(file)).code == 2
    found = metrics(file)
    assert found['hacore_drift_exit_code{stack="web"}'] == 2
    assert found['hacore_drift_resources{stack="web"}'] == 4
    assert found['hacore_drift_drifted{host="a",stack="web"}'] == 1
    assert found['hacore_drift_drifted{host="b",stack="web"}'] == 0

    made.world["b"].reachable = False
    assert made("drift", "--quiet", "--metrics", str(file)).code == 1
    found = metrics(file)
    assert found['hacore_drift_complete{stack="web"}'] == 0
    assert found['hacore_drift_unreachable{host="b",stack="web"}'] == 1
    assert [p.name for p in made.folder.glob("hacore.prom*")] == ["hacore.prom"]


def test_a_look_that_failed_is_in_the_metrics_too(made: Console) -> None:
    file = made.folder / "hacore.prom"
    assert made("drift", "--metrics", str(file)).code == 0

    assert made("drift", "--state", "sqlite:///none.db", "--metrics", str(file)).code == 1
    found = metrics(file)
    assert found['hacore_drift_exit_code{stack="none"}'] == 1
    assert found['hacore_drift_complete{stack="none"}'] == 0
    assert 'hacore_drift_resources{stack="none"}' not in found


def test_metrics_that_cannot_be_written_are_an_error(made: Console) -> None:
    done = made("drift", "--metrics", "/proc/nowhere/hacore.prom")

    assert (done.code, "cannot write the metrics to /proc/nowhere/hacore.prom" in done.err) == (1, True)


# -- webhook


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.got, server.status = [], 204  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_webhook_gets_the_report_when_there_is_something_to_tell(made: Console, hook: HTTPServer) -> None:
    url = f"http://127.0.0.1:{hook.server_port}/token-of-the-hook"
    assert made("drift", "--quiet", "--webhook", url).code == 0
    assert hook.got == []  # type: ignore[attr-defined]
    by_hand(made)
    made.world["a"].data["/things/key"] = {"text": "another-password"}

    made.monkeypatch.setenv("HACORE_WEBHOOK", url)
    done = made("drift", "--json")

    ((path, kind, report),) = hook.got  # type: ignore[attr-defined]
    assert (path, kind, report) == ("/token-of-the-hook", "application/json", done.json)
    assert "password" not in json.dumps(report)


def test_what_did_not_arrive_is_told_again(made: Console, hook: HTTPServer) -> None:
    url = f"http://127.0.0.1:{hook.server_port}/token-of-the-hook"
    by_hand(made)
    hook.status = 500  # type: ignore[attr-defined]

    failed = made("drift", "--quiet", "--since-last", "--webhook", url)
    hook.status = 200  # type: ignore[attr-defined]
    again, third = (made("drift", "--quiet", "--since-last", "--webhook", url) for _ in range(2))

    assert failed.code == 1
    assert failed.err == "error: cannot post to the webhook at 127.0.0.1: HTTP status 500\n"
    assert (again.code, third.code, len(hook.got)) == (2, 0, 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize("url", ["ftp://x/y", "file:///etc/passwd", "token-of-the-hook", "http://"])
def test_only_http_is_posted_to(made: Console, url: str) -> None:
    done = made("drift", "--webhook", url)

    assert (done.code, done.out) == (64, "")
    assert "token-of-the-hook" not in done.err


# -- schedules


def test_a_crontab_calls_drift_with_nothing_taken_from_the_shell(made: Console) -> None:
    done = made("drift", ".", "--print-cron", "--since-last", "--metrics", "m.prom", "--webhook", "http://x/token")

    lines = [line for line in done.out.splitlines() if not line.startswith("#")]
    assert lines[:2] == ["SHELL=/bin/sh", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    schedule = re.fullmatch(r"(\S+ \S+ \S+ \S+ \S+) (\S+) (.*)", lines[2])
    assert schedule is not None and schedule[1] == "*/15 * * * *"
    words = shlex.split(schedule[3])
    stack = str(made.folder / "stack.yaml")
    assert words[words.index("drift") :] == [
        *("drift", stack, "--quiet", "--timeout", "60", "--since-last", "--metrics", str(made.folder / "m.prom"))
    ]
    assert Path(words[0]).is_absolute()
    assert "token" not in done.out


def test_a_percent_sign_is_not_cron_s(made: Console) -> None:
    out = made("drift", "--state", "sqlite:///a%20b.db", "--print-cron").out

    assert r"a\%20b.db" in out
    assert "/etc/cron.d/hacore-drift-a-20b:" in out


@pytest.mark.parametrize("form", ["--print-cron", "--print-timer"])
def test_a_schedule_has_no_password_in_it(made: Console, form: str) -> None:
    done = made("drift", "--state", "postgresql://u:hunter3@db/x", form)

    assert (done.code, done.out) == (64, "")
    assert "HACORE_STATE" in done.err and "hunter3" not in done.err


@pytest.mark.parametrize("form", ["--print-cron", "--print-timer"])
@pytest.mark.parametrize("name", ["a\n* * * * * root id #", "a\nEND\nid\n", "a\r", "a\u202eb", "a\x85"])
def test_a_schedule_has_no_line_but_its_own(made: Console, form: str, name: str) -> None:
    for words in (["--metrics", name], ["--state", f"sqlite:///{name}.db"]):
        done = made("drift", ".", form, *words)

        assert (done.code, done.out) == (64, "")
        assert "cannot print a schedule: '" in done.err and "rename the file" in done.err


@pytest.mark.parametrize("form", ["--print-cron", "--print-timer"])
def test_a_schedule_has_no_user_who_cannot_be(made: Console, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root\n* * * * * root id #")

    done = made("drift", ".", form)

    assert (done.code, done.out) == (64, "")
    assert "is not a user name" in done.err


def test_the_timer_is_one_that_systemd_takes(made: Console, tmp_path: Path) -> None:
    script = made("drift", "--print-timer", "--state", "sqlite:///50% $HOME.db").out
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0

    units = dict(re.findall(r"(?ms)^cat >/etc/systemd/system/(\S+) <<'END'\n(.*?)^END$", script))
    assert sorted(name.rpartition(".")[2] for name in units) == ["service", "timer"]
    (line,) = re.findall(r"(?m)^ExecStart=(.*)$", "".join(units.values()))
    assert "50%% $$HOME.db" in line
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return  # no systemd on this machine to ask
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in units]
    done = subprocess.run([verify, "verify", *files], capture_output=True, text=True, check=False)
    assert "hacore" not in done.stderr, done.stderr


# -- as cron runs it


def below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_an_empty_environment_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HACORE_KEY", raising=False)
    states, folder, file = tmp_path / "states", tmp_path / "stack", tmp_path / "file"
    states.mkdir()
    folder.mkdir()
    room = ThisMachine(tmp_path / "room")
    play = Play(folder, states, options={"providers": load_providers(), "connect": room.connect})
    head = "\nstack: test\nhosts: {here: {address: localhost, connection: {transport: local}}}\nresources:\n"
    play.stack(f'file: {{it: {{path: "{file}", content: "wanted\\n"}}}}', head)
    assert (await play.apply()).ok
    words = [sys.executable, "-P", "-m", "hacore.cli", "drift", "--state", play.url, "--quiet", "--timeout", "60"]

    def look() -> tuple[int, str, str]:
        done = subprocess.run(words, env={}, cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    before = below(tmp_path)
    assert look() == (0, "", "")
    file.write_text("by hand\n")
    code, out, err = look()

    assert (code, err) == (2, "")
    assert "file.it@here has changed" in out
    assert below(tmp_path) == before


@pytest.mark.parametrize("form", ["--print-cron", "--print-timer"])
@pytest.mark.parametrize("name", ["a\n* * * * * root id", "a\nEND\nid", "a\rb", "a\x1b[2Jb", "a\u202eb", "a\u2028b"])
def test_a_schedule_has_no_line_of_a_file_name(made: Console, form: str, name: str) -> None:
    done = made("drift", ".", form, "--metrics", name)

    assert (done.code, done.out) == (64, "")
    assert "cannot print a schedule: " in done.err and "control character" in done.err
    assert name not in done.err
