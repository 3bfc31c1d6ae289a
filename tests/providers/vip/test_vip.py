from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Ask, Check, Facts, Verdict, View
from hacore_providers.facts.addresses import InterfaceAddress
from hacore_providers.facts.http import HTTP, Answer, question
from hacore_providers.facts.systemd import UNIT, UnitState
from hacore_providers.vip.provider import PROVIDER, HttpCheck, VipSpec
from tests.named import NAME, named

URL = "http://192.168.1.200/"
ASKED = question(URL, "192.168.1.200", 3.0)


def spec(**changes: Any) -> VipSpec:
    body = {"instance": "VI_1", "address": "192.168.1.200", "checks": [{"http": URL, "body": "hello"}]}
    return VipSpec.model_validate(body | changes)


def facts(*held: str, answer: Answer | None = None) -> Facts:
    answers: dict[tuple[str, str], Any] = {
        ("addresses", ""): tuple(InterfaceAddress("eth1", a, 32) for a in ("127.0.0.1", *held))
    }
    if answer is not None:
        answers["http", ASKED] = answer
    return Facts(answers=answers)


def view(one: Facts, two: Facts) -> View[Any]:
    return View(Address("vip", "front"), spec(), None, members={"lb1": (spec(), one), "lb2": (spec(), two)})


HOLDER = facts("192.168.1.200", answer=Answer(200, "say hello\n"))


@pytest.mark.parametrize(
    ("one", "two", "holder", "held_by"),
    [
        (HOLDER, facts(), "one", ["lb1"]),
        (facts(), HOLDER, "one", ["lb2"]),
        (HOLDER, HOLDER, "several", ["lb1", "lb2"]),
        (HOLDER, Facts(), "one", ["lb1"]),
        (facts(), Facts(), "unknown", []),
        (Facts(), Facts(), "unknown", []),
        (facts("192.168.1.20", "192.168.1.201"), Facts(), "unknown", []),
    ],
)
def test_who_holds_it(one: Facts, two: Facts, holder: str, held_by: list[str]) -> None:
    observed = PROVIDER.observe(view(one, two))

    assert observed is not None
    assert (observed.attrs, observed.info["held_by"]) == ({"holder": holder}, held_by)
    assert observed.health is not None
    assert (observed.health.address, list(observed.health.holders)) == ("192.168.1.200", held_by)


def daemon(active: str | None, *held: str) -> Facts:
    """A host whose keepalived is in this state; None: the unit does not exist."""
    state = UnitState("keepalived.service", load="loaded" if active else "not-found", active=active or "inactive")
    known = facts(*held)
    return dataclasses.replace(known, answers={**known.answers, (UNIT.name, "keepalived.service"): state})


@pytest.mark.parametrize(
    ("one", "two", "why"),
    [
        (daemon("inactive"), daemon("failed"), ", once keepalived, which is stopped on lb1 and lb2, runs"),
        (daemon("inactive"), daemon("active"), ""),
        (daemon("inactive"), daemon(None), ""),  # a first apply installs it
        (daemon("inactive"), Facts(), ""),
        (facts(), facts(), ""),
    ],
)
def test_the_change_names_a_daemon_that_is_stopped_everywhere(one: Facts, two: Facts, why: str) -> None:
    front = spec(unit="keepalived.service")
    seen = View(Address("vip", "front"), front, None, members={"lb1": (front, one), "lb2": (front, two)})
    assert PROVIDER.desire(seen).effect == f"wait until exactly one host holds it{why}"
    assert Ask(UNIT, "keepalived.service") in PROVIDER.facts(front)


def test_held_by_nobody_it_is_absent() -> None:
    assert PROVIDER.observe(view(facts(), facts())) is None


def test_a_move_to_the_other_host_is_no_change() -> None:
    before, after = PROVIDER.observe(view(HOLDER, facts())), PROVIDER.observe(view(facts(), HOLDER))

    assert before is not None
    assert after is not None
    assert before.attrs == after.attrs == PROVIDER.desire(view(HOLDER, facts())).attrs


@pytest.mark.parametrize(
    ("answer", "verdict", "good"),
    [
        (Answer(200, "say hello\n"), "ok", True),
        (Answer(502, "hello"), "status 502, not 200", False),
        (Answer(200, "bye"), "status 200, but the body does not contain 'hello'", False),
        (Answer(0), "no answer", False),
        (None, "not asked", None),
    ],
)
def test_a_check_is_shown_and_never_compared(answer: Answer | None, verdict: str, good: bool | None) -> None:
    observed = PROVIDER.observe(view(facts("192.168.1.200", answer=answer), facts()))

    assert observed is not None
    assert observed.info["checks"] == {"1": verdict}
    assert observed.health is not None
    assert observed.health.verdicts == (Verdict(URL, good, verdict),)
    assert observed.attrs == {"holder": "one"}


@dataclasses.dataclass(frozen=True)
class Instance:
    vips: tuple[Any, ...]
    service: str = ""


@dataclasses.dataclass(frozen=True)
class Entry:
    address: str


@dataclasses.dataclass(frozen=True)
class Files:
    instance: Instance | None
    sensitive: bool = False

    def resource(self, kind: str, name: str) -> Instance | None:
        assert (kind, name) == ("vrrp_instance", "VI_1")
        return self.instance


@pytest.mark.parametrize(
    ("given", "instance", "address"),
    [
        ("", Instance((Entry("192.168.1.200/24"),)), "192.168.1.200"),
        ("", Instance((Entry("192.168.1.200"), Entry("192.168.1.201"))), ""),
        ("", None, ""),
        ("192.168.1.201/24", None, "192.168.1.201"),
    ],
)
def test_the_address_is_the_instance_s_only_one(given: str, instance: Instance | None, address: str) -> None:
    resolved = PROVIDER.resolve(spec(address=given), Files(instance))  # type: ignore[arg-type]

    assert resolved.address == address
    assert [m.field for _, m in PROVIDER.validate({"lb1": resolved}, {})] == ([] if address else ["address"])


@pytest.mark.parametrize(
    ("service", "unit"), [("keepalived", "keepalived.service"), ("k.service", "k.service"), ("", "")]
)
def test_the_daemon_is_the_instance_s(service: str, unit: str) -> None:
    instance = Instance((Entry("192.168.1.200"),), service)
    assert PROVIDER.resolve(spec(address=""), Files(instance)).unit == unit  # type: ignore[arg-type]


def test_it_needs_its_instance_and_asks_what_the_controller_asks() -> None:
    assert PROVIDER.needs(spec()) == ("vrrp_instance.VI_1",)
    assert PROVIDER.checks(spec()) == (Check(URL, 200, "hello", 3.0),)
    assert [a.id for a in PROVIDER.facts(spec())] == [("addresses", ""), ("http", ASKED)]


def test_urls_must_be_http() -> None:
    mistaken = spec(checks=[{"http": "192.168.1.200"}])

    assert [m.field for _, m in PROVIDER.validate({"lb1": mistaken}, {})] == ["checks.0.http"]


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/down" else 200)
        self.end_headers()
        self.wfile.write(b"  indented\nhello\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Hello) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def only(client: str, folder: Path) -> dict[str, str]:
    """The environment of a host that has this client and no other."""
    found = {name: shutil.which(name) for name in ("sh", "ip", "base64", "tr", client)}
    for name, path in found.items():
        if path is None:
            pytest.skip(f"this machine has no {name}")
        (folder / name).symlink_to(path)
    return {"PATH": str(folder), "LC_ALL": "C"}


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_the_holder_asks_with_what_it_has(server: str, client: str, tmp_path: Any) -> None:
    env = only(client, tmp_path)
    asks = [
        Ask(HTTP, question(f"{server}/", "127.0.0.1", 3)),
        Ask(HTTP, question(f"{server}/down", "127.0.0.1", 3)),
        Ask(HTTP, question(f"{server}/elsewhere", "203.0.113.7", 3)),
        Ask(HTTP, question("http://127.0.0.1:1/", "127.0.0.1", 3)),
    ]

    done = subprocess.run(["sh"], input=HTTP.command(asks).encode(), capture_output=True, env=env, check=False)
    answers = {json.loads(arg)[0].removeprefix(server): a for arg, a in HTTP.parse(done.stdout).items()}

    assert answers["/"].status == 200
    assert "hello\n" in answers["/"].body
    assert answers["/down"].status == 503
    assert answers["http://127.0.0.1:1/"].status == 0
    assert "/elsewhere" not in answers


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_the_holder_asks_a_name_based_host_at_the_address(client: str, tmp_path: Path) -> None:
    """As the controller does; wget cannot ask for a name with TLS, so a host that has only wget gives no answer."""
    env = only(client, tmp_path)
    with named(tmp_path) as server:
        checks = {
            "named": HttpCheck(http=f"{server.url}/", host=NAME),
            "unnamed": HttpCheck(http=f"{server.url}/"),
            "insecure": HttpCheck(http=f"{server.url}/", insecure=True),
            "old": HttpCheck(http=f"{server.url}/old", host=NAME, insecure=True),
        }
        asks = [Ask(HTTP, check.question("127.0.0.1")) for check in checks.values()]
        env["CURL_CA_BUNDLE"] = str(server.certificate)
        done = subprocess.run(["sh"], input=HTTP.command(asks).encode(), capture_output=True, env=env, check=False)
    answers = HTTP.parse(done.stdout)
    told = {name: answers.get(check.question("127.0.0.1")) for name, check in checks.items()}

    if client == "wget":
        assert told["named"] is None and told["old"] is None
        assert told["unnamed"] == Answer(0)
        assert told["insecure"] is not None and told["insecure"].status == 421
        return
    assert told["named"] == Answer(200, "hello\n")
    assert told["unnamed"] is not None and told["unnamed"].status == 0 and "SSL" in told["unnamed"].reason
    assert told["insecure"] is not None and told["insecure"].status == 421
    assert told["old"] is not None and told["old"].location == f"https://{NAME}/new"


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_the_holder_follows_no_redirect(client: str, tmp_path: Path) -> None:
    env = only(client, tmp_path)
    with HTTPServer(("127.0.0.1", 0), Redirecting) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        arg = question(f"http://127.0.0.1:{http.server_port}/old", "127.0.0.1", 3, "web.example")
        done = subprocess.run(
            ["sh"],
            input=HTTP.command([Ask(HTTP, arg)]).encode(),
            capture_output=True,
            env=env,
            check=False,
        )
        http.shutdown()
        thread.join()
    answer = HTTP.parse(done.stdout)[arg]

    assert (answer.status, answer.location) == (302, f"http://web.example:{http.server_port}/new")


class Redirecting(Hello):
    """Redirects, to the same host by the name that was asked for."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/old" else 200)
        self.send_header("Location", f"http://{self.headers['Host']}/new")
        self.end_headers()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(0, reason="(60) no"), "no answer: (60) no"),
        (Answer(0), "no answer"),
        (Answer(301, "", "https://x/"), "status 301 to https://x/, not 200"),
        (Answer(503), "status 503, not 200"),
    ],
)
def test_why_the_holder_got_no_good_answer(answer: Answer, words: str) -> None:
    observed = PROVIDER.observe(view(facts("192.168.1.200", answer=answer), facts()))
    assert observed is not None and observed.info["checks"] == {"1": words}


@pytest.mark.parametrize("host", ["a b", "-x", "x\ny", 'x"y', "x:80", "x/"])
def test_a_name_to_ask_for_is_a_host_name(host: str) -> None:
    mistaken = spec(checks=[{"http": URL, "host": host}])
    assert [m.field for _, m in PROVIDER.validate({"lb1": mistaken}, {})] == ["checks.0.host"]


class Watching(Hello):
    """Answers with the arguments of all processes while the request lasts."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                self.wfile.write(Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ") + b"\n")


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_a_secret_in_a_url_is_in_no_process_list(client: str, tmp_path: Path) -> None:
    env = only(client, tmp_path)
    secret = os.urandom(8).hex()
    with HTTPServer(("127.0.0.1", 0), Watching) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        arg = question(f"http://ops:{secret}@127.0.0.1:{http.server_port}/", "127.0.0.1", 10)
        script = HTTP.command([Ask(HTTP, arg, secret=True)]).encode()
        done = subprocess.run(["sh"], input=script, capture_output=True, env=env, check=False)
        http.shutdown()
        thread.join()
    answers = HTTP.parse(done.stdout)

    if client == "wget":
        assert answers == {}
    else:
        assert answers[arg].status == 200
        assert "curl -q -sS" in answers[arg].body
        assert secret not in answers[arg].body


def test_a_host_without_ip_is_silent() -> None:
    script = HTTP.command([Ask(HTTP, ASKED)]).encode()
    done = subprocess.run(["/bin/sh"], input=script, capture_output=True, env={"PATH": "/proc/nowhere"}, check=False)

    assert done.stdout == b""
