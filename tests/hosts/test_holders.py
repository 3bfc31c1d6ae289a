"""Two real hosts whose addresses must stay: a reload that loses one is undone, and a file of somebody else is kept."""

from __future__ import annotations

import json

import pytest

from hacore.lab import Lab
from tests.hosts.project import HEAD, Project, eventually

pytestmark = pytest.mark.twins
CONFIG = "/etc/keepalived/keepalived.conf"

STACK = """\
  vrrp_instance:
    VI_1:
      members: lb
      interface: "{{ host.vars.interface }}"
      priority: "{{ host.vars.priority }}"
      router_id: "{{ host.name }}"
      virtual_router_id: 66
      authentication: {type: PASS, password: "{{ var.vrrp_password }}"}
      addresses: ADDRESSES
"""

OLD = """\
global_defs {
    script_user root
    enable_script_security
}
vrrp_instance OLD {
    state BACKUP
    interface INTERFACE
    virtual_router_id 77
    priority PRIORITY
    virtual_ipaddress {
        192.168.1.210/24
    }
}
"""


@pytest.fixture(scope="module")
def project(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Both hosts have keepalived, and nothing in the state."""
    made = Project(tmp_path_factory.mktemp("holders"), pair)
    for host in ("lb1", "lb2"):
        made.ssh(host, "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends keepalived")
    return made


def by_hand(project: Project) -> None:
    """A pair that somebody else has made runs."""
    for host, interface, priority in (("lb1", "eth1", "110"), ("lb2", "eth2", "100")):
        text = OLD.replace("INTERFACE", interface).replace("PRIORITY", priority)
        project.ssh(host, f"cat >{CONFIG} <<'END'\n{text}END\nchmod 644 {CONFIG}; systemctl restart keepalived")
    eventually(lambda: holders(project, "192.168.1.210") == ["lb1"], "OLD is held by lb1", seconds=30)


def holders(project: Project, address: str) -> list[str]:
    found = [(host, project.ssh(host, "ip -o addr show")) for host in ("lb1", "lb2")]
    return [host for host, text in found if f" {address}/" in text]


def write(project: Project, addresses: str, more: str = "") -> None:
    project.write(STACK.replace("ADDRESSES", addresses) + more)


def test_a_file_of_somebody_else_is_named_kept_and_given_back_with_its_service(project: Project) -> None:
    by_hand(project)
    before = {host: project.ssh(host, f"stat -c '%a %U:%G' {CONFIG}; cat {CONFIG}") for host in ("lb1", "lb2")}

    write(project, "[192.168.1.200/24]")
    refused = project.run("plan")
    assert refused.returncode == 1
    assert "is not managed by hacore, and serves what the stack does not describe" in refused.stderr
    assert "192.168.1.210/24 of instance OLD" in refused.stderr
    assert project.run("apply", "--auto-approve").returncode == 1
    assert holders(project, "192.168.1.210") == ["lb1"]

    write(project, "[192.168.1.200/24]", "      replace_existing: [OLD]\n")
    plan = json.loads(project.ok("plan", "--json"))
    assert {(c["action"], c["reason"]) for c in plan["changes"]} == {("update", "exists already, not yet managed")}
    assert any("removes 192.168.1.210/24 of instance OLD" in warning for warning in plan["warnings"])
    project.apply()
    eventually(lambda: holders(project, "192.168.1.200") == ["lb1"], "the stack's address", seconds=30)
    assert holders(project, "192.168.1.210") == []

    project.ok("destroy", "--auto-approve")
    eventually(lambda: holders(project, "192.168.1.210") == ["lb1"], "OLD serves again", seconds=30)
    assert holders(project, "192.168.1.200") == []
    after = {host: project.ssh(host, f"stat -c '%a %U:%G' {CONFIG}; cat {CONFIG}") for host in ("lb1", "lb2")}
    assert after == before


READER = """\
[Service]
Type=exec
ExecStart=/bin/sh -c 'cp /etc/reader.conf /run/reader; exec sleep infinity'
ExecReload=/bin/cp /etc/reader.conf /run/reader
"""


def test_a_daemon_that_was_there_before_reads_what_a_destroy_restores(project: Project) -> None:
    for host in ("lb1", "lb2"):
        unit = f"cat >/etc/systemd/system/reader.service <<'END'\n{READER}END\n"
        project.ssh(host, f"echo v0 >/etc/reader.conf\n{unit}systemctl daemon-reload; systemctl start reader")
    project.write(
        '  file: {reader: {path: /etc/reader.conf, content: "v1\\n"}}\n'
        "  service: {reader: {running: true, reload_on: [file.reader]}}\n"
    )
    project.apply()
    started = [project.ssh(host, "systemctl show -p MainPID reader") for host in ("lb1", "lb2")]
    assert [project.ssh(host, "cat /run/reader") for host in ("lb1", "lb2")] == ["v1\n"] * 2
    plan = json.loads(project.ok("plan", "--destroy", "--json"))
    assert {c["effect"] for c in plan["changes"] if c["address"].startswith("file.")} == {
        "restore the original /etc/reader.conf, reload reader"
    }
    project.ok("destroy", "--auto-approve")
    assert [project.ssh(host, "cat /etc/reader.conf /run/reader") for host in ("lb1", "lb2")] == ["v0\nv0\n"] * 2
    assert [project.ssh(host, "systemctl show -p MainPID reader") for host in ("lb1", "lb2")] == started
    project.ok("rollback", "--auto-approve")
    assert [project.ssh(host, "cat /etc/reader.conf /run/reader") for host in ("lb1", "lb2")] == ["v1\nv1\n"] * 2
    project.ok("destroy", "--auto-approve")
    for host in ("lb1", "lb2"):
        project.ssh(host, "systemctl stop reader; rm /etc/systemd/system/reader.service /etc/reader.conf")


def test_one_address_less_and_the_others_stay(project: Project) -> None:
    """192.168.1.0/24 is the network of the hosts: in 10.98.0.0/24 they have no address of their own."""
    for host in ("lb1", "lb2"):
        project.ssh(host, f"systemctl stop keepalived; rm -f {CONFIG}")
    write(project, "[10.98.0.201/24, 10.98.0.202/24, 10.98.0.203/24]")
    project.apply()
    for host in ("lb1", "lb2"):
        project.ssh(host, "systemctl start keepalived")
    eventually(lambda: holders(project, "10.98.0.203") == ["lb1"], "all held by lb1", seconds=30)
    write(project, "[10.98.0.202/24, 10.98.0.203/24]")
    project.apply()
    assert [holders(project, f"10.98.0.{n}") for n in (201, 202, 203)] == [[], ["lb1"], ["lb1"]]


def test_addresses_that_a_reload_by_hand_lost_are_named_and_come_back_by_an_apply(project: Project) -> None:
    """By hand, as a tool that does not know the kernel's default: without promote_secondaries."""
    assert holders(project, "10.98.0.203") == ["lb1"]
    for host, interface in (("lb1", "eth1"), ("lb2", "eth2")):
        project.ssh(
            host,
            f"cp -p {CONFIG} /root/kept; sed -i /promote_secondaries/d {CONFIG}; cp -p {CONFIG} /root/second\n"
            f"sed -i 's|^ *10.98.0.202/24.*|10.98.0.201/24\\n&|' {CONFIG}; systemctl stop keepalived\n"
            f"sysctl -q net.ipv4.conf.all.promote_secondaries=0 net.ipv4.conf.{interface}.promote_secondaries=0",
        )
    for host in ("lb1", "lb2"):
        project.ssh(host, "systemctl start keepalived")
    eventually(lambda: holders(project, "10.98.0.201") == ["lb1"], "three held by lb1", seconds=30)
    for file in ("second", "kept"):
        for host in ("lb1", "lb2"):
            project.ssh(host, f"cp -p /root/{file} {CONFIG}; systemctl reload keepalived")
    eventually(lambda: [holders(project, f"10.98.0.{n}") for n in (201, 202, 203)] == [[]] * 3, "all are lost")
    cure = "restart keepalived, which is MASTER of VI_1 and has lost 10.98.0.202, 10.98.0.203"
    eventually(lambda: cure in project.run("plan").stdout, "the plan names the cure", seconds=30)
    project.apply()
    eventually(lambda: [holders(project, f"10.98.0.{n}") for n in (202, 203)] == [["lb1"]] * 2, "back", seconds=30)
    assert json.loads(project.ok("plan", "--json"))["changes"] == []
    for host in ("lb1", "lb2"):
        project.ssh(host, "rm /root/kept /root/second")


def test_a_reload_that_doubles_an_address_is_undone_and_the_holder_is_as_before(project: Project) -> None:
    """A firewall on lb2 drops the adverts of the new number only: both become master 3.6 s after the reload."""
    rule = "nft add rule ip t i meta l4proto 112 @th,8,8 99 drop"  # the second byte of an advert is the number
    chain = "nft add table ip t; nft 'add chain ip t i { type filter hook input priority 0; }'"
    project.ssh("lb2", "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nftables")
    assert holders(project, "10.98.0.203") == ["lb1"]
    project.ssh("lb2", f"{chain}; {rule}")
    try:
        text = STACK.replace("ADDRESSES", "[10.98.0.202/24, 10.98.0.203/24]")
        project.write(text.replace("virtual_router_id: 66", "virtual_router_id: 99"))
        failed = project.run("apply", "--auto-approve")
        assert failed.returncode == 1
        assert "10.98.0.203, which lb1 held before the run, is held by lb1 and lb2" in failed.stdout
        assert "virtual_router_id 66" in project.ssh("lb2", f"cat {CONFIG}")
        eventually(lambda: holders(project, "10.98.0.203") == ["lb1"], "one holder again", seconds=30)
    finally:
        project.ssh("lb2", "nft delete table ip t")


def test_two_that_exchange_their_router_ids_are_refused(project: Project) -> None:
    second = (
        STACK.partition("\n")[2].replace("VI_1:", "VI_2:").replace("virtual_router_id: 66", "virtual_router_id: 67")
    )
    one = STACK.replace("ADDRESSES", "[192.168.1.201/24]")
    both = one + second.replace("ADDRESSES", "[192.168.1.202/24]")
    project.write(both)
    project.apply()
    eventually(lambda: holders(project, "192.168.1.202") == ["lb1"], "both held by lb1", seconds=30)
    swapped = both.replace("_id: 66", "_id: x").replace("_id: 67", "_id: 66").replace("_id: x", "_id: 67")
    project.write(swapped)
    refused = project.run("apply", "--auto-approve")
    assert refused.returncode == 1
    assert "give one of them a free number first" in refused.stderr
    assert [holders(project, f"192.168.1.{n}") for n in (201, 202)] == [["lb1"], ["lb1"]]


def test_a_router_and_a_machine_of_others_are_named_before_a_first_apply(project: Project) -> None:
    """lb2 is the machine of others; a stack of lb1 alone, with the same number and address, comes to its network."""
    project.ok("destroy", "--auto-approve")
    for host in ("lb1", "lb2"):
        project.ssh(host, f"systemctl stop keepalived; rm -f {CONFIG}")
    text = OLD.replace("INTERFACE", "eth2").replace("PRIORITY", "100")
    project.ssh("lb2", f"cat >{CONFIG} <<'END'\n{text}END\nchmod 600 {CONFIG}; systemctl start keepalived")
    eventually(lambda: holders(project, "192.168.1.210") == ["lb2"], "held by the other machine", seconds=30)
    alone = "".join(line for line in HEAD.splitlines(keepends=True) if not line.startswith("  lb2:"))
    project.write(STACK.replace("66", "77").replace("ADDRESSES", "[192.168.1.210/24]"), head=alone)
    refused = project.run("apply", "--auto-approve")
    assert refused.returncode == 1
    assert "another router with this number, 192.168.1.173, sends on eth1 of lb1" in refused.stderr
    assert "has 192.168.1.210, for which another machine with the MAC" in refused.stderr
    project.ssh("lb1", f"[ ! -e {CONFIG} ]")

    write(project, "[192.168.1.211/24]")  # free, and with the number of nobody
    project.ssh("lb2", f"rm {CONFIG}; systemctl stop keepalived")
    project.apply()
    for host in ("lb1", "lb2"):
        project.ssh(host, "systemctl start keepalived")
    eventually(lambda: holders(project, "192.168.1.211") == ["lb1"], "the own pair", seconds=30)
    assert json.loads(project.ok("plan", "--json"))["changes"] == []
    project.ok("destroy", "--auto-approve")
