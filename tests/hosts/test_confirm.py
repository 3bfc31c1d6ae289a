"""`apply --confirm-within`: hosts that lock us out, or that we are cut off from, put themselves back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hacore.lab import Lab, manifest
from tests.hosts.project import HEAD, Project, eventually, killed

pytestmark = pytest.mark.twins

HOSTS = ("lb1", "lb2")
BODY = """\
  file:
    kept: {{path: /etc/kept.conf, content: "{text}\\n", validate: "{validate}"}}
    sshd:
      path: /etc/ssh/sshd_config.d/listen.conf
      content: "{{{{ 'ListenAddress {listen}' if host.name == 'lb2' else '# everywhere' }}}}\\n"
      needs: [file.kept]
  service:
    ssh: {{running: true, restart_on: [file.sshd]}}
"""


def body(text: str, *, listen: str = "0.0.0.0", validate: str = "true %s") -> str:
    return BODY.format(text=text, listen=listen, validate=validate)


@pytest.fixture(scope="module")
def web(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("confirm"), pair)
    project.write(body("one"))
    project.apply()
    return project


def waits(web: Project, host: str) -> bool:
    return web.lab.ssh(host, "test -e /run/hacore/confirm/until").returncode == 0


def put_back(web: Project, host: str) -> bool:
    done = web.lab.ssh(host, "cat /run/hacore/confirm/over")
    return done.returncode == 0 and done.stdout == "put back\n"


def manifests(web: Project) -> dict[str, manifest.Manifest]:
    return {name: manifest.take(web.lab, name) for name in HOSTS}


def differences(web: Project, before: dict[str, manifest.Manifest]) -> list[str]:
    return [line for name, old in before.items() for line in manifest.diff(old, manifest.take(web.lab, name))]


def test_what_a_new_connection_confirms_stays(web: Project) -> None:
    web.write(body("two"))
    web.apply("--confirm-within", "60s")

    for host in HOSTS:
        assert web.ssh(host, "cat /etc/kept.conf") == "two\n"
        assert set(web.ssh(host, "ls -A /run/hacore").split()) <= {"jobs", "lock.flock"}
    assert web.actions() == {}

    web.write(body("three", validate="grep -q two %s"))
    web.ok("apply", "--auto-approve", "--confirm-within", "60s", code=1)  # it failed and went back: nothing waits
    assert not any(waits(web, host) for host in HOSTS)
    web.write(body("one"))
    web.apply()


def test_a_host_that_locks_us_out_puts_itself_back(web: Project) -> None:
    before = manifests(web)
    web.write(body("two", listen="127.0.0.1"))

    done = web.run("apply", "--auto-approve", "--confirm-within", "12s")

    assert done.returncode == 1
    assert "is not confirmed: lb2: " in done.stderr, done.stderr
    assert "lb1 and lb2 revert automatically within 12s" in done.stderr
    for host in HOSTS:
        eventually(lambda host=host: put_back(web, host), f"{host} is back")
    assert differences(web, before) == []
    assert "interrupted" in web.ok("runs")
    web.ok("rollback", "--auto-approve")
    assert differences(web, before) == []
    web.write(body("one"))
    assert web.actions() == {}
    assert not waits(web, "lb1")


def test_hosts_whose_controller_is_gone_put_themselves_back(web: Project) -> None:
    before = manifests(web)
    web.write(body("three", validate="sleep 1; true %s"))
    running = web.start("apply", "--auto-approve", "--confirm-within", "10s")
    try:
        eventually(lambda: all(waits(web, host) for host in HOSTS), "both hosts have the way back")
    finally:
        killed(running)

    for host in HOSTS:
        eventually(lambda host=host: put_back(web, host), f"{host} is back")
    assert differences(web, before) == []
    web.ok("rollback", "--auto-approve")
    web.write(body("one"))
    assert web.actions() == {}


APP = """\
  service:
    app:
      hosts: lb1
      running: true
{restart}      definition: |
        [Service]
        EnvironmentFile=-/etc/app.env
        ExecStart=/usr/bin/sleep infinity
  file:
    after: {{hosts: lb1, path: /etc/after, content: "{text}\\n", needs: [service.app], validate: "{validate}"}}
"""
READS = APP.replace("{restart}", "      restart_on: [file.env]\n") + (
    '    env: {{hosts: lb1, path: /etc/app.env, content: "MODE=prod\\n"}}\n'
)
READS_NOT = APP.replace("{restart}", "")


def has_mode(app: Project) -> bool:
    """Whether the daemon runs with what was in its file."""
    return "MODE=prod" in app.ssh(
        "lb1", "tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value app)/environ", check=False
    )


def test_a_daemon_whose_file_leaves_the_stack_is_restarted_and_put_back_with_it(pair: Lab, tmp_path: Path) -> None:
    """Nothing but the recorded spec says that the daemon reads the file: forwards, undone, and by the host itself."""
    app = Project(tmp_path, pair, name="app")
    head = HEAD.replace("stack: web", "stack: app")
    pid = "systemctl show -p MainPID --value app"
    app.write(READS.format(text="one", validate="true %s"), head=head)
    app.apply()
    # a daemon that was started long after its definition was written, as on any host that was ever restarted
    app.ssh("lb1", "touch -d '1 hour ago' /etc/systemd/system/app.service && systemctl daemon-reload")
    assert has_mode(app)

    app.write(READS_NOT.format(text="two", validate="false %s"), head=head)  # it fails after the restart
    before = app.ssh("lb1", pid)
    app.ok("apply", "--auto-approve", code=1)
    assert app.ssh("lb1", pid) != before
    assert has_mode(app)

    app.write(READS_NOT.format(text="two", validate="sleep 15; true %s"), head=head)
    running = app.start("apply", "--auto-approve", "--confirm-within", "10s")
    try:
        eventually(lambda: not has_mode(app), "the daemon runs without its file")
    finally:
        killed(running)
    eventually(lambda: put_back(app, "lb1"), "lb1 is back")
    assert app.ssh("lb1", "cat /etc/app.env") == "MODE=prod\n"
    assert has_mode(app)
    app.ok("rollback", "--auto-approve")
    assert has_mode(app)

    app.write(READS_NOT.format(text="two", validate="true %s"), head=head)
    before = app.ssh("lb1", pid)
    assert "restart because of file.env" in app.ok("plan")
    app.apply()
    assert app.ssh("lb1", pid) != before
    assert not has_mode(app)
    assert app.actions() == {}
    app.ok("drift")
    app.ok("rollback", "--auto-approve")
    assert has_mode(app)
    app.ok("destroy", "--auto-approve")
