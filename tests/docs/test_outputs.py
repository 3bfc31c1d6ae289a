"""Output that pages show is what hacore prints. A block after `<!-- output: NAME -->` is compared with the real text;
HACORE_UPDATE_GOLDEN=1 updates it instead."""

from __future__ import annotations

import functools
import io
import os
import re
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import hacore.engine
from hacore.cli.app import run as cli
from hacore.contract import Facts, Health, HostFacts
from hacore.model import Action, Host, Op
from hacore.plan import HostStatus
from hacore.render.plan import PlanText, plan_text
from hacore.render.state import run_text_of
from hacore.store import RunRecord, TaskRecord
from hacore.testing import ThisMachine
from hacore.transport import Transport
from hacore.transport.trust import Accept, HostKey, PresentedKeys, Trusted
from tests.render.plans import DEBIAN, change, on_both, other, plan, task

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAIR = ROOT / "stacks" / "nginx-keepalived"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page: where its text begins and ends there, its indentation, and the text without it."""

    start: int
    end: int
    indent: str
    text: str


def block(page: Path, name: str) -> Block:
    pattern = rf"(?ms)^( *)<!-- output: {name} -->\n\1```text\n(.*?)^\1```$"
    (found,) = re.finditer(pattern, page.read_text())
    return Block(found.start(2), found.end(2), found[1], textwrap.dedent(found[2]))


def compare(page: Path, name: str, text: str) -> None:
    shown = block(page, name)
    text = text.strip("\n") + "\n"
    if os.environ.get("HACORE_UPDATE_GOLDEN") == "1":
        whole = page.read_text()
        page.write_text(whole[: shown.start] + textwrap.indent(text, shown.indent) + whole[shown.end :])
        return
    assert shown.text == text, f"{page.name}: HACORE_UPDATE_GOLDEN=1 updates the block {name}"


# -- the pair ---------------------------------------------------------------------------------------


def test_the_plan_of_the_readme() -> None:
    new = (PAIR / "nginx.service").read_text()
    old = new.replace("After=network.target", "After=network-online.target\nWants=network-online.target")
    old = old.replace(" -g 'pid /dev/null;'", "")
    definition = change(
        "service.nginx@lb1",
        Action.UPDATE,
        {"definition": "sha256:1"},
        {"definition": "sha256:2"},
        texts=(old, new),
        text_of="definition",
        effect="write nginx.service, restart nginx",
        disrupts="restart",
    )
    changes = on_both(definition)
    tasks = []
    for changed in changes:
        lb, at = str(changed.address.host), f"vrrp_instance.VI_1@{changed.address.host}"
        tasks += [
            task(f"c{lb}", changed),
            other(f"d{lb}", Op.DRAIN, at, lb, f"c{lb}", group="VI_1"),
            other(
                f"r{lb}",
                Op.TRIGGER,
                f"service.nginx@{lb}",
                lb,
                f"d{lb}",
                trigger="restart",
                group="VI_1",
                disrupts="restart",
            ),
            other(f"v{lb}", Op.VERIFY, f"service.nginx@{lb}", lb, f"r{lb}", group="VI_1"),
            other(f"u{lb}", Op.UNDRAIN, at, lb, f"v{lb}", group="VI_1"),
        ]
    hosts = {
        name: HostStatus(Host(name=name, address=address), Facts(HostFacts(os=DEBIAN, family="debian")))
        for name, address in (("lb1", "192.168.1.166"), ("lb2", "192.168.1.173"))
    }
    health = {"vip.front": Health("192.168.1.200", ("lb1",), ())}

    text = plan_text(plan(changes, tasks, hosts=hosts, health=health), PlanText("sqlite:///state/web.db"))

    compare(README, "plan", text[text.index("lb1  192") :])


FAILED = """\
cannot create file.nginx.conf@lb2: exit code 1: cannot replace /usr/local/nginx/conf/nginx.conf: \
its check failed with exit code 1:
nginx: [emerg] directive "location" has no opening "{" in /usr/local/nginx/conf/nginx.conf:54
nginx: configuration file /usr/local/nginx/conf/nginx.conf test failed"""


def test_the_failure_of_the_readme() -> None:
    start = datetime(2026, 11, 22, 10, 48, 26, tzinfo=UTC).timestamp()
    record = RunRecord(
        1, "apply", "rolled_back", start, start + 360, "root@vm", "nginx-keepalived", "d1", on_failure="rollback"
    )
    packages = ("package.build-tools", "package.curl", "package.keepalived")
    done: list[tuple[str, Sequence[str], str, float | None, str]] = [
        ("lb1", packages, "undone", 357.0, ""),
        ("lb2", packages, "undone", 350.0, ""),
        ("lb1", ["source_build.nginx"], "undone", 221.0, ""),
        ("lb2", ["source_build.nginx"], "undone", 208.0, ""),
        ("lb1", ["file.nginx.conf"], "hold", None, ""),
        ("lb2", ["file.nginx.conf"], "undone", 1.6, FAILED),
        ("lb1", ["file.check-nginx"], "undone", 213.0, ""),
    ]
    tasks = [
        TaskRecord(
            1,
            f"t{number}",
            "change",
            names[0].split(".")[0],
            host,
            tuple(f"{name}@{host}" for name in names),
            status,
            payload={"changes": [{"action": "create"}]},
            error=error,
            started=None if took is None else start,
            ended=None if took is None else start + took,
            position=number,
        )
        for number, (host, names, status, took, error) in enumerate(done, 1)
    ]

    compare(README, "failure", run_text_of(record, tasks))


# -- the quickstart ---------------------------------------------------------------------------------


def commands() -> list[str]:
    """What the quickstart of the README says to type, in its order."""
    section = README.read_text().split("## Quickstart")[1].split("\n## ")[0]
    section = re.sub(r"(?ms)^ *```.*?^ *```$", "", section)
    return [line.strip() for line in section.splitlines() if line.startswith(" " * 7)]


def test_the_quickstart_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of it, in a copy of the stack and with folders of its own."""
    shutil.copytree(ROOT / "stacks" / "quickstart", tmp_path / "stacks" / "quickstart")
    folder = tmp_path / "made"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HACORE_VAR_folder", str(folder))
    monkeypatch.delenv("HACORE_STATE", raising=False)
    connect = ThisMachine(tmp_path / "on").connect
    monkeypatch.setattr(hacore.engine, "Means", functools.partial(hacore.engine.Means, connect=connect))
    outputs: dict[str, str] = {}
    made: list[bytes] = []
    for line in commands():
        words = line.replace("/tmp/hacore-quickstart", str(folder))
        program, *argv = shlex.split(words)
        if program != "hacore":
            subprocess.run(words, shell=True, check=True, timeout=60)
            continue
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = cli([*argv, "--auto-approve"] if argv[0] in ("apply", "rollback", "destroy") else argv)
        assert code == (2 if argv[0] == "drift" else 0), f"{line}: {out.getvalue()}{err.getvalue()}"
        outputs[line] = out.getvalue()
        if argv[0] in ("apply", "drift"):
            made.append((folder / "greeting.txt").read_bytes())

    assert len(outputs) >= 7
    assert not folder.exists()
    drift = outputs["hacore drift stacks/quickstart"]
    assert made[0] != made[1]
    drift = drift.replace(str(folder), "/tmp/hacore-quickstart")
    drift = re.sub(r"(last change of the file ).*", r"\g<1>2026-11-26 21:04:05 UTC", drift)
    compare(README, "drift", drift)


# -- first contact ----------------------------------------------------------------------------------

KEYS = (
    HostKey("ssh-ed25519", "SHA256:ZVQmDXPa4PmcbsVY6a1/WHGdTfAbLwHNTCkjxUoNwUs", ""),
    HostKey("ecdsa-sha2-nistp256", "SHA256:0dVJZ2DgGQnDCBLxsFO6nRCzyWbYQBvBtoCZGxzv7X4", ""),
)


def test_first_contact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def trust(self: Transport, host: Host, accept: Accept) -> Trusted:
        meeting = PresentedKeys("lb1@192.168.1.166:22", KEYS, Path("/root/.ssh/known_hosts"))
        return Trusted((meeting,)) if await accept(meeting) else Trusted(())

    (tmp_path / "stack.yaml").write_text("stack: web\nhosts: {lb1: {address: 192.168.1.166}}\n")
    (tmp_path / "answer").write_text("yes\n")
    monkeypatch.setattr(Transport, "trust", trust)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "answer").open() as answer:
        monkeypatch.setattr("sys.stdin", answer)
        code = cli(["trust", "lb1"])
    printed = capsys.readouterr()

    assert code == 0
    asked = "\n".join(line.rstrip() for line in printed.err.splitlines()).rstrip()
    compare(ROOT / "docs" / "ssh.md", "trust", f"$ hacore trust lb1\n{asked} yes\n\n{printed.out}")
