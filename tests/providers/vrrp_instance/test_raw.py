"""Raw text around the instances: what survives an adoption, what is written once, and what it may not have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hacore.contract import Ask, Facts, HostFacts
from hacore_providers.facts.keepalived import CONFIG, INCLUDE
from hacore_providers.vrrp_instance.check_existing import lost_of_existing
from hacore_providers.vrrp_instance.check_hosts import mistakes_on_hosts
from hacore_providers.vrrp_instance.check_member import member_mistakes
from hacore_providers.vrrp_instance.check_raw import patterns
from hacore_providers.vrrp_instance.config_text import ContradictionError, render
from hacore_providers.vrrp_instance.raw_text import ELSEWHERE, servers_in
from hacore_providers.vrrp_instance.tokens import UnsafeTextError
from tests.providers.vrrp_instance.specs import address, spec, view
from tests.providers.vrrp_instance.test_facts import ask

LVS = """\
# web, by direct routing
virtual_server 192.168.1.200 80
{
    lb_algo rr
    real_server 10.0.0.1 80 {
        weight 1
        TCP_CHECK { connect_timeout 3 }
    }
}
virtual_server fwmark 7 { lb_kind NAT }
"""
OTHER: dict[str, Any] = {"name": "VI_2", "virtual_router_id": 67, "addresses": ["192.168.1.201"], "router_id": None}


def test_raw_text_stands_around_trackers_and_instances() -> None:
    text = render([(address(), spec(raw_before="static_routes {\n}", raw_after=LVS))])
    order = ["global_defs", "static_routes", "vrrp_script", "vrrp_instance VI_1", "# web", "virtual_server fwmark"]
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)
    assert LVS in text, "byte for byte"
    assert servers_in(text) == {"192.168.1.200 80", "fwmark 7"}


def test_what_two_instances_have_alike_is_written_once() -> None:
    one, two = spec(raw_after=LVS), spec(**OTHER, raw_after=LVS.partition("virtual_server fwmark")[0])
    text = render([(address(), one), (address("VI_2"), two)])
    assert text.count("virtual_server 192.168.1.200 80") == 1
    assert text.count("virtual_server fwmark 7") == 1


def test_two_texts_of_one_block_contradict_each_other() -> None:
    one, two = spec(raw_after=LVS), spec(**OTHER, raw_after=LVS.replace("rr", "wlc"))
    with pytest.raises(ContradictionError, match=r"raw_after has the block virtual_server 192.168.1.200 80 in"):
        render([(address(), one), (address("VI_2"), two)])
    only = [str(m) for m in mistakes_on_hosts(view(one, Facts(), (address("VI_2"), two)))]
    assert any("give both the same text" in text for text in only)


@pytest.mark.parametrize("field", ["raw_before", "raw_after"])
@pytest.mark.parametrize("keyword", sorted(ELSEWHERE))
def test_what_hacore_writes_itself_is_no_raw_text(field: str, keyword: str) -> None:
    for text in (f"{keyword} X {{\n}}", f"static_routes {{ }}\n  {keyword} X\n{{\n}}", f'"{keyword}" X {{ }}'):
        found = [str(m) for m in member_mistakes(spec(**{field: text}))]
        assert f"{field} has the keyword {keyword}: {ELSEWHERE[keyword]}" in found, (text, found)
        with pytest.raises(UnsafeTextError):
            render([(address(), spec(**{field: text}))])


@pytest.mark.parametrize(
    "text",
    [
        "# vrrp_instance X {",
        "virtual_server_group g { vrrp_instance 80 }",
        "static_ipaddress {\n 10.0.0.1/24 dev eth0 # vrrp_script }\n}",
    ],
)
def test_the_same_words_elsewhere_are_raw_text(text: str) -> None:
    assert [str(m) for m in member_mistakes(spec(raw_before=text))] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("}", "a } that closes no block of its own"),
        ("a {", "unbalanced braces: 1 more { than }"),
        ("$X=1", "begins with $"),
        ("@lb1 a", "begins with @"),
        ('a "b', "a quote that does not end"),
    ],
)
def test_raw_text_is_whole_statements(text: str, said: str) -> None:
    assert any(said in str(m) for m in member_mistakes(spec(raw_after=text)))


def found_of(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "keepalived.conf"
    file.write_text(text)
    return CONFIG.parse(ask(CONFIG, Ask(CONFIG, str(file))))[str(file)]


def test_virtual_servers_of_an_existing_file_survive_by_raw_text(tmp_path: Path) -> None:
    found = found_of(tmp_path, LVS)

    def lost(**raw: Any) -> list[str]:
        one = spec(**raw)
        facts = Facts(HostFacts(), {("keepalived.config", one.config): found})
        return [str(m) for m in lost_of_existing(view(one, facts))]

    (both,) = lost()
    assert "virtual server 192.168.1.200 80; virtual server fwmark 7" in both
    (one,) = lost(raw_after=LVS.partition("virtual_server fwmark")[0])
    assert "virtual server fwmark 7" in one
    assert "192.168.1.200 80" not in one
    assert lost(raw_after=LVS) == []


def test_a_value_that_no_file_can_have_is_a_mistake_and_not_a_fault_of_hacore() -> None:
    broken = spec(router_id="a # b")
    facts = Facts(HostFacts(), {("keepalived.config", broken.config): SimpleNamespace(managed=False)})
    assert list(lost_of_existing(view(broken, facts))) == []
    assert any("cannot write a value into keepalived.conf" in str(m) for m in mistakes_on_hosts(view(broken)))


def test_included_files_are_read_on_the_host(tmp_path: Path) -> None:
    folder = tmp_path / "l v s"
    folder.mkdir()
    (folder / "fine.conf").write_text("virtual_server 192.168.1.9 80 {\n}\n# vrrp_instance X {\n")
    (folder / "bad.conf").write_text("vrrp_instance X\n{\n}\n  vrrp_script c { script /bin/true }\ninclude more\n")
    pattern = f"{folder}/*.conf"
    answer = INCLUDE.parse(ask(INCLUDE, Ask(INCLUDE, pattern), Ask(INCLUDE, f"{folder}/none*")))
    bad = str(folder / "bad.conf")
    assert answer == {pattern: (("vrrp_instance", bad), ("vrrp_script", bad), ("include", bad))}

    one = spec(raw_after=f'include "{pattern}"')
    assert patterns(one) == (("raw_after", pattern),)
    facts = Facts(HostFacts(), {("keepalived.include", patterns(one)[0][1]): answer[pattern]})
    said = [str(m) for m in mistakes_on_hosts(view(one, facts))]
    assert f"raw_after includes {bad} on lb1, which has the keyword vrrp_instance: {ELSEWHERE['vrrp_instance']}" in said


def test_an_included_path_is_relative_to_the_file() -> None:
    one = spec(raw_before="include lvs/*.conf\n# include not.conf", extra="include own.conf")
    assert patterns(one) == (("raw_before", "/etc/keepalived/lvs/*.conf"), ("extra", "/etc/keepalived/own.conf"))
