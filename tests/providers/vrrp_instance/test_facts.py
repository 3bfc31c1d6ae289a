"""Facts: recorded outputs, and the snippets run for real by sh over files of a test's own folder."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Ask, Fact
from hacore_providers.facts.addresses import ADDRESSES, InterfaceAddress, holds, plain
from hacore_providers.facts.build import TOOLCHAIN
from hacore_providers.facts.keepalived import CONFIG, DRAIN, LIMIT, VERSION, ConfigFile
from hacore_providers.vrrp_instance.config_text import masked, render
from tests.providers.vrrp_instance.specs import address, spec


def ask(fact: Fact[object], *asks: Ask) -> bytes:
    script = f"export LC_ALL=C\n{fact.command(asks)}\n"
    return subprocess.run(["sh"], input=script.encode(), capture_output=True, check=False).stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            rb"1: lo    inet 127.0.0.1/8 scope host lo\       valid_lft forever preferred_lft forever",
            InterfaceAddress("lo", "127.0.0.1", 8, "host", "lo"),
        ),
        (
            rb"2: eth1    inet 192.168.1.166/24 brd 192.168.1.255 scope global eth1\       valid_lft forever",
            InterfaceAddress("eth1", "192.168.1.166", 24, "global", "eth1"),
        ),
        (
            rb"2: eth1    inet 192.168.1.200/32 scope global eth1\       valid_lft forever preferred_lft forever",
            InterfaceAddress("eth1", "192.168.1.200", 32, "global", "eth1"),
        ),
        (
            rb"2: eth1    inet 192.168.1.201/24 scope global secondary eth1:vip\       valid_lft forever",
            InterfaceAddress("eth1", "192.168.1.201", 24, "global", "eth1:vip"),
        ),
        (
            rb"7: tun0    inet 10.8.0.1 peer 10.8.0.2/32 scope global tun0\       valid_lft forever",
            InterfaceAddress("tun0", "10.8.0.1", 32, "global", "tun0"),
        ),
        (
            rb"3: eth0.20@eth0    inet 10.0.0.1/8 scope global dynamic eth0.20\       valid_lft 85sec",
            InterfaceAddress("eth0.20", "10.0.0.1", 8, "global", "eth0.20"),
        ),
        (
            rb"2: eth1    inet6 fe80::a00:27ff:fe81:bc35/64 scope link \       valid_lft forever preferred_lft forever",
            InterfaceAddress("eth1", "fe80::a00:27ff:fe81:bc35", 64, "link", ""),
        ),
        (
            rb"2: eth1    inet6 2001:db8::c8/128 scope global deprecated nodad \       valid_lft forever",
            InterfaceAddress("eth1", "2001:db8::c8", 128, "global", ""),
        ),
    ],
)
def test_address_lines_of_iproute2(line: bytes, expected: InterfaceAddress) -> None:
    assert ADDRESSES.parse(line + b"\n") == {"": (expected,)}


def test_no_ip_is_no_answer() -> None:
    assert ADDRESSES.parse(b"") == {}


def test_this_machine_has_its_loopback_address() -> None:
    here = ADDRESSES.parse(ask(ADDRESSES, Ask(ADDRESSES, "")))[""]

    assert holds(here, "127.0.0.1")
    assert holds(here, "127.0.0.1/8")
    assert not holds(here, "127.0.0.11")
    assert not holds(None, "127.0.0.1")


def test_equal_addresses_are_equal_however_they_are_written() -> None:
    assert plain("2001:DB8:0::00c8/64") == plain("2001:db8::c8")
    assert holds((InterfaceAddress("eth1", "2001:db8::c8", 128),), "2001:db8:0:0::c8")


def test_a_config_that_is_as_wanted_brings_no_text(tmp_path: Path) -> None:
    text = render([(address(), spec())])
    file = tmp_path / "keepalived.conf"
    file.write_text(text)
    file.chmod(0o600)
    sha256 = hashlib.sha256(text.encode()).hexdigest()

    found = CONFIG.parse(ask(CONFIG, Ask(CONFIG, str(file), wanted=sha256)))

    owner = f"{file.owner()}:{file.group()}"
    served = {"addresses": ("192.168.1.200",), "router_ids": {"VI_1": 66}, "instance_of": {"192.168.1.200": "VI_1"}}
    assert found == {
        str(file): ConfigFile(
            sha256, "0600", owner, ("VI_1",), managed=True, drains=("/var/lib/hacore/drain/VI_1",), **served
        )
    }


def test_a_config_that_differs_brings_its_text_without_passwords(tmp_path: Path) -> None:
    text = 'vrrp_instance  VI_9{\n\tauthentication {\n\t auth_pass   "s3 cr3t"\n }\n}\n  vrrp_instance "X" \n{\n}\n'
    (tmp_path / "one.conf").write_text(text)
    (tmp_path / "secret.conf").write_text(text)
    one, secret, none = (str(tmp_path / n) for n in ("one.conf", "secret.conf", "none.conf"))

    found = CONFIG.parse(ask(CONFIG, Ask(CONFIG, one), Ask(CONFIG, secret, secret=True), Ask(CONFIG, none)))

    assert set(found) == {one, secret}
    assert found[one].instances == found[secret].instances == ("VI_9", "X")
    assert found[one].text == text.replace('"s3 cr3t"', "(hidden)") == masked(text)
    assert found[secret].text is None


def test_the_text_of_a_secret_config_does_not_leave_the_host(tmp_path: Path) -> None:
    text = "vrrp_instance VI_9 {\n}\n" * 20
    (tmp_path / "c").write_text(text)
    said = [ask(CONFIG, Ask(CONFIG, str(tmp_path / "c"), secret=secret)) for secret in (False, True)]

    assert [base64.b64encode(text.encode())[:80] in one for one in said] == [True, False]


def test_a_huge_config_brings_no_text(tmp_path: Path) -> None:
    file = tmp_path / "big.conf"
    file.write_text("# x\n" * (LIMIT // 4 + 1))

    assert CONFIG.parse(ask(CONFIG, Ask(CONFIG, str(file))))[str(file)].text is None


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    assert CONFIG.parse(ask(CONFIG, Ask(CONFIG, str(tmp_path)))) == {}


def test_the_version_is_read_from_what_it_prints(tmp_path: Path) -> None:
    program = tmp_path / "keepalived"
    program.write_text("#!/bin/sh\necho 'Keepalived v2.2.7 (01/16,2022)' >&2\necho more >&2\n")
    program.chmod(0o755)

    found = VERSION.parse(ask(VERSION, Ask(VERSION, str(program)), Ask(VERSION, str(tmp_path / "none"))))

    assert found == {str(program): "2.2.7"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize(
    ("owner", "mode", "runs"), [(0, 0o755, True), (65534, 0o755, False), (0, 0o775, False), (0, 0o757, False)]
)
@pytest.mark.parametrize("fact", [VERSION, TOOLCHAIN])
def test_a_program_that_others_could_have_put_there_is_not_run(
    fact: Any, owner: int, mode: int, runs: bool, tmp_path: Path
) -> None:
    """A plan asks for it, and a stack names it: a checkout of somebody's proposal has programs, too."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho 'Keepalived v2.2.7 (01/16,2022)' >&2\n")
    os.chown(program, owner, 0)
    program.chmod(mode)

    found = fact.parse(ask(fact, Ask(fact, str(program))))

    assert ((tmp_path / "ran").exists(), bool(found)) == (runs, runs)


def test_the_drain_file_is_read(tmp_path: Path) -> None:
    for name, content in {"on": "1\n", "off": "0\n", "empty": ""}.items():
        (tmp_path / name).write_text(content)
    asks = [Ask(DRAIN, str(tmp_path / n)) for n in ("on", "off", "empty", "none")]

    found = {Path(p).name: v for p, v in DRAIN.parse(ask(DRAIN, *asks)).items()}

    assert found == {"on": True, "off": False}


ANY = """
! a file of the world { virtual_ipaddress
global_defs { router_id "a"
}
vrrp_instance "VI_A" { interface eth0
  virtual_router_id 1
  authentication { auth_type PASS
    auth_pass x }
  virtual_ipaddress
  {
    192.0.2.1/24 dev eth0 # the first {
    192.0.2.2 }
  virtual_ipaddress_excluded { 2001:db8::1/64 }
  track_script { virtual_ipaddress }
}
vrrp_instance VI_B{ virtual_ipaddress{ "198.51.100.1"
} }
virtual_server 192.0.2.1 443 {
  real_server 10.0.0.1 443 { weight 1 }
}
virtual_server group web { }
"""


def test_what_any_file_serves_is_found(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(ANY)
    found = CONFIG.parse(ask(CONFIG, Ask(CONFIG, str(file), secret=True)))[str(file)]
    assert found.instances == ("VI_A", "VI_B")
    assert found.addresses == ("192.0.2.1/24", "192.0.2.2", "2001:db8::1/64", "198.51.100.1")
    assert found.servers == ("192.0.2.1 443", "group web")
    assert found.router_ids == {"VI_A": 1}
    assert found.instance_of["2001:db8::1/64"] == "VI_A" and found.instance_of["198.51.100.1"] == "VI_B"
    assert not found.managed
    assert found.text is None


@pytest.mark.parametrize(
    "line",
    [
        "    auth_pass hunter2",
        "authentication { auth_type PASS auth_pass hunter2 }",
        "#auth_pass hunter2",
        "\tkey hunter2",
    ],
)
def test_no_password_leaves_the_host_wherever_it_stands(tmp_path: Path, line: str) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(f"vrrp_instance A {{\n{line}\n}}\n")
    found = CONFIG.parse(ask(CONFIG, Ask(CONFIG, str(file), wanted="0")))[str(file)]
    assert found.text is not None
    assert "hunter2" not in found.text
    assert "(hidden)" in found.text
