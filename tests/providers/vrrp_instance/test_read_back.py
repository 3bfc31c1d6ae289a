"""What is written for a spec is read back as the same spec, for specs drawn at random."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hacore_providers.keepalived import read
from hacore_providers.vrrp_instance.config_text import render
from hacore_providers.vrrp_instance.from_config import SCOPES, found_instances
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from hacore_providers.vrrp_instance.tokens import UnsafeTextError
from tests.providers.vrrp_instance.specs import address

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,9}", fullmatch=True).filter(
    lambda name: not name.startswith("include")
)
PATHS = st.from_regex(r"/[a-z0-9_.-]{1,8}(/[a-z0-9_.-]{1,8}){0,2}", fullmatch=True)
COMMANDS = st.builds(
    lambda path, rest: f"{path}{rest}",
    PATHS,
    st.sampled_from(["", " up", " -x 1 --name=a,b", " 'two words'", " #1 {a} !b"]) | st.text("ab #!{}'=;-", max_size=8),
).map(str.rstrip)
SECONDS = st.sampled_from([1, 2, 5, 60, 0.5, 2.25])
WEIGHTS = st.integers(-253, 253)
ADDRESSES = st.ip_addresses(v=4).map(str) | st.builds(
    lambda ip, n: f"{ip}/{n}", st.ip_addresses(v=4), st.integers(8, 32)
)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def body(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping of these fields, without those that are None."""
    return st.fixed_dictionaries(fields).map(lambda made: {key: one for key, one in made.items() if one is not None})


SPECS = body(
    name=st.just("VI_1"),
    interface=NAMES,
    virtual_router_id=st.integers(1, 255),
    priority=st.integers(1, 254),
    state=maybe(st.sampled_from(["MASTER", "BACKUP"])),
    version=maybe(st.sampled_from([2, 3])),
    advert_interval=SECONDS,
    authentication=maybe(
        body(
            type=st.sampled_from(["PASS", "AH"]), password=st.text(st.characters(codec="ascii"), min_size=1, max_size=8)
        )
    ),
    preempt=maybe(st.booleans()),
    preempt_delay=maybe(st.sampled_from([0, 1, 300, 0.5])),
    unicast=maybe(body(peers=st.lists(st.ip_addresses(v=4).map(str), min_size=1, max_size=3, unique=True))),
    unicast_src_ip=maybe(st.ip_addresses(v=4).map(str)),
    addresses=st.lists(
        ADDRESSES | body(address=ADDRESSES, dev=maybe(NAMES), label=maybe(NAMES), scope=maybe(st.sampled_from(SCOPES))),
        min_size=1,
        max_size=3,
    ),
    track_scripts=st.dictionaries(
        NAMES,
        body(
            script=COMMANDS,
            interval=SECONDS,
            timeout=maybe(SECONDS),
            weight=WEIGHTS,
            rise=maybe(st.integers(1, 9)),
            fall=maybe(st.integers(1, 9)),
            user=maybe(st.sampled_from(["root", "nobody nogroup"])),
        ),
        max_size=2,
    ),
    track_files=st.dictionaries(
        NAMES, body(file=PATHS, weight=WEIGHTS, init_file=maybe(st.integers(0, 9))), max_size=2
    ),
    track_processes=st.dictionaries(
        NAMES,
        body(
            process=st.sampled_from(["nginx", "haproxy -W", "/usr/sbin/x --a=b"]),
            weight=WEIGHTS,
            quorum=maybe(st.integers(1, 9)),
            delay=maybe(SECONDS),
        ),
        max_size=2,
    ),
    track_interfaces=st.dictionaries(NAMES, body(weight=WEIGHTS), max_size=2),
    notify=body(
        master=maybe(COMMANDS), backup=maybe(COMMANDS), fault=maybe(COMMANDS), stop=maybe(COMMANDS), any=maybe(COMMANDS)
    ),
    router_id=maybe(NAMES),
)


def meaning(spec: VrrpInstanceSpec) -> dict[str, Any]:
    """A spec as keepalived sees it: other forms of the same are the same, trackers for the drain are left out."""
    own = spec.model_dump(
        exclude={"globals", "state", "unicast", "preempt", "addresses", "track_files", "promote_secondaries"}
    )
    files = {name: one.model_dump() for name, one in spec.track_files.items() if not name.startswith("hacore_drain")}
    return own | {
        "role": spec.role,
        "peers": spec.peers,
        "nopreempt": spec.nopreempt,
        "addresses": [vip.model_dump() for vip in spec.vips],
        "track_files": files,
    }


@given(SPECS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_what_is_written_for_a_spec_is_read_as_that_spec(fields: dict[str, Any]) -> None:
    spec = VrrpInstanceSpec.model_validate(fields)
    try:
        text = render([(address("VI_1"), spec)])
    except UnsafeTextError:
        assume(False)
        raise
    document = read(text.encode(), "/etc/keepalived/keepalived.conf")
    assert document.faults == ()
    (found,) = found_instances(document)
    assert found.problems == ()
    assert found.spec is not None
    assert meaning(found.spec) == meaning(spec)


@pytest.mark.parametrize("password", ["a b", "#1!", "{x}", "'", "a\\b", "$x", "%&()*;<>", "=~|"])
def test_each_password_that_is_written_is_read(password: str) -> None:
    spec = VrrpInstanceSpec.model_validate(
        {"name": "VI_1", "interface": "eth0", "virtual_router_id": 1, "addresses": ["192.0.2.1"]}
        | {"authentication": {"password": password}}
    )
    try:
        text = render([(address("VI_1"), spec)])
    except UnsafeTextError:
        return  # refused, not written as something else
    (found,) = found_instances(read(text.encode(), "x"))
    assert found.spec is not None
    assert found.spec.authentication == spec.authentication
