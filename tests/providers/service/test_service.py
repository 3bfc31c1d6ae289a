"""What the kind makes of recorded answers and of specs, without a host."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from hacore.address import Address
from hacore.contract import Ask, Change, Claim, Facts, HostFacts, Output, Trigger, View, Work
from hacore.model import Action, Image
from hacore_providers.facts.systemd import DEFINITION, LIMIT, UNIT, Definition, UnitState
from hacore_providers.service import systemd, unit_file
from hacore_providers.service.provider import PROVIDER, ServiceSpec
from tests.providers.source_build.conftest import Folder

DATA = Path(__file__).parent / "data"
RECORDED, SCRIPTS = (json.loads((DATA / name).read_text()) for name in ("units.json", "sysv.json"))
SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides: nginx
# Default-Start: 2 3 4 5
### END INIT INFO
DAEMON=/usr/local/nginx/sbin/nginx
case $1 in start) $DAEMON ;; esac
"""
ADDRESS = Address("service", "nginx", host="lb1")
NGINX = """[Unit]
Description=nginx
[Service]
Type=forking
PIDFile=/run/nginx/nginx.pid
EnvironmentFile=-/etc/default/nginx
# ExecStart=/not/this/one
ExecStartPre=-/usr/local/nginx/sbin/nginx -t -q \\
  -c /usr/local/nginx/conf/nginx.conf
ExecStart=@!/usr/local/nginx/sbin/nginx nginx --conf=/etc/odd/x.conf %i /run/x /var/*/y
ExecReload=/bin/sh -c 'exec /opt/tool/reload --quiet'
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
Also=nginx-side.socket other.timer
"""


def view(spec: ServiceSpec, answers: Mapping[Any, Any]) -> View[ServiceSpec]:
    return View(ADDRESS, spec, None, Facts(answers=answers))


def recorded_answers(recorded: Any = RECORDED) -> dict[tuple[str, str], Any]:
    return {(UNIT.name, arg): value for arg, value in UNIT.parse(recorded["stdout"].encode()).items()}


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["name"])
def test_recorded_answers(case: dict[str, Any]) -> None:
    seen = view(ServiceSpec.model_validate(case["spec"]), recorded_answers())
    observed = PROVIDER.observe(seen)

    assert (None if observed is None else dict(observed.attrs)) == case["attrs"]
    assert PROVIDER.desire(seen).effect == case["effect"]


@pytest.mark.parametrize("case", SCRIPTS["cases"], ids=lambda case: case["name"])
def test_recorded_answers_of_init_scripts(case: dict[str, Any]) -> None:
    seen = view(ServiceSpec.model_validate(case["spec"]), recorded_answers(SCRIPTS))
    observed = PROVIDER.observe(seen)

    assert (None if observed is None else dict(observed.attrs)) == case["attrs"]
    assert PROVIDER.desire(seen).effect == case["effect"]


def test_an_init_script_is_a_definition() -> None:
    spec = ServiceSpec(unit="nginx", definition=SCRIPT, running=True, enabled=True)

    assert spec.script and spec.path == "/etc/init.d/nginx"
    assert list(PROVIDER.validate({"lb1": spec}, {})) == []
    assert [c.token for c in PROVIDER.claims(spec)] == [
        "unit:nginx",
        "pkg:nginx",
        "config:nginx",
        "path:/etc/init.d/nginx",
        "path:/usr/local/nginx/sbin/nginx",
    ]


@pytest.mark.parametrize(
    ("body", "init", "words"),
    [
        ({"definition": NGINX}, "sysv", r"by a unit file: this host runs sysv, which needs an init script"),
        ({"definition": SCRIPT}, "systemd", r"by an init script .*: this host runs systemd, which needs a unit file"),
        ({"manager": "systemd"}, "sysv", "manager is systemd, but this host runs sysv"),
        ({"unit": "a.timer"}, "sysv", "no such units"),
        ({}, "none", "this host runs neither systemd nor init scripts"),
    ],
)
def test_what_an_init_system_cannot_do_is_refused(body: dict[str, Any], init: str, words: str) -> None:
    wanted = ServiceSpec.model_validate({"unit": "x", "running": True, **body})
    (step,) = PROVIDER.prepare(Work((Change(ADDRESS, Action.CREATE, wanted),), facts=Facts(HostFacts(init=init))))

    done = subprocess.run(["dash", "-c", step.script], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(words, done.stderr)


def test_a_garbled_answer_is_no_answer() -> None:
    assert UNIT.parse(b"Failed to connect to bus\n\n=\n\nId=\nNames=x\n") == {}


def run(script: str) -> bytes:
    return subprocess.run(["dash", "-c", script], capture_output=True, check=True).stdout


def test_definitions_come_back_only_where_they_differ(tmp_path: Path) -> None:
    texts = {"same.service": b"a\n", "other.service": b"b\n", "secret.service": b"c\n", r"odd\x2dname.service": b"d\n"}
    texts |= {"big.service": b"#" * (LIMIT + 1), "empty.service": b""}
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "masked.service").symlink_to("/dev/null")
    same = "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
    names = [*texts, "masked.service", "missing.service"]
    asks = [Ask(DEFINITION, str(tmp_path / name), same, secret=name.startswith("secret")) for name in names]
    found = {Path(path).name: value for path, value in DEFINITION.parse(run(DEFINITION.command(asks))).items()}

    assert found["same.service"].digest == f"sha256:{same}"
    assert {name: value.text for name, value in found.items()} == {
        "same.service": None,
        "other.service": "b\n",
        "secret.service": None,
        r"odd\x2dname.service": "d\n",
        "big.service": None,
        "empty.service": "",
        "masked.service": None,
    }
    assert found["masked.service"].digest == "link:/dev/null"


def test_only_generated_units_are_looked_up_in_runlevels() -> None:
    script = UNIT.command([Ask(UNIT, "a.service")])
    answer = "systemctl() { printf 'Id=a.service\\nUnitFileState=enabled\\n'; }\nHACORE_INIT=systemd\n"
    assert b"SysV" not in run(answer + script)
    assert run("systemctl() { echo Id=a.service; }\nHACORE_INIT=none\n" + script) == b""


SOCKETS = """\
systemctl() {
  case "$*" in
  *TriggeredBy*) printf 'Id=ssh.service\\nNames=ssh.service\\nLoadState=loaded\\nTriggeredBy=ssh.socket odd.timer\\n\\n'
    printf 'Id=docker.service\\nNames=docker.service\\nLoadState=loaded\\nTriggeredBy=docker.socket\\n' ;;
  *Listen*docker.socket*ssh.socket*) printf 'Id=docker.socket\\nListen=/run/docker.sock (Stream)\\n\\n'
    printf 'Id=ssh.socket\\nListen=0.0.0.0:22 (Stream)\\nListen=[::]:22 (Stream)\\n' ;;
  esac
}
HACORE_INIT=systemd
"""


def test_the_ports_of_a_unit_that_a_socket_starts_are_those_of_the_socket() -> None:
    asks = [Ask(UNIT, "ssh.service"), Ask(UNIT, "docker.service")]
    found = UNIT.parse(run(SOCKETS + UNIT.command(asks)))
    assert found["ssh.service"].ports == (("ssh.socket", "0.0.0.0:22, [::]:22"),)
    assert found["docker.service"].ports == ()
    answers = {(UNIT.name, name): state for name, state in found.items()}

    def said(unit: str, **fields: object) -> list[str]:
        spec = ServiceSpec.model_validate({"unit": unit, **fields})
        return [f"{m.warning} {m}" for m in PROVIDER.examine(view(spec, answers))]

    words = (
        "True unit is ssh.service, which ssh.socket starts: it serves the ports of the socket (now 0.0.0.0:22, "
        "[::]:22), whatever its own configuration has; a change of them needs ListenStream= of ssh.socket, "
        "and its restart"
    )
    assert said("ssh", running=True, enabled=True) == [words]
    assert said("ssh", running=True, restart_on=["file.sshd"]) == [words]
    assert said("ssh", running=True) == []
    assert said("docker", running=True, enabled=True) == []


def test_claims_come_from_the_definition() -> None:
    claims = PROVIDER.claims(ServiceSpec(unit="nginx", definition=NGINX))

    assert [c.token for c in claims if c.mode == "own"] == ["unit:nginx", "path:/etc/systemd/system/nginx.service"]
    assert [c.token for c in claims if c.mode == "use"] == [
        "pkg:nginx",
        "config:nginx",
        "path:/etc/default/nginx",
        "path:/usr/local/nginx/sbin/nginx",
        "path:/usr/local/nginx/conf/nginx.conf",
        "path:/etc/odd/x.conf",
        "path:/bin/sh",
        "path:/opt/tool/reload",
        "path:/bin/kill",
    ]
    assert unit_file.also(NGINX) == ("nginx-side.socket", "other.timer")


def test_without_a_definition_it_owns_its_unit_only() -> None:
    assert PROVIDER.claims(ServiceSpec(unit="a.timer")) == [
        Claim("unit:a.timer"),
        Claim("pkg:a.timer", "use"),
        Claim("config:a.timer", "use"),
    ]


def test_triggers() -> None:
    spec = ServiceSpec(unit="nginx", reload_on=("file.a",), restart_on=("file.b",), definition=NGINX)
    assert PROVIDER.triggers(spec, ADDRESS) == [
        Trigger("file.a", "reload"),
        Trigger("file.b", "restart"),
        Trigger("service.nginx@lb1", "restart", ("definition",)),
    ]
    assert PROVIDER.triggers(ServiceSpec(unit="nginx"), ADDRESS) == []


FILE = Address("file", "env", host="lb1")


@pytest.mark.parametrize("init", ["systemd", "sysv"])
@pytest.mark.parametrize(
    ("sources", "spared"),
    [
        ((ADDRESS,), True),
        ((FILE,), False),  # it may have left the stack, and with it restart_on
        ((ADDRESS, FILE), False),
        ((), False),  # an older run did not record them
    ],
)
@pytest.mark.parametrize("more", [{}, {"reload_on": ("file.a",)}, {"restart_on": ("file.b",)}])
def test_a_young_process_is_spared_only_where_its_own_change_is_all_that_pulled(
    init: Literal["systemd", "sysv"], sources: tuple[Address, ...], spared: bool, more: dict[str, Any]
) -> None:
    spec = ServiceSpec(unit="nginx", definition=NGINX, **more)
    facts = Facts(HostFacts(init=init))
    change: Change[ServiceSpec] = Change(ADDRESS, Action.NOOP, spec)
    (step,) = PROVIDER.trigger(Work((change,), facts=facts, sources=sources), "restart")
    assert ("\nunless_young=1\n" in step.script) is spared
    bare: Change[ServiceSpec] = Change(ADDRESS, Action.NOOP, ServiceSpec(unit="nginx", **more))
    (step,) = PROVIDER.trigger(Work((bare,), facts=facts, sources=sources), "restart")
    assert "\nunless_young=\n" in step.script, "without a definition it is unknown which one a process has loaded"


def test_the_name_comes_from_the_resource(tmp_path: Path) -> None:
    named = PROVIDER.resolve(ServiceSpec(), Folder(tmp_path, 'web["a"]'))
    assert named.unit == "web"
    assert PROVIDER.resolve(ServiceSpec(unit="x"), Folder(tmp_path, "web")).unit == "x"
    secret = PROVIDER.resolve(ServiceSpec(definition=NGINX), Folder(tmp_path, "web", sensitive=True))
    assert PROVIDER.facts(secret)[1].secret
    desired = PROVIDER.desire(view(secret, {}))
    assert desired.sensitive == {"definition"}
    assert desired.texts == {}


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"unit": "a b"}, "unit", "is not a unit name"),
        ({"unit": "../x"}, "unit", "is not a unit name"),
        ({"unit": "getty@", "running": True}, "unit", "is a template: name an instance"),
        ({"unit": "x", "definition": "ExecStart=/bin/true\n"}, "definition", "a unit file has sections"),
        ({"unit": "x", "definition": "[Service]"}, "definition", "the last line has no line end"),
        ({"unit": "x", "definition": "[Service]\n", "enabled": True}, "definition", "needs an [Install] section"),
        ({"unit": "x", "definition": NGINX, "manager": "sysv"}, "definition", "needs systemd"),
        ({"unit": "x", "definition": SCRIPT, "manager": "systemd"}, "definition", "is not a unit file"),
        ({"unit": "x", "definition": "#!/bin/sh\n", "enabled": True}, "definition", "needs `# Default-Start"),
        ({"unit": "x", "definition": SCRIPT, "sensitive": True}, "manager", "needs manager: sysv"),
    ],
)
def test_mistakes(body: dict[str, Any], field: str, words: str) -> None:
    found = list(PROVIDER.validate({"lb1": ServiceSpec.model_validate(body)}, {}))
    assert [(host, m.field) for host, m in found] == [("lb1", field)]
    assert words in found[0][1].message


def test_good_specs_have_no_mistakes() -> None:
    good = [ServiceSpec(unit="nginx", definition=NGINX, enabled=True), ServiceSpec(unit=r"dev-disk\x2da.swap")]
    assert [list(PROVIDER.validate({"lb1": spec}, {})) for spec in good] == [[], []]


@pytest.mark.parametrize(
    ("observed", "wanted", "loads"),
    [
        (None, True, True),
        ({"running": False}, True, True),
        ({"running": "activating"}, True, True),
        ({"running": True}, True, False),
        ({"running": True}, False, False),
        (None, None, False),
    ],
)
def test_a_start_loads(observed: dict[str, Any] | None, wanted: bool | None, loads: bool) -> None:
    desired = {} if wanted is None else {"running": wanted}
    change = Change(ADDRESS, Action.UPDATE, ServiceSpec(unit="x", running=wanted), observed=observed, desired=desired)
    assert PROVIDER.loads(change) is loads


def test_only_a_stop_disrupts() -> None:
    answers = recorded_answers()
    found = {
        (unit, running): PROVIDER.desire(view(ServiceSpec(unit=unit, running=running), answers)).disrupts
        for unit in ("ssh", "broken", "nope")
        for running in (True, False)
    }
    assert [key for key, disrupts in found.items() if disrupts != "none"] == [("ssh", False)]


def test_without_an_image_there_is_nothing_to_undo() -> None:
    change = Change(ADDRESS, Action.CREATE, ServiceSpec(unit="x", running=True))
    assert PROVIDER.undo(Work((change,))) == []
    assert len(PROVIDER.undo(Work((change,), images={ADDRESS: Image()}))) == 1


NEW = "[Service]\nExecStart=/bin/new\n"
DIGEST = "sha256:" + hashlib.sha256(NEW.encode()).hexdigest()


@pytest.mark.parametrize("sensitive", [False, True])
@pytest.mark.parametrize(
    ("found", "digest", "text"),
    [
        (None, None, None),
        (Definition("sha256:1", "old"), "sha256:1", "old"),
        (Definition(DIGEST), DIGEST, NEW),  # the host sends no text that is desired
        (Definition("link:/dev/null"), "link:/dev/null", None),
    ],
)
def test_the_text_of_a_definition_is_shown_unless_it_is_secret(
    found: Definition | None, digest: str | None, text: str | None, sensitive: bool
) -> None:
    spec = ServiceSpec(unit="x", definition=NEW, sensitive=sensitive)
    answers: dict[Any, Any] = {(UNIT.name, spec.full): UnitState("x.service", active="active", sub="running")}
    if found is not None:
        answers[(DEFINITION.name, spec.path)] = found
    observed, desired = PROVIDER.observe(view(spec, answers)), PROVIDER.desire(view(spec, answers))
    assert observed is not None
    assert observed.attrs["definition"] == digest
    assert observed.texts == ({} if sensitive or text is None else {"definition": text})
    assert (desired.attrs or {})["definition"] == DIGEST
    assert desired.texts == ({} if sensitive else {"definition": NEW})
    assert desired.sensitive == ({"definition"} if sensitive else set())
    assert [ask.secret for ask in PROVIDER.facts(spec)] == [False, sensitive, False, False]
    assert observed.info["state"] == "active (running)"


def test_a_unit_that_does_not_exist_is_known_by_its_definition_alone() -> None:
    spec = ServiceSpec(unit="x", definition=NEW, running=True, enabled=True)
    answers: dict[Any, Any] = {(DEFINITION.name, spec.path): Definition(DIGEST)}
    observed = PROVIDER.observe(view(spec, answers))
    assert observed is not None
    assert dict(observed.attrs) == {"running": False, "enabled": False, "definition": DIGEST}
    assert PROVIDER.observe(view(ServiceSpec(unit="x", running=True), answers)) is None
    assert PROVIDER.observe(view(spec, {})) is None


def test_only_programs_and_files_of_a_unit_s_commands_are_its_paths() -> None:
    text = (
        "[Unit]\nDocumentation=file:/usr/share/doc/x\nConditionPathExists=/etc/condition\n"
        "[Service]\nBindPaths=/srv/data\nEnvironmentFile=-/etc/default/x\nExecStart=/usr/sbin/x\n"
        "ReadWritePaths=/srv/more\nWorkingDirectory=/srv/work\n"
    )
    assert unit_file.paths_named(text) == ("/etc/default/x", "/usr/sbin/x")


def test_the_image_of_a_unit() -> None:
    lines = [
        "load loaded",
        "active active",
        "state enabled",
        "names x.service y.service x.service",
        "link /etc/systemd/system/multi-user.target.wants/x.service\t/etc/x",
        "link /etc/systemd/system/y.service\t/etc/x",
        "mode 640 0:0",
        "bytes W1VuaXRdCg==",
    ]
    image = systemd.read_image(Output(0, "\n".join(lines).encode() + b"\n"), sensitive=True)
    assert image.data == {
        "load": "loaded",
        "active": "active",
        "state": "enabled",
        "names": ["x.service", "y.service"],
        "mask": None,
        "mode": "640 0:0",
    }
    assert image.blobs["definition"] == b"[Unit]\n"
    assert image.blobs["links"].count(b"\n") == 2
    assert image.sensitive
    masked = systemd.read_image(Output(0, b"load masked\nmask /dev/null\n"), sensitive=False)
    assert (masked.data["mask"], masked.data["mode"], masked.data["names"]) == ("/dev/null", None, [])
    assert ("definition" in masked.blobs, masked.sensitive) == (False, False)
