"""The first write of a keepalived.conf that somebody else wrote: what changes besides its form."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.contract import Facts
from hacore_providers.facts.keepalived import ConfigFile
from hacore_providers.vrrp_instance.config_text import masked, render
from hacore_providers.vrrp_instance.provider import PROVIDER
from tests.providers.vrrp_instance.specs import address, spec, view

CONF = "/etc/keepalived/keepalived.conf"
FORM = f"rewrite {CONF}: formatting only, with trackers for the drain, reload keepalived"
HAND_MADE = """\
! lb1, the first one
vrrp_script chk_http_port { script "/usr/local/src/check_nginx_pid.sh"   # must be executable
  interval 2.0
  weight -2
}
global_defs
{
   router_id nginx_master
   script_user root
   enable_script_security
}
vrrp_instance VI_1 {
        interface   eth1
        virtual_router_id 66
        state MASTER
        version 2
        authentication {
            auth_pass (hidden)
            auth_type PASS
        }
        track_script {
            chk_http_port
        }
        virtual_ipaddress {
            192.168.1.200/32
        }
}
"""


def effect(text: str | None, *, managed: bool = False, **more: Any) -> str:
    one = spec(**more)
    file = ConfigFile("0" * 64, "0644", "root:root", ("VI_1",), managed=managed, text=text)
    return PROVIDER.desire(view(one, Facts(answers={("keepalived.config", CONF): file}))).effect


def test_what_hacore_writes_itself_is_the_same() -> None:
    text = masked(render([(address("VI_1"), spec())]))
    assert effect(text) == FORM


def test_another_order_other_blanks_comments_and_defaults_are_form() -> None:
    assert effect(HAND_MADE) == FORM


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("virtual_router_id 66", "virtual_router_id 66\n priority 101", "removes priority 101 (vrrp_instance VI_1)"),
        ("state MASTER", "", "adds state MASTER (vrrp_instance VI_1)"),
        ("weight -2", "weight -3", "removes weight -3 (vrrp_script chk_http_port) and adds weight -2 (vrrp_script"),
        ("192.168.1.200/32", "192.168.1.200/24", "removes 192.168.1.200/24 (vrrp_instance VI_1 virtual_ipaddress)"),
        ("state MASTER", "state MASTER\n a 1\n b 2\n c 3\n d 4\n e 5", "c 3 (vrrp_instance VI_1), 2 more"),
        ("global_defs", "virtual_server fwmark 7 {\n}\nglobal_defs", "removes virtual_server fwmark 7, with"),
    ],
)
def test_what_is_more_than_form_is_named(old: str, new: str, words: str) -> None:
    found = effect(HAND_MADE.replace(old, new))
    assert f"rewrite {CONF}: besides formatting, " in found
    assert words in found
    assert "with trackers for the drain, reload keepalived" in found


@pytest.mark.parametrize("more", [{"managed": True}, {"text": None}, {"sensitive": True}])
def test_nothing_is_said_where_the_file_is_ours_or_its_text_is_not_known(more: dict[str, Any]) -> None:
    assert effect(**{"text": HAND_MADE, **more}) == "reload keepalived"
