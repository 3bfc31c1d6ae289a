from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import get_args

import pytest

from hacore.errors import LabError
from hacore.lab import Bystander, LabSpec, Twin
from hacore.lab.image import RELEASES, _of_release
from hacore.lab.layers import LAYERS
from hacore.lab.model import Names, gateway, link_network, subnet
from hacore.lab.system import locked
from hacore.model import Host, TwinBody, TwinSystem


@pytest.mark.parametrize(
    ("addresses", "network"),
    [
        (["192.168.1.166", "192.168.1.173", "192.168.1.9"], "192.168.1.0/24"),
        (["10.0.0.1"], "10.0.0.0/24"),
        (["10.0.0.5", "10.0.1.5"], "10.0.0.0/23"),
        (["10.0.0.255", "10.0.0.7"], "10.0.0.0/23"),  # .255 is no host of a /24
        (["10.1.0.1", "10.200.0.1"], "10.0.0.0/8"),
        (["192.168.1.200/32"], "192.168.1.0/24"),
    ],
)
def test_the_subnet_is_the_smallest_that_has_all_as_hosts(addresses: list[str], network: str) -> None:
    assert str(subnet(addresses)) == network


@pytest.mark.parametrize("addresses", [[], ["10.0.0.1", "192.168.1.1"], ["lb1.example"], ["fe80::1"]])
def test_addresses_without_a_common_network_are_refused(addresses: list[str]) -> None:
    with pytest.raises(LabError, match=r"^cannot create a lab's network: "):
        subnet(addresses)


def test_the_gateway_avoids_what_is_in_use() -> None:
    network = ipaddress.IPv4Network("192.168.1.0/24")
    assert str(gateway(network, ["192.168.1.1"])) == "192.168.1.254"
    assert str(gateway(network, ["192.168.1.254", "192.168.1.253/24"])) == "192.168.1.252"
    with pytest.raises(LabError, match="no address is free"):
        gateway(network, [str(a) for a in network])


def test_the_link_avoids_networks_in_use() -> None:
    first = link_network("00000000", [])
    assert str(first) == "198.18.0.0/30"
    assert str(link_network("00000000", [first])) == "198.18.0.4/30"
    assert not link_network("00000000", [ipaddress.IPv4Network("198.18.0.0/16")]).overlaps(
        ipaddress.IPv4Network("198.18.0.0/16")
    )
    with pytest.raises(LabError, match="in use"):
        link_network("00000000", [ipaddress.IPv4Network("198.18.0.0/15")])


def test_names_fit_into_the_kernel_and_differ_by_folder() -> None:
    names, other = Names.of(Path("/somewhere/a")), Names.of(Path("/somewhere/b"))
    assert names != other
    assert all(len(n) <= 15 for n in (names.namespace, names.twin_port(199), names.bystander_port(199), names.uplink))
    assert names == Names.of(Path("/somewhere/a"))


def test_a_spec_survives_the_lab_s_folder() -> None:
    spec = LabSpec("s", (Twin("a", "10.0.0.1"),), (Bystander("b", "10.0.0.2", 80, 503, "no"),), ("10.0.0.3",))
    assert LabSpec.loads(spec.dumps()) == spec
    assert spec.addresses() == ("10.0.0.1", "10.0.0.2")


def test_a_host_may_ask_for_each_system_there_is_and_nothing_keeps_that() -> None:
    assert set(get_args(TwinSystem)) == {"debian", *RELEASES, *LAYERS}
    host = Host(name="lb1", address="192.0.2.1", twin=TwinBody(os="redhat"))
    assert "twin" not in host.model_dump(mode="json")


def test_a_folder_that_others_can_write_in_holds_no_lab(tmp_path: Path) -> None:
    with locked(tmp_path / "lab"):
        assert (tmp_path / "lab").stat().st_mode & 0o022 == 0
    for mode in (0o775, 0o777, 0o1777):
        (tmp_path / "lab").chmod(mode)
        with (
            pytest.raises(LabError, match=rf"^cannot use {tmp_path}/lab: it belongs to uid .* with mode {mode:04o}"),
            locked(tmp_path / "lab"),
        ):
            pass


@pytest.mark.parametrize("part", ["", "-updates", "-security", "-backports"])
def test_another_release_has_the_same_sources(part: str) -> None:
    line = f"deb http://deb.example.com/debian bookworm{part} main contrib"
    assert _of_release(line, "bookworm", "trixie") == line.replace("bookworm", "trixie")
