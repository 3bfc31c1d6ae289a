"""Each line of keepalived.conf names the field that made it."""

from __future__ import annotations

from hacore_providers.vrrp_instance.config_text import render
from hacore_providers.vrrp_instance.origins import origins
from tests.providers.vrrp_instance.specs import address, spec


def test_lines_and_their_fields() -> None:
    one = spec(
        extra="garp_master_dely 5",
        raw_before="static_routes {\n    10.0.0.0/8\n}",
        raw_after="virtual_server 10.0.0.1 80 {\n    lb_algo rr\n}",
        globals={"smtp_alert": True},
        notify={"any": "/bin/moved"},
    )
    both = [(address(), one), (address("VI_2"), spec(name="VI_2", sync_group=None, addresses=["192.168.1.201"]))]
    lines = render(both).splitlines()
    made = origins(both)
    assert len(made) == len(lines)
    found = dict(zip((line.strip() for line in lines), made, strict=True))
    assert {text: found[text] for text in EXPECTED} == EXPECTED


EXPECTED = {
    "garp_master_dely 5": "vrrp_instance.VI_1 extra",
    "static_routes {": "raw_before",
    "10.0.0.0/8": "raw_before",
    "virtual_server 10.0.0.1 80 {": "raw_after",
    "lb_algo rr": "raw_after",
    "smtp_alert": "globals.smtp_alert",
    "interval 2": "track_scripts.chk_http_port.interval",
    "192.168.1.200": "vrrp_instance.VI_1 addresses",
    "192.168.1.201": "vrrp_instance.VI_2 addresses",
    'notify "/bin/moved"': "vrrp_instance.VI_1 notify.any",
    "file /run/hacore-drain.VI_1": "",
    "file /var/lib/hacore/drain/VI_1": "",
    "}": "",
}
