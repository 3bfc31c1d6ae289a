"""The life of each kind on a real host: created, found, changed, touched by hand, renamed, removed, rolled back.

One stack has all kinds in it, so each chapter of the story is told of all of them at once. KINDS is the table: what a
user writes of a kind, at first and later, and what somebody does to the host by hand.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hacore.lab import Lab, manifest
from tests.hosts.conftest import LB1, VIP
from tests.hosts.project import Project
from tests.providers.source_build.conftest import tarball

pytestmark = pytest.mark.twins

HOST = LB1.name
HEAD = f"""\
stack: web
connection: {{user: root}}
hosts:
  {HOST}: {{address: {LB1.address}, vars: {{interface: {LB1.interface}}}}}
resources:
"""
UNIT = (
    "[Unit]\\nDescription=%s\\n[Service]\\nExecStart=/usr/bin/sleep infinity\\n"
    "[Install]\\nWantedBy=multi-user.target\\n"
)
CONFIG = "/etc/keepalived/keepalived.conf"
VRRP = f"interface: {LB1.interface}, version: 3, advert_interval: 0.1"  # an address comes up after three of them
HELD = f"timeout 20 sh -c 'until ip address show to {VIP} | grep -q .; do sleep 0.1; done'"


@dataclass(frozen=True)
class Kind:
    """A resource of one kind, and its neighbours. What begins with `by` is sh, run by hand on the host.

    `first` and `later` are bodies, `seen` tells them apart on the host. `by_drift` breaks what `first` says,
    `by_equal` makes the same as hacore would, `by_other` something else where `later` will be.
    """

    name: str
    first: str
    later: str
    seen: str
    by_drift: str
    by_equal: str
    by_other: str = ""
    update: str = "update"
    renamed: str = "renamed"


KINDS = {
    "file": Kind(
        "conf",
        first='{path: /etc/story.conf, content: "one\\n", mode: "0640"}',
        later='{path: /etc/story.conf, content: "two\\n", mode: "0600", owner: games}',
        seen="stat -c '%a %U' /etc/story.conf; cat /etc/story.conf",
        by_drift="echo by hand >>/etc/story.conf",
        by_equal="echo one >/etc/story.conf; chmod 0640 /etc/story.conf",
        by_other="echo mine >/etc/story.conf; chmod 0604 /etc/story.conf; chown 12:34 /etc/story.conf",
    ),
    "package": Kind(
        "small",
        first="{names: [tree]}",
        later="{names: [tree, hello]}",
        seen="command -v tree; command -v hello",
        by_drift="dpkg --purge tree >/dev/null",
        by_equal="apt-get install -y -qq tree >/dev/null 2>&1",
        by_other="apt-get install -y -qq hello >/dev/null 2>&1; apt-mark auto hello >/dev/null",
    ),
    "service": Kind(
        "sleeper",
        first=f'{{unit: story, definition: "{UNIT % "one"}", running: true, enabled: true}}',
        later=f'{{unit: story, definition: "{UNIT % "two"}", running: true, enabled: false}}',
        seen="systemctl show -P Description -P ActiveState -P UnitFileState -P NeedDaemonReload story",
        by_drift="systemctl disable -q --now story",
        by_equal=f"printf '{UNIT % 'one'}' >/etc/systemd/system/story.service; systemctl daemon-reload; "
        "systemctl enable -q --now story",
        by_other=f"printf '{UNIT % 'mine'}' >/etc/systemd/system/story.service; systemctl daemon-reload; "
        "chmod 0600 /etc/systemd/system/story.service; systemctl enable -q story",
    ),
    "source_build": Kind(
        "greeter",
        first="{source: one.tar.gz, sha256: SHA-ONE, binary: /opt/greeter/bin/greeter, needs: [package.tools]}",
        later="{source: two.tar.gz, sha256: SHA-TWO, binary: /opt/greeter/bin/greeter, needs: [package.tools]}",
        seen="/opt/greeter/bin/hello-there; ls /etc/greeter",
        by_drift="echo '#' >>/opt/greeter/bin/greeter",
        by_equal="true",  # what only hacore makes so: forgotten by the state instead, see there
        by_other="mkdir -p /opt/greeter/bin /etc/greeter; echo 'echo mine' >/opt/greeter/bin/greeter; "
        "chmod 0700 /opt/greeter/bin/greeter; echo mine >/etc/greeter/greeter.conf",
    ),
    "vrrp_instance": Kind(
        "front",
        first=f"{{name: VI_1, {VRRP}, virtual_router_id: 66, priority: 101, addresses: [{VIP}]}}",
        later=f"{{name: VI_1, {VRRP}, virtual_router_id: 66, priority: 102, addresses: [{VIP}]}}",
        seen=f"grep -E 'vrrp_instance|priority' {CONFIG}; stat -c %a {CONFIG}",
        by_drift=f"sed -i 's/priority 101/priority 99/' {CONFIG}",
        by_equal=f"install -m 0600 /tmp/keepalived.conf {CONFIG}",
        by_other="mkdir -p /etc/keepalived; echo 'vrrp_instance VI_1 { priority 9 }' "
        f">{CONFIG}; chmod 0640 {CONFIG}; chown 12:34 {CONFIG}",
    ),
    "vip": Kind(
        "address",
        first="{instance: front, needs: [service.keepalived]}",
        later="{instance: front, needs: [service.keepalived]}",
        seen=f"test $(ip -4 -o address show to {VIP} | wc -l) = 1 && echo held",
        by_drift="systemctl stop keepalived",
        by_equal="true",  # by its neighbours
        by_other="true",
    ),
}

Bodies = dict[str, dict[str, str]]
"""Kind, name, body."""

TOOLS: Bodies = {"package": {"tools": "{names: [gcc, make, libc6-dev, keepalived]}"}}
"""What the kinds need on the host, there all the time."""

COMPANIONS: Bodies = {
    "vrrp_instance": {"second": f"{{name: VI_2, {VRRP}, virtual_router_id: 67, addresses: [192.168.1.201]}}"},
    "service": {"keepalived": "{running: true, enabled: true}"},
}
"""What comes and goes with the kinds: another instance in the same file, and the daemon."""


def merged(*parts: Bodies) -> Bodies:
    whole: Bodies = {}
    for part in parts:
        for kind, named in part.items():
            whole[kind] = {**whole.get(kind, {}), **named}
    return whole


def edition(which: str) -> Bodies:
    """All kinds as in `first` or `later`, with tools and companions."""
    return merged(TOOLS, COMPANIONS, {kind: {k.name: getattr(k, which)} for kind, k in KINDS.items()})


def renamed() -> Bodies:
    """All blocks of the first edition under other names."""
    named = {kind: {"other": k.first.replace("instance: front", "instance: other")} for kind, k in KINDS.items()}
    return merged(TOOLS, COMPANIONS, named)


def addresses(*kinds: str, name: str = "") -> set[str]:
    return {f"{kind}.{name or KINDS[kind].name}{'' if kind == 'vip' else '@' + HOST}" for kind in kinds}


SECOND = f"vrrp_instance.second@{HOST}"
DAEMON = f"service.keepalived@{HOST}"


class Story:
    """The project, its host, and what the host was like with nothing but the tools."""

    def __init__(self, project: Project) -> None:
        self.project = project
        folder = project.folder / "stacks" / "web"
        folder.mkdir(parents=True)
        self.sums = {
            "SHA-ONE": tarball(folder, "one.tar.gz", "one")[1],
            "SHA-TWO": tarball(folder, "two.tar.gz", "two")[1],
        }

    def write(self, bodies: Bodies) -> None:
        lines = []
        for kind, named in bodies.items():
            lines += [f"  {kind}:\n", *(f"    {name}: {body}\n" for name, body in named.items())]
        text = "".join(lines)
        for placeholder, value in self.sums.items():
            text = text.replace(placeholder, value)
        self.project.write(text, head=HEAD)

    def apply(self, bodies: Bodies) -> None:
        self.write(bodies)
        self.project.apply()

    def actions(self, action: str) -> set[str]:
        found = self.project.actions()
        return {address for address, what in found.items() if what == action}

    def manifest(self) -> manifest.Manifest:
        return manifest.take(self.project.lab, HOST)

    def hand(self, column: str) -> None:
        """What the table has in a column, done on the host."""
        script = "".join(f"( {getattr(k, column)} ) || exit 1\n" for k in KINDS.values())
        self.project.ssh(HOST, script)

    def seen(self) -> dict[str, list[str]]:
        """What the host shows of each kind."""
        script = "; echo ---; ".join(k.seen for k in KINDS.values())
        parts = self.project.ssh(HOST, script, check=False).split("---\n")
        return {kind: part.splitlines() for kind, part in zip(KINDS, parts, strict=True)}


FIRST = {
    "file": ["640 root", "one"],
    "package": ["/usr/bin/tree"],
    "service": ["one", "active", "enabled", "no"],
    "source_build": ["one", "greeter.conf"],
    "vrrp_instance": ["vrrp_instance VI_1 {", "    priority 101", "vrrp_instance VI_2 {", "    priority 100", "600"],
    "vip": ["held"],
}
LATER = {
    "file": ["600 games", "two"],
    "package": ["/usr/bin/tree", "/usr/bin/hello"],
    "service": ["two", "active", "disabled", "no"],
    "source_build": ["two", "greeter.conf"],
    "vrrp_instance": ["vrrp_instance VI_1 {", "    priority 102", "vrrp_instance VI_2 {", "    priority 100", "600"],
    "vip": ["held"],
}


@pytest.fixture(scope="module")
def story(make_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> Story:
    lab = make_lab("kinds", twins=(LB1,))
    lab.up()
    story = Story(Project(tmp_path_factory.mktemp("kinds"), lab))
    story.apply(TOOLS)
    return story


@pytest.fixture
def bare(story: Story) -> manifest.Manifest:
    """The tools are there and nothing else; what the host is like then."""
    story.apply(TOOLS)
    return story.manifest()


@pytest.fixture
def first(story: Story) -> manifest.Manifest:
    """The first edition is there; what the host is like then."""
    story.apply(edition("first"))
    return story.manifest()


def test_created_and_then_as_wanted(story: Story, bare: manifest.Manifest) -> None:
    story.write(edition("first"))

    assert story.actions("create") == addresses(*KINDS) | {SECOND}
    story.project.apply()

    assert story.seen() == FIRST
    assert story.project.actions() == {}
    assert story.project.ok("drift")


def test_touched_by_hand_is_drift_and_healed(story: Story, first: manifest.Manifest) -> None:
    story.hand("by_drift")

    found = json.loads(story.project.ok("drift", "--json", code=2))
    assert {d["address"] for d in found["drift"]} == addresses(*KINDS) | {SECOND, DAEMON}
    story.project.apply()

    assert story.seen() == FIRST
    assert manifest.diff(first, story.manifest()) == []
    assert story.project.ok("drift")


def test_updated_and_rolled_back(story: Story, first: manifest.Manifest) -> None:
    story.write(edition("later"))

    assert story.actions("update") == addresses(*(set(KINDS) - {"vip"})) | {SECOND}
    story.project.apply()
    assert story.seen() == LATER
    assert story.project.actions() == {}
    story.project.ok("rollback", "--auto-approve")

    assert story.seen() == FIRST
    assert manifest.diff(first, story.manifest()) == []
    story.write(edition("first"))
    assert story.project.actions() == {}


def test_a_new_name_touches_nothing_and_keeps_the_way_back(story: Story, bare: manifest.Manifest) -> None:
    story.apply(edition("first"))
    before = story.manifest()
    story.write(renamed())

    assert story.actions("adopt") == addresses(*KINDS, name="other")
    assert story.actions("forget") == addresses(*(set(KINDS) - {"vip"}))
    story.project.apply()
    assert manifest.diff(before, story.manifest()) == []
    assert story.project.actions() == {}

    story.apply(TOOLS)
    assert manifest.diff(bare, story.manifest()) == []


def test_a_removed_block_is_gone_and_a_rollback_brings_it_back(story: Story, bare: manifest.Manifest) -> None:
    story.apply(edition("first"))
    before = story.manifest()
    story.write(TOOLS)

    assert story.actions("delete") == addresses(*KINDS) | {SECOND, DAEMON}
    story.project.apply()
    assert manifest.diff(bare, story.manifest()) == []
    story.project.ok("rollback", "--auto-approve")

    assert story.seen() == FIRST
    assert manifest.diff(before, story.manifest()) == []
    story.write(edition("first"))
    assert story.project.actions() == {}


def test_found_as_wanted_is_adopted_and_stays(story: Story, first: manifest.Manifest) -> None:
    # hacore's own files stay behind where nobody could make them by hand
    kept = edition("first")
    kept["source_build"]["greeter"] = kept["source_build"]["greeter"][:-1] + ", lifecycle: {on_delete: keep}}"
    story.apply(kept)
    story.project.ssh(HOST, f"cp {CONFIG} /tmp/keepalived.conf")
    story.apply(TOOLS)
    story.hand("by_equal")
    story.project.ssh(HOST, f"systemctl restart keepalived; {HELD}")
    before = story.manifest()
    story.write(edition("first"))

    assert story.actions("adopt") == addresses(*KINDS) | {SECOND, DAEMON}
    story.project.apply()
    assert manifest.diff(before, story.manifest()) == []
    assert story.project.actions() == {}

    story.apply(TOOLS)
    assert manifest.diff(before, story.manifest()) == []
    assert story.seen() == FIRST


def test_found_different_is_changed_and_destroy_brings_it_back(story: Story) -> None:
    story.project.lab.reset()  # a machine that hacore never saw, and a state that knows of none
    shutil.rmtree(story.project.state.parent)
    story.hand("by_other")
    before = story.manifest()
    story.write(edition("later"))

    # what is there is a keepalived.conf of somebody else: it changes, also where it has no such instance yet
    assert story.actions("update") == addresses(*(set(KINDS) - {"vip"})) | {SECOND}
    story.project.apply()
    assert story.seen() == LATER
    assert story.project.actions() == {}
    story.project.ok("destroy", "--auto-approve")

    assert manifest.diff(before, story.manifest()) == []
    assert json.loads(story.project.ok("state", "list", "--json"))["addresses"] == []
