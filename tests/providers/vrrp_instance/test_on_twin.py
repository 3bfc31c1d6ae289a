"""One real host with Debian's keepalived: what `-t` says, the file's whole life, reloads."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Change, Image, Work
from hacore.diff import same
from hacore.model import Action
from hacore_providers.keepalived import read
from hacore_providers.vrrp_instance.config_text import render
from hacore_providers.vrrp_instance.from_config import found_instances
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.play import Player, StepFailedError
from tests.providers.vrrp_instance.specs import CHECK, address, spec

pytestmark = pytest.mark.twins

CONF = "/etc/keepalived/keepalived.conf"
SCRIPT = "/usr/local/src/check_nginx_pid.sh"
VIP = "10.77.3.200"


def ours(**changes: Any) -> VrrpInstanceSpec:
    return spec(**({"interface": "eth0", "addresses": [VIP]} | changes))


@pytest.fixture(scope="module")
def twin(one: Player) -> Player:
    one.sh("DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends keepalived")
    one.sh(f"printf '#!/bin/sh\\nexit 0\\n' >{SCRIPT} && chmod 0755 {SCRIPT}")
    return one


@pytest.fixture
def host(twin: Player) -> Player:
    """Without a configuration, and keepalived not running."""
    twin.sh(f"systemctl stop keepalived; rm -rf {CONF} /run/hacore-drain.*; mkdir -p /etc/keepalived")
    return Player(twin.lab, twin.twin)


def apply(host: Player, *specs: VrrpInstanceSpec, action: Action = Action.CREATE) -> dict[Address, Image]:
    """A task for all of them; returns the images that were captured before."""
    changes = tuple(Change(address(s.name, "one"), action, s) for s in specs)
    work = Work(changes, wanted=tuple((c.address, c.spec) for c in changes))
    images = host.capture(PROVIDER, work)
    host.run(PROVIDER.apply(work))
    return images


# What -t of Debian's 2.2.7 makes of files: (changes to the file, its exit code, what it says).
TEXT = render([(address(), ours())])
AUTH = "    authentication {\n        auth_type PASS\n        auth_pass 1111\n    }\n"
MEASURED: list[tuple[str, list[tuple[str, str]], int, str]] = [
    ("as rendered", [], 0, ""),
    ("empty", [(TEXT, "")], 0, ""),
    ("unknown keyword", [("    router_id", "    smtp_connection_timeout 30\n    router_id")], 5, "Unknown keyword"),
    ("no such interface", [("eth0", "eth9")], 5, "doesn't exist"),
    ("no such script", [(SCRIPT, "/bin/nothere")], 5, "not found/accessible"),
    ("no such notify script", [("    track_file", '    notify "/bin/nothere"\n    track_file')], 0, ""),
    ("no script security", [("    enable_script_security\n", "")], 6, "SECURITY VIOLATION"),
    ("long password", [("1111", "123456789")], 5, "Truncating"),
    ("password with v3", [("    state", "    version 3\n    state")], 5, "does not support authentication"),
    ("fraction in v2", [("advert_int 1", "advert_int 0.4")], 5, "must be an integer"),
    ("state in lower case", [("MASTER", "master")], 5, "unknown state"),
    ("nopreempt with MASTER", [("    state", "    nopreempt\n    state")], 5, "nopreempt will not work"),
    ("weights of an owner", [("priority 100", "priority 255")], 5, "address_owner"),
    ("id out of range", [("_id 66", "_id 256")], 5, "outside range"),
    ("fraction of a second for a script", [("interval 2", "interval 0.5")], 5, "invalid number"),
    ("label too long", [(VIP, f"{VIP} label eth0:much-too-long")], 5, "longer than maximum"),
    ("brace missing", [("vrrp_instance", "vrrp_x {\nvrrp_instance")], 5, "missing '}'"),
    ("drain folder missing", [("/run/hacore-drain", "/run/none/drain")], 0, ""),
    ("address of another network", [(VIP, "192.0.2.1")], 0, ""),
    ("version 3", [(AUTH, ""), ("advert_int 1", "advert_int 0.05"), ("    state", "    version 3\n    state")], 0, ""),
    ("script as another user", [("script_user root", "script_user nobody")], 143, ""),
    (
        "the same, and a mistake",
        [("script_user root", "script_user nobody"), ("MASTER", "master")],
        143,
        "unknown state",
    ),
]


def test_what_keepalived_says_of_files(host: Player) -> None:
    """One exec for the whole table: it documents what `vrrp_steps` relies on."""
    script = []
    for index, (_, replaced, _, _) in enumerate(MEASURED):
        text = TEXT
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        script.append(f"cat >/tmp/t{index} <<'X'\n{text}X\nrc=0; keepalived -t -f /tmp/t{index} 2>/tmp/said || rc=$?")
        script.append(f'echo "== $rc"; cat /tmp/said; rm /tmp/t{index}')

    blocks = host.sh("\n".join(script)).split("== ")[1:]

    said = [
        (name, int(b.split("\n", 1)[0]), b.split("\n", 1)[1]) for (name, *_), b in zip(MEASURED, blocks, strict=True)
    ]
    wrong = [s for s, (_, _, rc, words) in zip(said, MEASURED, strict=True) if s[1] != rc or words not in s[2]]
    assert wrong == []
    quiet = [
        s for s, (_, _, _, words) in zip(said, MEASURED, strict=True) if not words and s[2] not in ("", "Terminated\n")
    ]
    assert quiet == [], "nothing else is said"


def test_what_is_applied_is_there_and_goes_without_a_trace(host: Player) -> None:
    host.apply(PROVIDER, address("VI_1", "one"), ours(), times=2)
    assert host.sh(f"stat -c '%a %U' {CONF}; ls -A /etc/keepalived").split() == [
        "600", "root", "keepalived.conf", "keepalived.conf.sample",
    ]  # fmt: skip
    host.undo(PROVIDER, address("VI_1", "one"), ours(), times=2)
    assert host.sh("ls -A /etc/keepalived").split() == ["keepalived.conf.sample"]


def test_a_missing_folder_is_made_and_goes_again(host: Player) -> None:
    elsewhere = ours(config="/opt/a/b/keepalived.conf")
    images = apply(host, elsewhere)
    assert host.rc("test -f /opt/a/b/keepalived.conf") == 0
    host.delete(PROVIDER, address("VI_1", "one"), elsewhere, images[address("VI_1", "one")])
    assert host.sh("ls -A /opt") == ""


@pytest.mark.parametrize(
    "before",
    [
        f"printf 'old\\0bytes' >{CONF}; chmod 0640 {CONF}; chown daemon:games {CONF}",
        f"ln -s /somewhere/else {CONF}",
        f": >{CONF}; chmod 0444 {CONF}",
    ],
)
def test_what_was_there_comes_back_to_the_byte(host: Player, before: str) -> None:
    look = f"cd /etc/keepalived; stat -c '%N %a %U %G %F' -- *; sha256sum {CONF} 2>&1 || :; ls -A"
    host.sh(before)
    was = host.sh(look)
    images = apply(host, ours())
    assert host.sh(look) != was
    host.delete(PROVIDER, address("VI_1", "one"), ours(), images[address("VI_1", "one")])
    assert host.sh(look) == was


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"interface": "eth9"}, "eth9"),
        ({"globals": {"nonsense": 1}}, "Unknown keyword 'nonsense'"),
        ({"globals": {"nonsense": 1}}, "is: nonsense 1 (from globals.nonsense)"),
        ({"extra": ["nonsense 1"]}, "is: nonsense 1 (from vrrp_instance."),
        (
            {"track_scripts": {"c": CHECK | {"script": "/usr/bin/nothere -x"}}},
            "/usr/bin/nothere does not exist or is not executable",
        ),
        ({"track_scripts": {"c": CHECK | {"script": CONF}}}, "does not exist or is not executable"),
        ({"notify": {"master": "/usr/bin/nothere"}}, "/usr/bin/nothere"),
        ({"globals": {"script_user": "nobody"}, "extra": ["nonsense 1"]}, "Unknown keyword 'nonsense'"),
        ({"binary": "/usr/local/sbin/keepalived"}, "install keepalived first"),
        ({"extra": ["auth_pass s3cr3t"]}, "keepalived -t failed with exit code 5"),
    ],
)
def test_a_file_that_keepalived_would_not_take_is_not_put_in_place(
    host: Player, broken: dict[str, Any], told: str
) -> None:
    apply(host, ours())
    was = host.sh(f"sha256sum {CONF}; ls -A /etc/keepalived")

    with pytest.raises(StepFailedError) as error:
        apply(host, ours(**broken))

    assert told in str(error.value)
    assert "s3cr3t" not in str(error.value)
    assert ".hacore." not in str(error.value), "the user knows the file by its name"
    assert host.sh(f"sha256sum {CONF}; ls -A /etc/keepalived") == was


def test_a_script_of_another_user_is_taken_although_it_cannot_be_tested(host: Player) -> None:
    apply(host, ours(globals={"script_user": "nobody"}))

    assert "did not finish" in "".join(host.said)


def test_two_instances_share_a_file(host: Player) -> None:
    first = ours()
    second = ours(name="VI_2", virtual_router_id=67, addresses=["10.77.3.201"])
    origins = apply(host, first)
    origins |= {address("VI_2", "one"): apply(host, first, second)[address("VI_2", "one")]}
    both = ((address("VI_1", "one"), first), (address("VI_2", "one"), second))
    seen = host.view(PROVIDER, address("VI_2", "one"), second)
    observed = PROVIDER.observe(seen)
    assert observed is not None
    assert same(observed.attrs, PROVIDER.desire(dataclasses.replace(seen, companions=both)).attrs)

    delete = Work((Change(address("VI_1", "one"), Action.DELETE, first),), images=origins, wanted=both[1:])
    host.run(PROVIDER.delete(delete))
    assert PROVIDER.observe(host.view(PROVIDER, address("VI_1", "one"), first)) is None
    assert PROVIDER.observe(host.view(PROVIDER, address("VI_2", "one"), second)) is not None

    host.delete(PROVIDER, address("VI_2", "one"), second, origins[address("VI_2", "one")])
    assert host.rc(f"test -e {CONF}") == 1, "the file that VI_2 found was hacore's own"


def dump(host: Player) -> str:
    """What keepalived writes of what it has read, when it gets SIGUSR1."""
    return host.sh(
        "rm -f /tmp/keepalived.data; systemctl kill -s USR1 keepalived; n=0\n"
        "until grep -qs 'VRRP Instance = ' /tmp/keepalived.data || [ $n -gt 50 ]; do n=$((n+1)); sleep 0.1; done\n"
        "sleep 0.1; cat /tmp/keepalived.data"
    )


@pytest.mark.parametrize("password", ["a#b!c", "x'y~{}", "%&()*;<>"])
def test_a_password_reaches_keepalived_as_it_is(host: Player, password: str) -> None:
    apply(host, ours(authentication={"password": password}, track_scripts={}))
    host.sh("systemctl start keepalived")

    assert password in dump(host)


def test_a_reload_waits_until_it_has_been_read_and_keeps_the_process(host: Player) -> None:
    apply(host, ours(track_scripts={}))
    reload = Work((Change(address("VI_1", "one"), Action.UPDATE, ours()),))
    host.run(PROVIDER.trigger(reload, "reload"))
    assert host.rc("systemctl is-active -q keepalived") != 0, "a reload starts nothing"

    host.sh("systemctl start keepalived")
    pid = host.sh("systemctl show -P MainPID keepalived")
    apply(host, ours(track_scripts={}, priority=123))
    host.run(PROVIDER.trigger(reload, "reload"))

    assert "Priority = 123" in dump(host)
    assert host.sh("systemctl show -P MainPID keepalived") == pid


def test_a_reload_that_ends_keepalived_is_a_failure(host: Player) -> None:
    apply(host, ours(track_scripts={}))
    host.sh(f"systemctl start keepalived; sed -i s/eth0/eth9/ {CONF}")

    with pytest.raises(StepFailedError, match="eth9"):
        host.run(PROVIDER.trigger(Work((Change(address("VI_1", "one"), Action.UPDATE, ours()),)), "reload"))
    host.sh(f"ip addr del {VIP}/32 dev eth0 2>/dev/null || :")


# -- what keepalived itself reads

READ_BY_BOTH = {
    "as rendered": TEXT,
    "definitions and comments": "$IF= eth0 # the network\n$P=150\n! nothing\nvrrp_instance A {\n interface $IF\n"
    " virtual_router_id 7 # { not a block\n priority ${P}\n"
    " virtual_ipaddress { 10.77.3.1/24 dev $IF\n 10.77.3.2 }\n}\n",
    "a blank before the equals sign": "$P = 150\nvrrp_instance A {\n interface eth0\n virtual_router_id 7\n"
    " virtual_ipaddress {\n 10.77.3.1\n }\n}\n",
    "quotes and escapes": 'vrrp_instance "A B" {\n interface "eth0"\n virtual_router_id 8\n priority 9\n'
    ' authentication {\n auth_type PASS\n auth_pass "a#b {c"\n }\n virtual_ipaddress {\n 10.77.3.3\n }\n}\n',
    "an escaped number sign": "vrrp_instance A {\n interface eth0\n virtual_router_id 8\n priority 9\n"
    " authentication {\n auth_type PASS\n auth_pass a\\#b\n }\n virtual_ipaddress {\n 10.77.3.3\n }\n}\n",
    "a sequence": "vrrp_instance A {\n interface eth0\n virtual_router_id 8\n priority 9\n virtual_ipaddress {\n"
    "~SEQ(N, 11, 13) 10.77.3.$N\n~LST(N, 21, 25) 10.77.3.${N}/24\n }\n}\n",
    "lines of other hosts": "vrrp_instance A {\n interface eth0\n virtual_router_id 8\n @other priority 9\n"
    " @^other priority 77\n virtual_ipaddress {\n 10.77.3.3\n }\n}\n",
    "several lines of a definition": "$BODY=interface eth0\\\n virtual_router_id 33\\\n priority 44\n"
    "vrrp_instance A {\n $BODY\n virtual_ipaddress {\n 10.77.3.4\n }\n}\n",
    "several instances": "".join(
        f"vrrp_instance V{n}\n{{\n  interface eth0 \n virtual_router_id {n} priority 3\n priority {n}\n"
        f" virtual_ipaddress {{ 10.77.3.{n} }} }}\n"
        for n in (11, 12, 13)
    ),
}


@pytest.mark.parametrize("name", READ_BY_BOTH)
def test_our_reader_sees_what_keepalived_reads(host: Player, name: str) -> None:
    """keepalived tells in its log what it has read (-d), in a network of its own so that nothing is served."""
    text = READ_BY_BOTH[name]
    host.sh(f"cat >/tmp/read.conf <<'END'\n{text}END\n")
    alone = "ip link add eth0 type veth peer name p0; ip addr add 10.77.3.9/24 dev eth0; ip link set eth0 up"
    dump = host.sh(
        f"unshare -nm sh -c '{alone}; timeout 2 keepalived -n -l -d -P -f /tmp/read.conf -p /tmp/r1 -r /tmp/r2' 2>&1; :"
    )
    theirs = dumped(dump)
    document = read(text.encode(), "/tmp/read.conf", config_id="one")
    ours = {
        i.name: (i.spec.virtual_router_id, i.spec.priority, [v.address for v in i.spec.vips])
        for i in found_instances(document)
        if i.spec is not None and i.spec.addresses
    }
    assert theirs == ours, dump
    passwords = re.findall(r"(?m)Password = (.*)$", dump)
    found = [i.spec.authentication.password for i in found_instances(document) if i.spec and i.spec.authentication]
    assert passwords == found


def dumped(dump: str) -> dict[str, tuple[int, int, list[str]]]:
    """Name to router id, priority and addresses, of the instances in keepalived's dump."""
    topology = dump.partition("VRRP Topology")[2].partition("VRRP Scripts")[0]
    found = {}
    for part in re.split(r"(?m)^.*VRRP Instance = ", topology)[1:]:
        router = re.search(r"Virtual Router ID = (\d+)", part)
        priority = re.search(r"Priority = (\d+)", part)
        assert router is not None
        assert priority is not None
        addresses = re.findall(r"(?m)^.{25,40}? {5}(\d[\d./]+) dev", part)
        found[part.splitlines()[0].strip()] = (int(router[1]), int(priority[1]), addresses)
    return found
