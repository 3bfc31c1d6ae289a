"""`hacore init --from`: what hosts have becomes a valid stack that means the same."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from hacore.cli.takeover.folder import files_of, left_out_lines
from hacore.cli.takeover.merge import FoundHost, Merged, merge
from hacore.cli.takeover.run import _check_rivals
from hacore.contract import Ask, Facts, HostFacts
from hacore.errors import InputError, StackError
from hacore.graph import build_graph
from hacore.load import LoadRequest, load, load_providers
from hacore.load.stack import Stack
from hacore.model import Host
from hacore.plan import examine_stack
from hacore_providers.facts.agents import AGENTS
from hacore_providers.facts.hand_made import HAND_MADE, HandMade
from hacore_providers.facts.keepalived import VERSION
from hacore_providers.facts.keepalived_files import KEEPALIVED_FILES, KeepalivedFiles
from hacore_providers.facts.packages import PACKAGE, Package
from hacore_providers.facts.systemd import UNIT, UnitState
from hacore_providers.keepalived import read
from hacore_providers.vrrp_instance.config_text import render
from hacore_providers.vrrp_instance.from_config import found_instances
from tests.cli.conftest import Console

CONFIG = "/etc/keepalived/keepalived.conf"

GUIDE = """\
global_defs {{
    notification_email {{
        xxx@qq.com
    }}
    notification_email_from sns-lvs@gmail.com
    smtp_server smtp.hysec.com
    smtp_connection_timeout 30
    router_id nginx_{role}        # one for each host
}}
vrrp_script chk_http_port {{
    script "/usr/local/src/check_nginx_pid.sh"
    interval 2
    weight 2
}}
vrrp_instance VI_1 {{
    state {state}
    interface {interface}
    virtual_router_id 66
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 1111
    }}
    track_script {{
        chk_http_port
    }}
    virtual_ipaddress {{
        192.168.1.200
    }}
}}
"""
GUIDE_PAIR = (
    GUIDE.format(role="master", state="MASTER", interface="eth1", priority=100),
    GUIDE.format(role="backup", state="BACKUP", interface="eth2", priority=99),
)


def answers(
    config: str, *, name: str, more: Mapping[str, str] | None = None, files: tuple[HandMade, ...] = ()
) -> Facts:
    texts = {CONFIG: config.encode()} | {path: text.encode() for path, text in (more or {}).items()}
    return Facts(
        HostFacts(family="debian", init="systemd", packager="dpkg", hostname=name),
        {
            (KEEPALIVED_FILES.name, CONFIG): KeepalivedFiles(texts),
            (PACKAGE.name, "keepalived"): Package("installed", "1:2.2.7-1", False),
            (PACKAGE.name, "nginx-light"): Package("installed", "1.22.1-9", False),
            (UNIT.name, "keepalived.service"): UnitState("keepalived.service", active="active", file_state="enabled"),
            (UNIT.name, "nginx.service"): UnitState("nginx.service", active="active", file_state="enabled"),
            (HAND_MADE.name, "/etc/nginx"): files,
        },
    )


def taken(*facts: Facts) -> tuple[Merged, dict[str, bytes]]:
    kinds = load_providers()
    found = [
        FoundHost(
            f"lb{number}",
            f"root@192.0.2.{number}",
            {kind: p.discover.find(each) for kind, p in kinds.items() if p.discover is not None},
        )
        for number, each in enumerate(facts, 1)
    ]
    hosts = {host.name: Host(name=host.name, address=host.text.partition("@")[2]) for host in found}
    merged = merge(found, [kind for kind, p in kinds.items() if p.hosts == "together"])
    return merged, files_of("web", hosts, found, merged)


def loaded(folder: Path, merged: Merged, files: Mapping[str, bytes]) -> Stack:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    environ = {f"HACORE_VAR_{name}": value for name, value in merged.secrets.items()}
    kinds = load_providers()
    stack = load(LoadRequest(folder / "stack.yaml", environ=environ), kinds)
    build_graph(stack, kinds)
    examine_stack(stack, kinds)
    return stack


def rendered(stack: Stack, host: str) -> str:
    return render([(a, i.spec) for a, i in stack.instances.items() if a.kind == "vrrp_instance" and a.host == host])


def meaning(text: str) -> list[object]:
    """What keepalived does with a configuration, as the reader's specs, without the drain of hacore."""
    result: list[object] = []
    for instance in found_instances(read(text.encode(), CONFIG)):
        assert instance.spec is not None
        data = instance.spec.model_dump(exclude={"globals", "track_files", "state"})
        files = {name: f for name, f in instance.spec.track_files.items() if not name.startswith("hacore_")}
        result.append((data, files, instance.spec.role))
    return sorted(result, key=repr)


def test_the_pair_of_the_guide(tmp_path: Path) -> None:
    site = HandMade("/etc/nginx/conf.d/a.conf", "644", "root", "root", b"server { return 200 '{{ x }}'; }\r\n")
    facts = [answers(text, name=f"lb{n}", files=(site,)) for n, text in enumerate(GUIDE_PAIR, 1)]

    merged, files = taken(*facts)

    stack = loaded(tmp_path, merged, files)
    for number, text in enumerate(GUIDE_PAIR, 1):
        assert meaning(rendered(stack, f"lb{number}")) == meaning(text)
    assert {a.resource for a in stack.instances} == {
        "package.keepalived", "package.nginx-light", "service.keepalived", "service.nginx",
        "file.etc-nginx-conf.d-a.conf", "vrrp_instance.VI_1", "vip.VI_1",
    }  # fmt: skip
    assert merged.host_vars == {
        "lb1": {
            "VI_1_interface": "eth1",
            "VI_1_priority": 100,
            "VI_1_state": "MASTER",
            "VI_1_router_id": "nginx_master",
        },
        "lb2": {
            "VI_1_interface": "eth2",
            "VI_1_priority": 99,
            "VI_1_state": "BACKUP",
            "VI_1_router_id": "nginx_backup",
        },
    }
    assert merged.secrets == {"VI_1_password": "1111"}
    assert files["files/etc/nginx/conf.d/a.conf"] == site.content
    assert not any(b"1111" in content for content in files.values())
    assert any(":7: " in line and "smtp_connection_timeout" in line for line in left_out_lines(merged))
    assert b"# " in files["stack.yaml"] and b"smtp_connection_timeout" in files["stack.yaml"]


def instance(body: str, *, name: str = "VI_1", router: int = 51) -> str:
    return f"vrrp_instance {name} {{\n interface eth0\n virtual_router_id {router}\n{body}\n}}\n"


STYLES: dict[str, tuple[str, str]] = {
    "two instances in a sync group": tuple(  # type: ignore[dict-item]
        "vrrp_sync_group G {\n group {\n  A\n  B\n }\n}\n"
        + instance(f" priority {p}\n virtual_ipaddress {{\n  10.0.0.5/24 dev eth0 label eth0:a\n }}", name="A")
        + instance(f" priority {p}\n virtual_ipaddress {{\n  10.0.1.5/24 dev eth1\n }}", name="B", router=52)
        for p in (120, 110)
    ),
    "unicast": tuple(  # type: ignore[dict-item]
        instance(
            f" priority {p}\n unicast_src_ip {own}\n unicast_peer {{\n  {peer}\n }}\n"
            " virtual_ipaddress {\n  10.0.0.5\n }"
        )
        for p, own, peer in ((120, "192.0.2.1", "192.0.2.2"), (110, "192.0.2.2", "192.0.2.1"))
    ),
    "IPv6": tuple(  # type: ignore[dict-item]
        instance(f" priority {p}\n version 3\n advert_int 0.5\n virtual_ipaddress {{\n  fe80::5\n  2001:db8::5/64\n }}")
        for p in (120, 110)
    ),
    "virtual servers, excluded addresses, notify": tuple(  # type: ignore[dict-item]
        "static_routes {\n 10.9.0.0/16 via 192.0.2.254\n}\n"
        + instance(
            f" priority {p}\n virtual_ipaddress {{\n  10.0.0.5\n }}\n virtual_ipaddress_excluded {{\n  10.0.0.6\n }}\n"
            ' garp_master_refresh 60\n notify_master "/usr/local/bin/n.sh up 1"'
        )
        + "virtual_server 10.0.0.5 80 {\n delay_loop 6\n real_server 10.0.0.11 80 {\n  weight 1\n  TCP_CHECK {\n"
        "   connect_timeout 3\n  }\n }\n}\n"
        for p in (120, 110)
    ),
    "track files and processes": tuple(  # type: ignore[dict-item]
        "vrrp_track_file f {\n file /etc/keepalived/down\n weight -30\n}\n"
        "vrrp_track_process p {\n process nginx\n weight -20\n}\n"
        + instance(
            f" priority {p}\n virtual_ipaddress {{\n  10.0.0.5\n }}\n track_file {{\n  f\n }}\n"
            " track_process {\n  p\n }\n track_interface {\n  eth1 weight -19\n }"
        )
        for p in (120, 110)
    ),
    "nopreempt, quotes and CRLF": tuple(  # type: ignore[dict-item]
        ("vrrp_script c {\n script \"/usr/bin/curl -fs 'http://127.0.0.1/a b'\"\n interval 2\n}\n"
        + instance(
            f' state BACKUP\n priority {p}\n nopreempt\n authentication {{\n  auth_type PASS\n  auth_pass "a#b{{c"\n'
            " }\n"
            " virtual_ipaddress {\n  10.0.0.5\n }\n track_script {\n  c\n }"
        )).replace("\n", "\r\n")
        for p in (120, 110)
    ),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_styles_keep_their_meaning(style: str, tmp_path: Path) -> None:
    pair = STYLES[style]

    merged, files = taken(*(answers(text, name=f"lb{n}") for n, text in enumerate(pair, 1)))

    stack = loaded(tmp_path, merged, files)
    for number, text in enumerate(pair, 1):
        new = rendered(stack, f"lb{number}")
        assert meaning(new) == meaning(text)
        for kept in ("virtual_server", "real_server", "static_routes", "vrrp_sync_group", "10.0.0.6", "garp_master"):
            assert (kept in new) == (kept in text)
    assert left_out_lines(merged) == []


def test_what_differs_in_files_is_a_file_for_each_host_and_secrets_are_not_copied(tmp_path: Path) -> None:
    def own(host: str) -> tuple[HandMade, ...]:
        return (
            HandMade("/etc/nginx/conf.d/id.conf", "640", "root", "adm", f"# {host}\n".encode()),
            HandMade("/etc/nginx/tls/key.pem", "600", "root", "root", b"-----BEGIN PRIVATE KEY-----\nMIIE\n"),
            HandMade("/etc/nginx/.htpasswd", "640", "root", "root", b"ann:$apr1$abc$def\n"),
            HandMade("/etc/nginx/sites-enabled/a", link_to="../sites-available/a"),
        )

    merged, files = taken(*(answers(t, name="h", files=own(f"lb{n}")) for n, t in enumerate(GUIDE_PAIR, 1)))

    assert files["files/lb1/etc/nginx/conf.d/id.conf"] == b"# lb1\n"
    assert files["files/lb2/etc/nginx/conf.d/id.conf"] == b"# lb2\n"
    assert not any(b"PRIVATE KEY" in content or b"apr1" in content for content in files.values())
    assert {line.split(": ")[1] for line in left_out_lines(merged)} >= {
        "/etc/nginx/tls/key.pem",
        "/etc/nginx/.htpasswd",
    }
    assert not any(".." in name.split("/") for name in files)
    stack = loaded(tmp_path, merged, files)
    assert "file.etc-nginx-sites-enabled-a" in {a.resource for a in stack.instances}


def test_a_host_cannot_name_a_file_outside_of_the_folder() -> None:
    own = (HandMade("/etc/nginx/../../../escape", "644", "root", "root", b"x"),)

    _, files = taken(answers(GUIDE_PAIR[0], name="lb1", files=own))

    assert not any(".." in name.split("/") for name in files)
    assert files["files/etc/nginx/escape"] == b"x"


def test_includes_are_part_of_the_file_and_what_is_unknown_is_named_by_its_own_line(tmp_path: Path) -> None:
    more = {"/etc/keepalived/conf.d/a.conf": instance(" priority 120\n wrong 1\n virtual_ipaddress {\n  10.0.0.5\n }")}

    merged, files = taken(answers("include conf.d/*.conf\n", name="lb1", more=more))

    assert "10.0.0.5" in rendered(loaded(tmp_path, merged, files), "lb1")
    assert any("/etc/keepalived/conf.d/a.conf:5: keepalived does not know wrong" in x for x in left_out_lines(merged))


SERVERS = """\
virtual_server 192.0.2.80 80 {{
    real_server 192.0.2.81 80 {{
        MISC_CHECK {{
            misc_path "/usr/lib/check_mysql -u probe -p{0}one"
        }}
    }}
}}
SSL {{
    password {0}two
    key /etc/ssl/keepalived.pem
}}
"""


def test_a_keepalived_that_was_built_is_found_where_it_is(tmp_path: Path) -> None:
    config, program = "/usr/local/etc/keepalived/keepalived.conf", "/usr/local/sbin/keepalived"
    known = answers("", name="lb1")
    facts = Facts(
        known.host,
        {
            (KEEPALIVED_FILES.name, config): KeepalivedFiles({config: instance(ADDRESS).encode()}),
            (VERSION.name, program): "2.3.1",
            (UNIT.name, "keepalived.service"): known.answers[UNIT.name, "keepalived.service"],
        },
    )
    merged, files = taken(facts)

    stack = loaded(tmp_path, merged, files)
    (spec,) = [i.spec for a, i in stack.instances.items() if a.kind == "vrrp_instance"]
    assert (spec.config, spec.binary) == (config, program)
    assert {a.kind for a in stack.instances} == {"vrrp_instance", "vip", "service"}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            "unit puppet.service\nunit ansible-pull.timer\ncron /etc/cron.d/chef\nend\n",
            ("puppet.service", "ansible-pull.timer", "/etc/cron.d/chef"),
        ),
        ("end\n", ()),
    ],
)
def test_other_tools_that_write_the_same_files_are_found(said: str, found: tuple[str, ...]) -> None:
    known = answers(instance(ADDRESS), name="lb1")
    facts = Facts(known.host, {**known.answers, (AGENTS.name, ""): AGENTS.parse(said.encode())[""]})
    discover = load_providers()["service"].discover
    assert discover is not None
    assert discover.find(facts).rivals == found


def test_a_host_with_such_a_tool_is_taken_over_only_if_that_is_asked_for() -> None:
    with pytest.raises(
        InputError, match=r"^cannot take over lb1: puppet\.service, /etc/cron\.d/x may write the same files"
    ):
        _check_rivals("lb1", ["puppet.service", "/etc/cron.d/x"])
    _check_rivals("lb1", [])


def test_the_crontabs_of_a_host_are_searched(tmp_path: Path) -> None:
    cron = tmp_path / "cron.d"
    cron.mkdir()
    for name, line in {
        "pull": "*/15 * * * * root /usr/bin/ansible-pull -U https://git.example.com/x",
        "agent": "0 * * * * root puppet agent --onetime",
        "off": "# 0 * * * * root chef-client",
        "other": "0 4 * * * root /usr/local/bin/backup --no-chef-clients",
    }.items():
        (cron / name).write_text(f"{line}\n")
    script = AGENTS.command([Ask(AGENTS, "")]).replace("/etc/cron.d", str(cron)).replace("/etc/crontab", "/nonexistent")
    out = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    found = {name for name in AGENTS.parse(out)[""] if name.startswith(str(cron))}
    assert found == {f"{cron}/pull", f"{cron}/agent"}


CANARY = "S3cr3tCanary"
ADDRESS = " virtual_ipaddress {\n  10.0.0.5\n }"


def test_a_password_in_a_kept_line_is_in_no_file(tmp_path: Path) -> None:
    merged, files = taken(answers(instance(ADDRESS) + SERVERS.format(CANARY), name="lb1"))

    assert not any(CANARY.encode() in content for content in files.values())
    assert len(merged.secrets) == 2
    stack = loaded(tmp_path, merged, files)
    written = rendered(stack, "lb1")
    assert f"{CANARY}one" in written and f"{CANARY}two" in written
    assert "key /etc/ssl/keepalived.pem" in written
    assert all(i.spec.sensitive for a, i in stack.instances.items() if a.kind == "vrrp_instance")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("notify", instance(f' notify "/usr/local/bin/tell --token={CANARY}"\n{ADDRESS}')),
        (
            "track_scripts",
            f'vrrp_script c {{\n script "/usr/bin/curl -sf http://probe:{CANARY}@127.0.0.1/"\n interval 2\n}}\n'
            + instance(f" track_script {{\n  c\n }}\n{ADDRESS}"),
        ),
    ],
)
def test_a_password_on_a_command_line_is_in_no_file_and_must_be_moved_first(
    field: str, text: str, tmp_path: Path
) -> None:
    merged, files = taken(answers(text, name="lb1"))

    assert not any(CANARY.encode() in content for content in files.values())
    with pytest.raises(StackError, match=f"{field} must not use a sensitive value: all users of the host can read"):
        loaded(tmp_path, merged, files)


@pytest.mark.parametrize(
    ("line", "guarded"),
    [
        ("/usr/lib/nagios/plugins/check_http -H 127.0.0.1 -p 80", False),
        ("/bin/passenger-status --show=pool", False),
        ("curl -sf http://127.0.0.1:8080/password-reset", False),
        ("/usr/bin/pw-check", False),
        ("ldapsearch -w x --password x", True),
        ("/x --api-key=1", True),
        ("/x TOKEN: 1", True),
        ("curl https://u:p@example.com/", True),
    ],
)
def test_what_may_be_a_password(line: str, guarded: bool) -> None:
    text = instance(f' notify "{line}"\n virtual_ipaddress {{\n  10.0.0.5\n }}')
    merged, _ = taken(answers(text, name="lb1"))
    assert list(merged.secrets.values()) == ([line] if guarded else [])


def test_of_a_long_password_the_stack_is_checked_with_what_keepalived_uses(tmp_path: Path) -> None:
    pair = [text.replace("auth_pass 1111", "auth_pass longer-than-eight") for text in GUIDE_PAIR]

    merged, files = taken(*(answers(text, name="h") for text in pair))

    assert merged.secrets == {"VI_1_password": "longer-t"}
    loaded(tmp_path, merged, files)
    assert any("give the first 8" in line for line in left_out_lines(merged))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--from", "a,b", "used"), "cannot write a stack to used: it is not empty"),
        (("--from", "a,b"), "name its folder"),
        (("--from", "a,a", "new"), "cannot read a host twice"),
        (("--from", "a,b", "--vip", "10.0.0.5", "new"), "cannot use --from with --host"),
        (("--from", "a:99999,b", "new"), "cannot reach 'a:99999': the port must be 1 to 65535"),
        (("--from", "127.0.0.1:1", "new"), "127.0.0.1"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(console: Console, words: tuple[str, ...], error: str) -> None:
    (console.folder / "used").mkdir()
    (console.folder / "used/file").write_text("x")
    before = sorted(console.folder.rglob("*"))

    done = console("init", *words, stdin=None)

    assert done.code not in (0, 2)
    assert error in done.err
    assert sorted(console.folder.rglob("*")) == before
