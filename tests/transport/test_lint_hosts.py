"""`hacore lint` over hosts: their keepalived.conf is read over SSH, with what it includes and its check scripts."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hacore.cli.app import cli

from .sshd import Sshd

pytestmark = pytest.mark.machine
CONFIG = """include conf.d/*.conf
vrrp_script chk {
    script "SCRIPT"
    user root
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        192.0.2.10
    }
    track_script {
        chk
    }
}
"""


def lint(*args: str | Path) -> Result:
    return CliRunner().invoke(cli, ["lint", *map(str, args)])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    script = tmp_path / "check.sh"
    script.write_text("#!/bin/sh\ncurl -f http://192.0.2.10/ || exit 1\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "global.conf").write_text("global_defs {\n    router_idd x\n}\n")
    file = tmp_path / "keepalived.conf"
    file.write_text(CONFIG.replace("SCRIPT", str(script)))
    return file


def test_two_hosts(server: Sshd, config: Path) -> None:
    user = getpass.getuser()
    one, other = f"{user}@127.0.0.1:{server.port}", f"{user}@[::1]:{server.port}"
    result = lint(one, other, "--config", config)
    for host in (one, other):
        included = config.parent / "conf.d" / "global.conf"
        assert f"{host}:{included}:2:5: fault: keepalived does not know router_idd: did you mean" in result.output
        assert f"{host}:{config}:3:5: fault: the check asks 192.0.2.10" in result.output
    assert f"{other}:{config}:9:5: warning: priority is 100 as on {one}" in result.output
    assert f"together: VI_1 on {one} and {other}" in result.output
    assert result.exit_code == 2


def test_a_host_without_the_file_and_one_that_cannot_be_reached(server: Sshd, tmp_path: Path) -> None:
    host = f"{getpass.getuser()}@127.0.0.1:{server.port}"
    result = lint(host, "--config", tmp_path / "none.conf")
    assert f"cannot check {host}: it has no {tmp_path}/none.conf, or the user cannot read it" in result.output
    assert result.exit_code == 1
    result = lint(host, "127.0.0.1:1")
    assert "127.0.0.1" in result.output
    assert "cannot reach" in result.output or "cannot connect" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("host", "message"),
    [("a@b:99999", "the port must be 1 to 65535"), ("-oProxyCommand=x", "no such option"), ("a b", "is not a host")],
)
def test_what_is_no_host(host: str, message: str) -> None:
    result = lint(host)
    assert message in result.output.lower()
    assert result.exit_code == 64
