"""hacore is killed with SIGKILL in the middle of making the reference pair: gone on with, or taken back.

The moments are drawn; what fails names the seed, and `HACORE_SEED` sets it. Eight of them lie in a run over hosts where
nginx is built already (their disks are saved after the build and put back each time), two lie inside the build.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hacore.lab import Lab, manifest
from hacore.store import StateReader
from scripts import debian_source
from tests.hosts.project import Project, eventually, killed

pytestmark = pytest.mark.twins

ROOT = Path(__file__).resolve().parents[2]
STACK = "nginx-keepalived"
SEED = int(os.environ.get("HACORE_SEED") or random.SystemRandom().randint(1, 10**6))
HOSTS = ("lb1", "lb2")
URL = "http://192.168.1.200/"
TOOLS = ("package",)
BUILT = ("package", "source_build")


def parts(text: str, kinds: tuple[str, ...]) -> str:
    """The stack with the resources of these kinds only, and without what refers to the others."""
    head, _, resources = text.partition("\nresources:\n")
    resources = resources.partition("\noutputs:\n")[0]
    blocks = re.split(r"(?m)^(?=  \w+:$)", resources)
    return f"{head}\nresources:\n" + "".join(b for b in blocks if b.split(":")[0].strip() in kinds)


@dataclass
class Pair:
    """The reference stack in a folder of its own, whole or in part, and what its run is killed with."""

    project: Project
    duration: float = 10  # seconds from the run's beginning to its end
    hosts: dict[str, dict[str, manifest.Manifest]] = field(default_factory=dict)  # as saved, and when all is made

    @property
    def lab(self) -> Lab:
        return self.project.lab

    def write(self, *kinds: str) -> None:
        text = (ROOT / "stacks" / STACK / "stack.yaml").read_text()
        flag = "        - --with-http_gzip_static_module\n"
        assert flag in text
        text = text.replace(flag, f"{flag}        - --with-cc-opt=-O0\n")  # half the time of the compiler
        plain = "configure: [--prefix=/usr/local, "
        assert plain in text
        text = text.replace(plain, f"{plain}CFLAGS=-O0, ")
        (self.project.folder / "stacks" / STACK / "stack.yaml").write_text(parts(text, kinds) if kinds else text)

    def save(self, label: str) -> None:
        shutil.copy(self.project.state, self.project.folder / label)
        self.lab.save(label)
        self.hosts[label] = self.manifests()

    def restore(self, label: str) -> None:
        shutil.copy(self.project.folder / label, self.project.state)
        self.lab.restore(label)

    def manifests(self) -> dict[str, manifest.Manifest]:
        return {name: manifest.take(self.lab, name) for name in HOSTS}

    def differences(self, label: str) -> list[str]:
        now = self.manifests()
        lines = [f"{name}: {line}" for name, old in self.hosts[label].items() for line in manifest.diff(old, now[name])]
        return [line for line in lines if not line.split(" path ")[-1].startswith(left_by_nginx())]

    def unfinished(self) -> bool:
        reader = StateReader.open(f"sqlite:///{self.project.state}")
        assert reader is not None
        with reader:
            return reader.unfinished() is not None

    def building(self) -> bool:
        return all(self.lab.ssh(name, "pidof cc1 >/dev/null").returncode == 0 for name in HOSTS)

    def served(self) -> bool:
        return self.project.get(URL)[:2] == (200, "hello from tomcat")

    def kill_after(self, seconds: float, wait: Callable[[], None] = lambda: None) -> bool:
        """An apply that is killed so long after its run began, and after `wait`; False if it was through by then."""
        running = self.project.start("apply", "--auto-approve", STACK)
        try:
            eventually(lambda: self.unfinished() or running.poll() is not None, "a run begins")
            wait()
            time.sleep(seconds)
        finally:
            killed(running)
        return self.unfinished()


@pytest.fixture(scope="module")
def scene(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Hosts with build tools only are saved as `tools`, with nginx built as `built`; then all of it is made once."""
    project = Project(tmp_path_factory.mktemp("killed"), pair, name=STACK)
    shutil.copytree(ROOT / "stacks" / STACK, project.folder / "stacks" / STACK)
    if not (debian_source.cache_folder() / nginx_sha256()).is_file():
        debian_source.fetch("nginx")
    made = Pair(project)
    for kinds, label in ((TOOLS, "tools"), (BUILT, "built")):
        made.write(*kinds)
        project.ok("apply", "--auto-approve", STACK)
        made.save(label)
    made.write()
    began = time.monotonic()
    project.ok("apply", "--auto-approve", STACK)
    made.duration = 0.8 * (time.monotonic() - began)  # less what comes before the run begins, and after it
    eventually(made.served, "the pair serves")
    made.hosts["whole"] = made.manifests()
    yield made


def left_by_nginx() -> tuple[str, ...]:
    """What nginx makes when it runs. It goes with the build; here the build stays, so the first start leaves it."""
    text = (ROOT / "stacks" / STACK / "stack.yaml").read_text()
    return tuple(re.findall(r"(?m)^        - (/var/temp/nginx/\w+)$", text))


def nginx_sha256() -> str:
    text = (ROOT / "stacks" / STACK / "stack.yaml").read_text()
    return re.findall(r"nginx_sha256: .*default: (\w+)", text)[0]


@pytest.mark.parametrize("number", range(8))
def test_at_any_moment(number: int, scene: Pair) -> None:
    dice = random.Random(f"{SEED} {number}")
    way = ("resume", "rollback")[number % 2]
    moment = dice.uniform(0, scene.duration)
    scene.restore("built")
    while not scene.kill_after(moment):  # it was through: earlier, then
        moment *= 0.5
        scene.restore("built")
    come_through(scene, way, "built", f"HACORE_SEED={SEED}: killed {moment:.2f} s after the run began, then {way}")


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_inside_a_build(scene: Pair, way: str) -> None:
    scene.restore("tools")
    assert scene.kill_after(0, lambda: eventually(scene.building, "both hosts compile", 180))
    come_through(scene, way, "tools", f"killed while both compile, then {way}")


def test_keepalived_from_its_source(scene: Pair) -> None:
    """Built, started by the stack's own unit, and failed over."""
    project = scene.project
    scene.restore("built")
    debian_source.fetch("keepalived")
    source = ("--var", "keepalived_from=source")
    project.ok("apply", "--auto-approve", *source, STACK)
    eventually(scene.served, "the pair serves")
    for host in HOSTS:
        assert project.ssh(host, "readlink /proc/$(cat /run/keepalived.pid)/exe") == "/usr/local/sbin/keepalived\n"
        assert "absent" in project.ssh(host, "dpkg-query -W -f '${Status}' keepalived 2>&1 || echo absent")
    assert holders(project) == ["lb1"]
    project.ssh("lb1", "systemctl stop keepalived")
    eventually(lambda: holders(project) == ["lb2"] and scene.served(), "lb2 serves")
    project.ssh("lb1", "systemctl start keepalived")
    eventually(lambda: holders(project) == ["lb1"] and scene.served(), "lb1 serves again")
    assert project.ok("plan", "--detailed-exitcode", *source, STACK)
    assert json.loads(project.run("status", "--json", STACK).stdout)["verdict"] == "healthy"


def holders(project: Project) -> list[str]:
    return [host for host in HOSTS if " 192.168.1.200/" in project.ssh(host, "ip -o addr show")]


def come_through(pair: Pair, way: str, label: str, story: str) -> None:
    """On with it, and all is as it is without a kill; or back, and all is as it was before the run."""
    project = pair.project
    if way == "resume":
        done = project.run("apply", "--auto-approve", "--resume", STACK)
        assert done.returncode == 0, f"{story}\n{done.stdout}\n{done.stderr}"
        eventually(pair.served, f"{story}: it serves")
        assert pair.differences("whole") == [], story
        assert project.ok("plan", "--detailed-exitcode", STACK)
        return
    done = project.run("rollback", "--auto-approve", STACK)
    assert done.returncode == 0, f"{story}\n{done.stdout}\n{done.stderr}"
    assert pair.differences(label) == [], story
    assert project.get(URL)[0] == 0, story
