"""Clean pairs of many styles: lint finds nothing in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hacore.cli.app import cli

SECURE = "global_defs {\n    router_id HOST\n    script_user root\n    enable_script_security\n}\n"
CHECK = 'vrrp_script chk {\n    script "/usr/local/bin/check --fast"\n    interval 2\nWEIGHT}\n'
AUTH = "    authentication {\n        auth_type PASS\n        auth_pass k8sLb9x\n    }\n"
INSTANCE = (
    "vrrp_instance VI_1 {\n    state BACKUP\n    interface eth0\n    virtual_router_id 51\n    priority PRIO\n"
    f"    advert_int 1\n{AUTH}    virtual_ipaddress {{\n        192.0.2.10/24\n    }}\n}}\n"
)
SIX = (
    "vrrp_instance v6 {\n    interface eth0\n    virtual_router_id 51\n    priority PRIO\n"
    "    virtual_ipaddress {\n        fe80::10\n        2001:db8::10/64\n    }\n}\n"
)


SERVERS = """virtual_server 192.0.2.10 443 {
    delay_loop 6
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.21 443 {
        weight 1
        HTTP_GET {
            url {
                path /
                status_code 200
            }
            connect_timeout 3
        }
    }
    real_server 192.0.2.22 443 {
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""


def with_lines(*lines: str) -> str:
    """The instance with more lines in front of its addresses."""
    return INSTANCE.replace("    virtual_ip", "".join(f"    {line}\n" for line in lines) + "    virtual_ip")


def checked(weight: str, *lines: str, reference: str = "chk") -> str:
    """A check with a weight, and the instance that tracks it."""
    script = CHECK.replace("WEIGHT", f"    weight {weight}\n" if weight else "")
    return SECURE + script + with_lines(*lines, "track_script {", f"    {reference}", "}")


CLEAN = {
    "plain": SECURE + INSTANCE,
    "master and backup": SECURE + INSTANCE.replace("state BACKUP", "state STATE"),
    "no state, no password": SECURE + INSTANCE.replace(AUTH, "").replace("    state BACKUP\n", ""),
    "a check with a negative weight": checked("-20"),
    "a check with a positive weight": checked("15"),
    "a check that is a FAULT": checked(""),
    "the weight at the reference": checked("", reference="chk weight -30"),
    "nopreempt": checked("", "nopreempt"),
    "nopreempt with equal priorities": SECURE + INSTANCE.replace("PRIO", "100\n    nopreempt"),
    "preempt_delay": SECURE + with_lines("preempt_delay 300"),
    "unicast": SECURE + with_lines("unicast_src_ip OWN", "unicast_peer {", "    PEER", "}"),
    "version 3, fractions": "global_defs {\n    router_id HOST\n    vrrp_version 3\n}\n"
    + INSTANCE.replace("advert_int 1", "advert_int 0.3").replace(AUTH, ""),
    "IPv6": SECURE + SIX,
    "both families in a group": SECURE
    + INSTANCE
    + SIX
    + "vrrp_sync_group both {\n    group {\n        VI_1\n        v6\n    }\n}\n",
    "active and active": SECURE
    + INSTANCE
    + INSTANCE.replace("VI_1", "VI_2").replace("PRIO", "OTHER").replace("id 51", "id 52").replace("2.10", "2.20"),
    "devices, labels, excluded": SECURE
    + INSTANCE.replace(
        "192.0.2.10/24\n    }\n",
        "192.0.2.10/24 brd 192.0.2.255 dev eth0 label eth0:1\n        192.0.2.11/32 dev eth1 scope global\n    }\n"
        "    virtual_ipaddress_excluded {\n        198.51.100.7 dev eth2\n    }\n",
    ),
    "other interfaces and masks on each": SECURE + INSTANCE.replace("eth0", "NIC").replace("10/24", "10MASK"),
    "notify, interfaces, gratuitous ARP": SECURE
    + with_lines(
        "track_interface {",
        "    eth1",
        "    eth2 weight -50",
        "}",
        "garp_master_refresh 60",
        'notify_master "/usr/local/bin/notify master"',
        "notify /usr/local/bin/notify root",
    ),
    "processes and files": SECURE
    + "vrrp_track_process nginx {\n    process nginx\n    weight -60\n}\n"
    + "vrrp_track_file drain {\n    file /run/drain\n    weight -253\n    init_file 0\n}\n"
    + with_lines("track_process {", "    nginx", "}", "track_file {", "    drain", "}"),
    "definitions, one line, comments, tabs": "! of HOST\n$IF=eth0\n$VRID=51 # a number\n"
    "vrrp_instance VI_1 {\n\tinterface $IF # {\n\tvirtual_router_id ${VRID}\n\tpriority PRIO\n"
    "\tvirtual_ipaddress { 192.0.2.10/24 dev $IF }\n}\n",
    "virtual servers": SECURE + INSTANCE + SERVERS,
    "macvlan, skipped checks": SECURE + with_lines("use_vmac vrrp51", "vmac_xmit_base", "skip_check_adv_addr"),
    "mails": SECURE.replace(
        "    script_user",
        "    notification_email {\n        ops@example.com\n    }\n    notification_email_from lb@example.com\n"
        "    smtp_server 127.0.0.1\n    smtp_connect_timeout 30\n    script_user",
    )
    + with_lines("smtp_alert"),
}

MEMBERS = (
    {
        "HOST": "lb1", "PRIO": "110", "OTHER": "100", "STATE": "MASTER", "OWN": "192.0.2.2", "PEER": "192.0.2.3",
        "NIC": "eth1", "MASK": "/24",
    },
    {
        "HOST": "lb2", "PRIO": "100", "OTHER": "110", "STATE": "BACKUP", "OWN": "192.0.2.3", "PEER": "192.0.2.2",
        "NIC": "ens3", "MASK": "/32",
    },
)  # fmt: skip


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("style", CLEAN)
def test_nothing_is_found(tmp_path: Path, style: str, ending: str) -> None:
    files = []
    for values in MEMBERS:
        text = CLEAN[style]
        for name, value in values.items():
            text = text.replace(name, value)
        files.append(tmp_path / f"{values['HOST']}.conf")
        files[-1].write_bytes(text.replace("\n", ending).encode())
    result = CliRunner().invoke(cli, ["lint", *map(str, files)])
    assert result.output.splitlines()[-1].endswith("; nothing found"), result.output
    assert "together: " in result.output
    assert (result.exit_code, len(result.output.splitlines())) == (0, 1)


def test_there_are_enough_styles() -> None:
    assert len(CLEAN) >= 20
