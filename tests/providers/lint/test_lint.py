"""`hacore lint`: findings with their places, pairs across files, output and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hacore.cli.app import cli
from hacore_providers.lint.catalogue import RULES

GUIDE = Path(__file__).parent / "guide"
ONE = """global_defs {
    router_id NAME
    script_user root
    enable_script_security
}
vrrp_script chk {
    script "/usr/local/bin/check"
    weight WEIGHT
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority PRIORITY
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        192.0.2.10/24 dev eth0
    }
    track_script {
        chk
    }
}
"""


def lint(*args: str | Path) -> Result:
    return CliRunner().invoke(cli, ["lint", *map(str, args)])


def config(name: str = "lb1", priority: int = 100, weight: int = -20) -> str:
    return ONE.replace("NAME", name).replace("PRIORITY", str(priority)).replace("WEIGHT", str(weight))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "lb1.conf", tmp_path / "lb2.conf"
    one.write_text(config())
    other.write_text(config("lb2", 90))
    return one, other


def found(result: Result) -> list[tuple[str, int, str]]:
    """(file, line, rule) of each finding."""
    lines = re.findall(r"(?m)^(\S+?):(\d+):\d+: (?:fault|warning): .* \[([\w-]+)\]$", result.output)
    return [(Path(file).name, int(line), rule) for file, line, rule in lines]


def test_the_page_shows_what_is_found_in_the_pair_of_the_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs/lint.md").read_text()
    monkeypatch.chdir(GUIDE)
    assert f"$ hacore lint lb1.conf lb2.conf\n{lint(Path('lb1.conf'), Path('lb2.conf')).output}```" in page


def test_a_clean_pair(pair: tuple[Path, Path]) -> None:
    result = lint(*pair)
    assert found(result) == []
    assert result.output.endswith(f"2 configurations; together: VI_1 on {pair[0]} and {pair[1]}; nothing found\n")
    assert result.exit_code == 0


def test_the_pair_of_the_guide() -> None:
    result = lint(GUIDE / "lb1.conf", GUIDE / "lb2.conf")
    of_each = [
        (7, "misspelt-keyword"), (10, "script-security"), (11, "script-kills-keepalived"), (11, "script-never-fails"),
        (11, "script-restarts-service"),
    ]  # fmt: skip
    assert found(result) == [(file, line, rule) for file in ("lb1.conf", "lb2.conf") for line, rule in of_each]
    assert "did you mean smtp_connect_timeout?" in result.output
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("virtual_router_id 51", "virtual_router_id 52", (13, "members-differ")),
        ("advert_int 1", "advert_int 2", (15, "members-differ")),
        ("auth_pass 1111", "auth_pass 1112", (16, "members-differ")),
        ("192.0.2.10/24", "192.0.2.11/24", (20, "members-differ")),
        ("priority 90", "priority 100", (14, "equal-priority")),
        ("priority 90", "priority 81", None),
        ("router_id lb2", "router_id lb1", (2, "router-name-twice")),
        ("interface eth0", "nopreempt\n    interface eth0", (8, "nopreempt-weight")),
        ("weight -20", "weight 5", None),
        ("state BACKUP", "state master", (11, "state-word")),
        ("priority 90", "priority 300", (14, "out-of-range")),
        ("chk\n    }", "chkk\n    }", (24, "tracker-undefined")),
        ("auth_pass 1111", "auth_pass 1111111111", (18, "password-length")),
        ("eth0\n    virt", "eth0\n    }\n    virt", (27, "unexpected-brace")),
        ("eth0\n    virt", "eth0\n    }\n    virt", (15, "misplaced-keyword")),
        ("/usr/local/bin/check", "/usr/bin/curl -f http://192.0.2.10/", (7, "script-asks-address")),
        ("/usr/local/bin/check", "/usr/bin/curl -f http://192.0.2.100/", None),
        ('"/usr/local/bin/check"', "“/usr/local/bin/check”", (7, "typographic-quote")),
    ],
)
def test_one_change_in_the_second_file(
    pair: tuple[Path, Path], old: str, new: str, expected: tuple[int, str] | None
) -> None:
    text = pair[1].read_text()
    assert old in text
    pair[1].write_text(text.replace(old, new, 1))
    result = lint(*pair)
    if expected is None:
        assert found(result) == []
    else:
        assert ("lb2.conf", *expected) in found(result), result.output


def test_a_weight_that_moves_nothing_shows_its_arithmetic(pair: tuple[Path, Path]) -> None:
    pair[0].write_text(config(weight=-5))
    result = lint(*pair)
    assert ("lb1.conf", 8, "weight-moves-nothing") in found(result)
    assert "is -5: a failure lowers" in result.output
    assert "from 100 to 95, but" in result.output
    assert "has 90, so the addresses do not move; set -11 or lower, or 0" in result.output


def test_a_tracker_that_is_defined_after_its_use(tmp_path: Path) -> None:
    head, script, rest = re.split(r"(?ms)(^vrrp_script.*?^}\n)", config())
    file = tmp_path / "x.conf"
    file.write_text(head + rest + script)
    result = lint(file)
    assert [rule for _, _, rule in found(result)] == ["tracker-order"]
    assert "vrrp_script chk is defined in line 23, after its use" in result.output


def test_one_file_for_two_hosts(tmp_path: Path) -> None:
    file = tmp_path / "shared.conf"
    text = config().replace("    priority 100", "    @lb1 priority 100\n    @lb2 priority 100")
    file.write_text(text.replace("router_id lb1", "@lb1 router_id lb1\n    @lb2 router_id lb2"))
    assert [rule for _, _, rule in found(lint(file))] == ["equal-priority"]
    assert found(lint(file, "--id", "lb1")) == []


def test_an_address_in_two_instances(tmp_path: Path) -> None:
    file = tmp_path / "x.conf"
    second = re.search(r"(?ms)^vrrp_instance.*^}\n", config())
    assert second is not None
    file.write_text(config() + second[0].replace("VI_1", "VI_2").replace("router_id 51", "router_id 52"))
    assert [rule for _, _, rule in found(lint(file))] == ["address-twice"]


def test_an_instance_without_a_partner_is_a_warning(pair: tuple[Path, Path]) -> None:
    text = pair[1].read_text().replace("192.0.2.10", "198.51.100.7").replace("id 51", "id 7").replace("VI_1", "VI_9")
    pair[1].write_text(text)
    result = lint(*pair)
    assert [rule for _, _, rule in found(result)] == ["not-paired", "not-paired"]
    assert result.exit_code == 0
    assert lint("--strict", *pair).exit_code == 2


def test_json_and_github(pair: tuple[Path, Path]) -> None:
    pair[1].write_text(pair[1].read_text().replace("auth_pass 1111", "auth_pass 1112"))
    value = json.loads(lint("--json", *pair).output)
    assert value["summary"] == {"faults": 1, "warnings": 0}
    (finding,) = value["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == ("members-differ", str(pair[1]), 16)
    assert value["pairs"] == [{str(pair[0]): "VI_1", str(pair[1]): "VI_1"}]
    line = lint("--format", "github", *pair).output
    assert line.startswith(f"::error file={pair[1]},line=16,col=5,title=members-differ::authentication differs from")


def test_no_password_is_shown(pair: tuple[Path, Path]) -> None:
    pair[1].write_text(pair[1].read_text().replace("auth_pass 1111", "auth_pass s3cret-and-long"))
    for form in ("text", "json", "github"):
        output = lint("--format", form, *pair).output
        assert "members-differ" in output
        assert "s3cret" not in output
        assert "1111" not in output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read {file}: no such file"),
        (b"#!/bin/sh\nexit 0\n", "cannot check {file}: it has no keyword of keepalived.conf(5) outside of blocks"),
    ],
)
def test_what_cannot_be_read_exits_with_1(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "x"
    if content is not None:
        file.write_bytes(content)
    result = lint(file)
    assert message.format(file=file) in result.output
    assert result.exit_code == 1


def test_each_rule_is_explained() -> None:
    for name, rule in RULES.items():
        assert lint("--explain", name).output.startswith(f"{name} ({rule.severity}): {rule.title}\n")
    result = lint("--explain", "tracker-ordre")
    assert "unknown rule 'tracker-ordre': did you mean tracker-order?" in result.output
    assert result.exit_code == 64


def test_the_hook_of_pre_commit_checks_the_files_of_a_pair_together(tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    (hook,) = YAML(typ="safe").load(Path(__file__).parents[3] / ".pre-commit-hooks.yaml")
    assert (hook["id"], hook["language"], hook["require_serial"]) == ("hacore-lint", "python", True)
    names = ["lb1/keepalived.conf", "keepalived-lb2.conf", "etc/keepalived/keepalived.conf"]
    assert [bool(re.search(hook["files"], name)) for name in [*names, "nginx.conf", "keepalived.conf.j2"]] == [
        True, True, True, False, False,
    ]  # fmt: skip
    program, *words = hook["entry"].split()
    result = CliRunner().invoke(cli, [*words, str(GUIDE / "lb1.conf"), str(GUIDE / "lb2.conf")])
    assert (program, result.exit_code) == ("hacore", 2)
    assert "2 configurations; together: VI_1" in result.output
