"""A pair made by hand as the guide does, taken over: adopted, changed, rolled back, and given back to the byte."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from hacore.lab import Lab, manifest
from tests.hosts.prober import Prober
from tests.hosts.project import SITE, Project
from tests.hosts.project import eventually as _eventually

pytestmark = pytest.mark.twins
eventually = functools.partial(_eventually, seconds=30)

URL = "http://192.168.1.200/"
PASSWORD = "Gu1d3pw8"
GUIDE = """\
global_defs {{
    notification_email {{
        xxx@qq.com
    }}
    notification_email_from sns-lvs@gmail.com
    smtp_server smtp.hysec.com
    smtp_connection_timeout 30
    router_id {router}        # one for each host
}}
vrrp_script chk_http_port {{
    script "/usr/local/src/check_nginx_pid.sh"    # must be executable
    interval 2
    weight 2
}}
vrrp_instance VI_1 {{
    state {state}            # MASTER or BACKUP
    interface {interface}
    virtual_router_id 66        # the same on both
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass {password}
    }}
    track_script {{
    chk_http_port            # the check script
    }}
    virtual_ipaddress {{
        192.168.1.200            # one in a line
    }}
}}
"""
CHECK = """\
#!/bin/bash
A=`ps -C nginx --no-header |wc -l`
if [ $A -eq 0 ];then
      /usr/sbin/nginx
      if [ `ps -C nginx --no-header |wc -l` -eq 0 ];then
              killall keepalived
      fi
fi
"""
MEMBERS = {"lb1": ("nginx_master", "MASTER", "eth1", 100), "lb2": ("nginx_backup", "BACKUP", "eth2", 99)}


def by_hand(project: Project) -> None:
    for host, (router, state, interface, priority) in MEMBERS.items():
        config = GUIDE.format(router=router, state=state, interface=interface, priority=priority, password=PASSWORD)
        project.ssh(
            host,
            "export DEBIAN_FRONTEND=noninteractive; apt-get install -y -q nginx keepalived >/dev/null 2>&1\n"
            f"cat >/etc/nginx/sites-available/default <<'E'\n{SITE}E\n"
            f"cat >/usr/local/src/check_nginx_pid.sh <<'E'\n{CHECK}E\nchmod 755 /usr/local/src/check_nginx_pid.sh\n"
            f"cat >/etc/keepalived/keepalived.conf <<'E'\n{config}E\n"
            "systemctl restart nginx && systemctl restart keepalived",
        )


def test_a_pair_made_by_hand_is_taken_over_and_given_back(
    pair: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path, pair)
    by_hand(project)
    eventually(lambda: project.get(URL) == (200, "first edition", "lb1"), "served by lb1")
    before = {host: manifest.take(pair, host) for host in MEMBERS}

    printed = project.ok("init", "--from", "root@192.168.1.166,root@192.168.1.173", "stacks/web")

    folder = tmp_path / "stacks/web"
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert not any(PASSWORD.encode() in text for text in written.values())
    assert PASSWORD not in printed and "HACORE_VAR_VI_1_password" in printed
    assert re.search(r"keepalived\.conf:7: .*smtp_connection_timeout", printed)
    assert {host: manifest.diff(old, manifest.take(pair, host)) for host, old in before.items()} == {
        "lb1": [],
        "lb2": [],
    }
    monkeypatch.setenv("HACORE_VAR_VI_1_password", PASSWORD)
    project.ok("validate")
    plan = project.ok("plan")
    changed = set(re.findall(r"^\s*# (\S+) will be (?:created|updated|replaced|deleted)", plan, re.M))
    assert {name.partition("@")[0] for name in changed} <= {"vrrp_instance.VI_1"}, plan
    assert re.search(r"rewrite /etc/keepalived/keepalived.conf: (formatting only|besides formatting, )", plan), plan

    with Prober(pair, URL) as adopting:
        project.ok("apply", "--auto-approve")
    assert adopting.lost == []
    project.ok("plan", "--detailed-exitcode")
    project.ok("drift")

    site = folder / "files/etc/nginx/sites-available/default"
    site.write_text(SITE.replace("first edition", "second edition"))
    project.ok("apply", "--auto-approve")
    eventually(lambda: project.get(URL)[:2] == (200, "second edition"), "the change")
    project.ok("rollback", "--auto-approve")
    eventually(lambda: project.get(URL)[:2] == (200, "first edition"), "the rollback")

    site.write_text(SITE)
    with Prober(pair, URL) as destroying:
        project.ok("destroy", "--auto-approve")
    assert destroying.lost == []
    after = {host: manifest.diff(old, manifest.take(pair, host)) for host, old in before.items()}
    assert after == {"lb1": [], "lb2": []}
    eventually(lambda: project.get(URL) == (200, "first edition", "lb1"), "served by lb1")
