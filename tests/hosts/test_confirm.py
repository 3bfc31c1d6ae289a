"""`apply --confirm-within`: hosts that lock us out, or that we are cut off from, put themselves back."""

from __future__ import annotations

import pytest

from hacore.lab import Lab, manifest
from tests.hosts.project import Project, eventually, killed

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
        assert web.ssh(host, "ls -A /run/hacore").split() in ([], ["jobs"])
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
    assert "lb1 and lb2 put themselves back within 12 seconds" in done.stderr
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
