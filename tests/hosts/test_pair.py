"""The promises of a pair, each on two real hosts: Debian's nginx and keepalived, and the address they share."""

from __future__ import annotations

import functools
import json
import re
import threading
from pathlib import Path

import pytest

from hacore.lab import Lab, manifest
from tests.hosts.project import HEAD, NGINX, SITE, Project
from tests.hosts.project import eventually as _eventually

pytestmark = pytest.mark.twins
eventually = functools.partial(_eventually, seconds=20)

SECOND = SITE.replace("first edition", "second edition")
BROKEN = NGINX.replace("worker_connections 512;", "worker_connections many;")


@pytest.fixture(scope="module")
def web(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small pair, applied once for this module; each test leaves it as it found it."""
    project = Project(tmp_path_factory.mktemp("web"), pair)
    project.web()
    project.apply()
    return project


def manifests(lab: Lab) -> dict[str, manifest.Manifest]:
    return {name: manifest.take(lab, name) for name in ("lb1", "lb2")}


def differences(lab: Lab, before: dict[str, manifest.Manifest]) -> list[str]:
    return [f"{n}: {line}" for n, old in before.items() for line in manifest.diff(old, manifest.take(lab, n))]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_it_serves_and_fails_over(web: Project) -> None:
    eventually(lambda: web.get("http://192.168.1.200/") == (200, "first edition", "lb1"), "served by lb1")
    web.ssh("lb1", "systemctl stop keepalived")
    eventually(lambda: web.get("http://192.168.1.200/")[2] == "lb2", "served by lb2")
    web.ssh("lb1", "systemctl start keepalived")
    eventually(lambda: web.get("http://192.168.1.200/")[2] == "lb1", "served by lb1 again")


def test_after_apply_the_plan_is_empty_and_costs_one_connection_and_one_exec(web: Project) -> None:
    for host in ("lb1", "lb2"):
        web.ssh(host, "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/verbose.conf && systemctl reload ssh")

    def counted(args: tuple[str, ...], code: int) -> dict[str, tuple[int, int]]:
        # what sshd said of this very login must have arrived, or it is counted, too
        since = {h: web.ssh(h, "journalctl --sync; date +%s.%N").strip() for h in ("lb1", "lb2")}
        web.ok(*args, code=code)
        found = {}
        for host, start in since.items():
            log = web.ssh(host, f"journalctl -u ssh --since @{start} -o cat")
            # the last login in the log is the one that reads it
            logins = len(re.findall(r"^Accepted publickey", log, re.M)) - 1
            execs = len(re.findall(r"^Starting session: command", log, re.M)) - 1
            found[host] = (logins, execs)
        return found

    assert counted(("plan", "--detailed-exitcode"), 0) == {"lb1": (1, 1), "lb2": (1, 1)}
    assert counted(("drift",), 0) == {"lb1": (1, 1), "lb2": (1, 1)}
    web.web(site=SECOND)
    assert counted(("plan", "--detailed-exitcode"), 2) == {"lb1": (1, 1), "lb2": (1, 1)}
    assert "second edition" in web.ok("plan")
    web.web()
    for host in ("lb1", "lb2"):
        web.ssh(host, "rm /etc/ssh/sshd_config.d/verbose.conf && systemctl reload ssh")


def test_plan_and_drift_change_no_byte_here_or_there(web: Project) -> None:
    there, here = manifests(web.lab), tree(web.folder)

    web.ok("plan")
    web.ok("drift")
    web.web(site=SECOND)
    changed_here = tree(web.folder)
    web.ok("plan", "--json")
    web.ok("validate")

    assert tree(web.folder) == changed_here
    web.web()
    assert tree(web.folder) == here
    assert differences(web.lab, there) == []


def test_what_was_changed_by_hand_is_drift_and_healed(web: Project) -> None:
    web.ssh("lb2", "echo '# by hand' >>/etc/nginx/nginx.conf && systemctl stop nginx")

    found = json.loads(web.ok("drift", "--json", code=2))
    assert {d["address"] for d in found["drift"]} == {"file.main@lb2", "service.nginx@lb2"}
    web.apply()

    assert web.ok("drift")
    assert web.ssh("lb2", "cat /etc/nginx/nginx.conf") == NGINX
    assert web.ssh("lb2", "systemctl is-active nginx").strip() == "active"
    assert web.actions() == {}


def test_a_new_configuration_is_rolled_back_and_served_again(web: Project) -> None:
    before = manifests(web.lab)
    web.web(site=SECOND)
    web.apply()
    for host in ("192.168.1.166", "192.168.1.173", "192.168.1.200"):
        eventually(lambda h=host: web.get(f"http://{h}/")[1] == "second edition", f"{host} serves the second")  # type: ignore[misc]

    web.ok("rollback", "--auto-approve")

    for host in ("192.168.1.166", "192.168.1.173", "192.168.1.200"):
        eventually(lambda h=host: web.get(f"http://{h}/")[1] == "first edition", f"{host} serves the first")  # type: ignore[misc]
    assert differences(web.lab, before) == []
    web.web()
    assert web.actions() == {}


def test_back_over_three_runs_and_forth_again(web: Project) -> None:
    """A file, a template, what nginx and keepalived have loaded: as before the second of three runs, then as after."""
    stack = web.folder / "stacks/web/stack.yaml"
    plain = stack.read_text()
    first = json.loads(web.ok("runs", "--json"))["runs"][-1]["run"]

    def version(number: int) -> None:
        main = NGINX.replace("worker_connections 512;", "worker_connections {{ 512 + edition }};")
        web.web(site=SITE.replace("first edition", f"edition {number}"), main=main)
        text = plain.replace("source: nginx.conf", f"template: nginx.conf\n      vars: {{edition: {number}}}")
        stack.write_text(text.replace("host.vars.priority }}", f"host.vars.priority - {number} }}}}"))

    def running() -> list[str]:
        """What is served, and who the daemons' masters are: a reload keeps them."""
        served = [web.get(f"http://{address}/")[1] for address in ("192.168.1.166", "192.168.1.173", "192.168.1.200")]
        return served + [web.ssh(host, "systemctl show -P MainPID nginx keepalived") for host in ("lb1", "lb2")]

    moments, loaded = [], []
    for number in (1, 2, 3):
        version(number)
        web.apply()
        eventually(lambda n=number: set(running()[:3]) == {f"edition {n}"}, f"edition {number} is served")  # type: ignore[misc]
        moments.append(manifests(web.lab))
        loaded.append(running())

    web.ok("rollback", str(first + 2), "--auto-approve")
    eventually(lambda: running() == loaded[0], "what ran after the first of the three")
    assert differences(web.lab, moments[0]) == []
    version(1)
    assert web.actions() == {}

    back = json.loads(web.ok("runs", "--json"))["runs"][-1]["run"]
    web.ok("rollback", str(back), "--auto-approve")
    eventually(lambda: running() == loaded[2], "what ran after the third")
    assert differences(web.lab, moments[2]) == []
    version(3)
    assert web.actions() == {}

    web.ok("rollback", str(first + 1), "--auto-approve")
    web.web()
    assert web.actions() == {}


def test_a_wrong_configuration_is_refused_before_it_replaces_the_good_one(web: Project) -> None:
    before = manifests(web.lab)
    web.web(main=BROKEN)

    done = web.run("apply", "--auto-approve")

    assert done.returncode == 1
    assert "invalid number" in done.stdout + done.stderr
    assert differences(web.lab, before) == []
    web.web()
    assert web.actions() == {}


def test_a_failure_on_one_host_undoes_the_pair(web: Project) -> None:
    before = manifests(web.lab)
    # lb2 alone cannot take the new main file: the whole lane goes back, the site on both with it
    web.web(site=SECOND, main=NGINX + "# new\n")
    text = (web.folder / "stacks/web/stack.yaml").read_text()
    refusing = text.replace("validate: nginx -t -q -c %s", "validate: \"sh -c 'test $(hostname) != lb2' %s\"")
    assert refusing != text
    (web.folder / "stacks/web/stack.yaml").write_text(refusing)

    done = web.run("apply", "--auto-approve")

    assert done.returncode == 1, done.stdout
    assert "file.main@lb2" in done.stdout
    assert differences(web.lab, before) == []
    for host in ("192.168.1.166", "192.168.1.173", "192.168.1.200"):
        eventually(lambda h=host: web.get(f"http://{h}/")[1] == "first edition", f"{host} serves the first")  # type: ignore[misc]
    web.web()
    assert web.actions() == {}


def test_a_renamed_resource_touches_nothing(web: Project) -> None:
    before = manifests(web.lab)
    stack = web.folder / "stacks/web/stack.yaml"
    text = stack.read_text()
    stack.write_text(text.replace("    site:\n", "    page:\n").replace("file.site", "file.page"))

    assert {a: w for a, w in web.actions().items() if a.startswith("file.")} == {
        "file.page@lb1": "adopt",
        "file.page@lb2": "adopt",
        "file.site@lb1": "forget",
        "file.site@lb2": "forget",
    }
    web.apply()
    assert differences(web.lab, before) == []
    assert web.actions() == {}
    stack.write_text(text)
    web.apply()
    assert web.actions() == {}
    assert differences(web.lab, before) == []


def test_a_removed_block_is_deleted_unless_it_was_protected(web: Project) -> None:
    extra = "    note: {path: /etc/note, content: 'hello', needs: [package.web]%s}\n"

    def with_note(protection: str) -> None:
        web.web()
        stack = web.folder / "stacks/web/stack.yaml"
        stack.write_text(stack.read_text().replace("  file:\n", "  file:\n" + extra % protection))

    with_note(", lifecycle: {prevent_destroy: true}")
    web.apply()
    web.web()
    refused = web.run("plan")
    assert refused.returncode == 1
    assert "prevent_destroy" in refused.stderr

    with_note("")
    web.apply()
    web.web()
    assert web.actions() == {"file.note@lb1": "delete", "file.note@lb2": "delete"}
    web.apply()
    assert web.ssh("lb1", "ls /etc/note", check=False) == ""
    assert web.actions() == {}


def test_a_site_that_is_removed_is_not_served_any_more(web: Project) -> None:
    """Its file goes, and with it its place in `reload_on`: the daemon has it loaded still."""
    before = manifests(web.lab)
    web.web()
    stack = web.folder / "stacks/web/stack.yaml"
    more = "server { listen 8081; location / { return 200 more; } }"
    body = f"    more: {{path: /etc/nginx/sites-enabled/more, content: '{more}', needs: [package.web, file.main]}}\n"
    text = stack.read_text().replace("  file:\n", "  file:\n" + body)
    stack.write_text(text.replace("reload_on: [file.site, ", "reload_on: [file.site, file.more, "))
    web.apply()
    listens = "ss -Htln sport = :8081 | grep -c LISTEN || :"
    for name in ("lb1", "lb2"):
        assert web.ssh(name, listens).strip() != "0", name

    web.web()
    found = {a: w for a, w in web.actions().items() if a.endswith("@lb1")}
    assert found == {"file.more@lb1": "delete", "service.nginx@lb1": "update"}
    assert "reload nginx" in web.ok("plan")
    web.apply()
    for name in ("lb1", "lb2"):
        eventually(lambda n=name: web.ssh(n, listens).strip() == "0", f"{name} does not serve it any more")  # type: ignore[misc]
    assert web.actions() == {}
    assert differences(web.lab, before) == []

    web.ok("rollback", "--auto-approve")
    for name in ("lb1", "lb2"):
        eventually(lambda n=name: web.ssh(n, listens).strip() != "0", f"{name} serves it again")  # type: ignore[misc]
    web.apply()
    assert differences(web.lab, before) == []


def test_the_password_is_in_keepalived_conf_and_nowhere_else(web: Project) -> None:
    secret = "Nq8#wT4j"
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            look = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"
            seen.extend(web.ssh(host, look, check=False) for host in ("lb1", "lb2"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        planned = web.run("--log", "debug", "plan", env={"HACORE_VAR_vrrp_password": secret})
        as_json = web.run("plan", "--json", env={"HACORE_VAR_vrrp_password": secret})
        applied = web.run(
            "--log", "debug", "apply", "--auto-approve", env={"HACORE_VAR_vrrp_password": secret, "HACORE_DEBUG": "1"}
        )
    finally:
        over.set()
        watcher.join()

    assert applied.returncode == 0, applied.stderr
    assert f"auth_pass {secret}" in web.ssh("lb1", "cat /etc/keepalived/keepalived.conf").replace('"', "")
    printed = [planned.stdout, planned.stderr, as_json.stdout, as_json.stderr, applied.stdout, applied.stderr]
    assert not [text for text in printed + seen if secret in text or web.password in text]
    kept = {name: data for name, data in tree(web.folder).items() if secret.encode() in data}
    assert kept == {}
    where = web.ssh("lb1", f"grep -rlF '{secret}' /etc /run /var /tmp /root 2>/dev/null", check=False).split()
    assert where == ["/etc/keepalived/keepalived.conf"]
    web.apply()
    assert web.actions() == {}


def test_exit_codes(web: Project) -> None:
    assert web.run("validate").returncode == 0
    assert web.run("plan", "--detailed-exitcode").returncode == 0
    assert web.run("state", "list").returncode == 0
    assert web.run("show").returncode == 0
    assert web.run("plan", "--no-such-option").returncode == 64
    assert web.run("no-such-command").returncode == 64
    assert web.run("apply").returncode == 0  # nothing to do: no question
    web.web(site=SECOND)
    assert web.run("plan").returncode == 0
    assert web.run("plan", "--detailed-exitcode").returncode == 2
    assert web.run("apply").returncode == 1  # nobody there to say yes
    web.web()
    assert web.run("rollback", "99", "--auto-approve").returncode == 1


def test_an_unreachable_host_is_not_an_absent_one(web: Project) -> None:
    web.lab.crash("lb1")
    try:
        eventually(lambda: web.get("http://192.168.1.200/")[2] == "lb2", "served by lb2")
        planned = web.run("plan", "--json")
        assert planned.returncode == 1
        data = json.loads(planned.stdout)
        assert not data["complete"]
        assert [u["host"] for u in data["unreachable"]] == ["lb1"]
        assert data["changes"] == []
        drifted = web.run("drift", "--json")
        assert drifted.returncode == 1
        assert not json.loads(drifted.stdout)["complete"]
        assert web.run("apply", "--auto-approve").returncode == 1
    finally:
        web.lab.boot("lb1")
    eventually(lambda: web.run("plan", "--detailed-exitcode").returncode == 0, "lb1 is as before", seconds=60)
    eventually(
        lambda: web.get("http://192.168.1.200/")[2] == "lb1", "served by lb1 again after its power cut", seconds=60
    )


def test_destroy_leaves_what_was_there_before(pair: Lab, tmp_path: Path) -> None:
    pair.reset()
    for host in ("lb1", "lb2"):
        assert pair.ssh(host, "apt-get install -y -qq make >/dev/null 2>&1 && mkdir /etc/nginx").returncode == 0
        assert (
            pair.ssh(host, "echo '# mine' >/etc/nginx/nginx.conf && chmod 0640 /etc/nginx/nginx.conf").returncode == 0
        )
    before = manifests(pair)
    project = Project(tmp_path, pair)
    project.web()
    stack = tmp_path / "stacks/web/stack.yaml"
    stack.write_text(stack.read_text().replace("[nginx, keepalived]", "[nginx, keepalived, make, curl]"))

    project.apply()
    assert project.actions() == {}
    project.ok("destroy", "--auto-approve")

    assert differences(pair, before) == []
    assert pair.ssh("lb1", "make --version && cat /etc/nginx/nginx.conf").returncode == 0
    assert json.loads(project.ok("state", "list", "--json"))["addresses"] == []


def test_ten_mistakes_are_ten_errors_and_touch_nothing(pair: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, pair)
    project.write(
        """\
  file:
    a: {path: relative, content: "x"}
    b: {path: /etc/b, content: "x", mode: 0644}
    c: {path: /etc/c, contnet: "x"}
    d: {path: /etc/d, content: "{{ var.nothing }}"}
    e: {path: /etc/e, content: "x", needs: [file.nowhere]}
    f: {path: /etc/f, content: "x", hosts: lb3}
    g: {path: /etc/g, source: missing.txt}
  packge:
    h: {}
  service:
    i: {running: maybe}
  vip:
    j: {instance: VI_9, address: 192.168.1.200}
""",
        head=HEAD,
    )

    done = project.run("plan")

    assert done.returncode == 1
    problems = [line for line in done.stderr.splitlines() if re.search(r"stack\.yaml:\d+:\d+: ", line)]
    assert len(problems) == 10, done.stderr
    assert not project.state.exists()
