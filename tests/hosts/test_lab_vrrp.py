"""That a lab is real enough for what hacore is about: keepalived moves an address, nginx serves behind it."""

from __future__ import annotations

import subprocess
import time

import pytest

from hacore.lab import Lab

pytestmark = pytest.mark.twins

CONF = """vrrp_instance VI_1 {{
  state BACKUP
  interface {interface}
  virtual_router_id 66
  priority {priority}
  advert_int 1
  authentication {{
    auth_type PASS
    auth_pass 1111
  }}
  virtual_ipaddress {{
    192.168.1.200
  }}
}}
"""


def holders(lab: Lab) -> set[str]:
    ask = "ip -o -4 address show | grep -q ' 192.168.1.200/'"
    return {name for name in lab.processes() if lab.ssh(name, ask).returncode == 0}


def eventually(lab: Lab, wanted: set[str]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if holders(lab) == wanted:
            return True
        time.sleep(0.2)
    return False


def fetch(lab: Lab) -> str:
    script = "import urllib.request as r; print(r.urlopen('http://192.168.1.200/', timeout=5).read().decode(), end='')"
    argv = lab.command(["python3", "-c", script])
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_keepalived_moves_an_address_and_nginx_serves_behind_it(pair: Lab) -> None:
    for name, interface, priority in (("lb1", "eth1", 100), ("lb2", "eth2", 99)):
        conf = CONF.format(interface=interface, priority=priority)
        done = pair.ssh(
            name,
            "export DEBIAN_FRONTEND=noninteractive; apt-get install -y --no-install-recommends keepalived nginx >&2 &&"
            f"cat > /etc/keepalived/keepalived.conf <<'X' && hostname > /var/www/html/index.html\n{conf}X\n"
            "systemctl restart keepalived",
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    assert eventually(pair, {"lb1"}), "adverts pass the bridge: one master, the one with the higher priority"
    assert fetch(pair) == "lb1\n"
    pair.crash("lb1")
    assert eventually(pair, {"lb2"})
    assert fetch(pair) == "lb2\n"
    pair.boot("lb1")
    assert eventually(pair, {"lb1"}), "it comes back after a boot: address, services and all"
