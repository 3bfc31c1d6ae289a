"""What hacore leaves on a host: locks, jobs, a way back that nobody confirmed, builds, before-images. See `write`."""

# ruff: noqa: ASYNC110, ASYNC221, ASYNC240 - a script
from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any
from unittest import mock

from hacore.address import Address
from hacore.contract import Change, Output, Step, Work
from hacore.lab.image import Recipe
from hacore.lab.layers import Layer
from hacore.lab.model import Bystander, LabSpec, Twin
from hacore.model import Action, Connection, Host, Image, Op, Status, loaded_mark, pending_mark
from hacore.probe import Frame, SessionLink, jobs, revert
from hacore.probe.script import PRELUDE
from hacore.store.images import encode
from hacore.store.keys import Keyring
from hacore.transport import Transport
from hacore.walk import Holder, acquire
from hacore_providers.file.provider import PROVIDER as FILE
from hacore_providers.package import manager as package_tasks
from hacore_providers.service import systemd as service_systemd
from hacore_providers.service import sysv as service_sysv
from hacore_providers.vrrp_instance import steps as vrrp_steps
from tests.providers.source_build.conftest import Folder, tarball
from tests.providers.source_build.test_local import MAKEFILE, PROVIDER, Here, SourceBuildSpec

HOST = Host(name="here", address="127.0.0.1", connection=Connection(transport="local"))
LINEAGE = "12345678-1234-1234-1234-123456789abc"
INFO = {
    "who": "tester@test",
    "what": "apply",
    "pid": 4242,
    "since": 1700000000.0,
    "stack": "web",
    "lineage": LINEAGE,
    "pid_started": "1234567",
    "pid_space": "pid:[4026531836]",
    "boot_id": "11111111-2222-3333-4444-555555555555",
    "machine_id": "0123456789abcdef0123456789abcdef",
    "hostname": "control",
}


def pack(folder: Path, out: Path) -> None:
    """A folder as a tar file that tells nothing of this machine."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = 1700000000
        return member

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add(folder, folder.name, filter=plain)
    out.write_bytes(gzip.compress(data.getvalue(), mtime=0))


def image_json(image: Image) -> dict[str, Any]:
    """An image as JSON."""
    blobs = {name: base64.b64encode(content).decode() for name, content in image.blobs.items()}
    return {"data": image.data, "blobs": blobs, "sensitive": image.sensitive}


async def write(out: Path, root: Path) -> None:
    """All of it, into a folder; `root` is where it is made."""
    root.mkdir(exist_ok=True)
    root.chmod(0o755)
    host = root / "host"
    text = f"HACORE_HOME={host}/home HACORE_RUN={host}/run\n"
    with (
        mock.patch("hacore.probe.script.PRELUDE", PRELUDE + text),
        mock.patch("hacore.walk.hostlock.PRELUDE", PRELUDE + text),
        mock.patch("hacore.probe.revert.PRELUDE", PRELUDE + text),
    ):
        await _locks_and_jobs(out, host)
    _build(out, root)
    _images(out, root)
    _lab(out)
    _words(out)


async def _locks_and_jobs(out: Path, host: Path) -> None:
    run = host / "run"
    transport = Transport()
    link = SessionLink(await transport.session(HOST))
    await acquire(link, Holder("0123456789abcdef0123456789abcdef", INFO))
    shutil.copyfile(run / "lock", out / "host.lock")
    token = "0123456789abcdef0123456789abcdef"

    # ended, and never asked after; begun, and killed with all it had started; laid, and never begun
    prelude = PRELUDE + f"HACORE_HOME={host}/home HACORE_RUN={run}\n"
    ended = jobs.Job(
        jobs.key_of(f"{LINEAGE} 7", "echo ended"), "echo ended; echo aloud >&2", "building x", scratch=True
    )
    assert (await link.shell(jobs.start_script(ended, prelude, token))).rc == 0
    failed = jobs.Job(jobs.key_of(f"{LINEAGE} 7", "exit 1"), "echo half; exit 1", "building y")
    await link.shell(jobs.start_script(failed, prelude, token))
    killed = jobs.Job(jobs.key_of(f"{LINEAGE} 7", "kill"), "echo some; kill -9 $$", "installing z")
    await link.shell(jobs.start_script(killed, prelude, token))
    waits = 'echo begun; read -r word <"$1/go"; echo "went on: $word"'
    laid = jobs.Job(jobs.key_of(f"{LINEAGE} 7", "wait"), waits, "waiting for a word")
    with mock.patch("hacore.probe.jobs._END", ""):
        await link.shell(jobs.start_script(laid, prelude, token))
    keys = {"ended": ended.key, "failed": failed.key, "killed": killed.key, "laid": laid.key}
    for script in run.glob("jobs/*/script"):
        assert script.parent.name == laid.key
    (out / "jobs.json").write_text(json.dumps({"token": token, "lineage": LINEAGE, "keys": keys}, indent=1) + "\n")
    pack(run / "jobs", out / "jobs.tar.gz")
    (out / "job-runner.sh").write_text(jobs._RUN)
    shutil.rmtree(run / "jobs")

    # the ways back of two tasks, and what comes after them
    thing = host / "thing"
    steps = {
        "0001.undo": Step(f'cat "$HACORE_WORK/was" >{thing}; echo one >>{thing}', {"was": b"as it was\n"}),
        "0002.undo": Step(f"echo two >{thing}"),
        "0001.settle": Step(f"echo settled >>{thing}"),
        "0001.serve": Step(f"echo serves >>{thing}"),
    }
    armed = [
        revert.arm((step,), name, lineage=LINEAGE, what="run 7 of web", within=600) for name, step in steps.items()
    ]
    result = await link.steps([Frame("t", tuple(armed))], token)
    assert all(o.rc == 0 for o in result.results["t"].outputs), result
    pack(run / "confirm", out / "confirm.tar.gz")
    (out / "confirm-watch.sh").write_text(revert._WATCH)
    (run / "confirm" / "until").unlink()  # its process ends
    await _ended(run / "confirm" / "watch")
    shutil.rmtree(run)
    await transport.close()


async def _ended(lock: Path) -> None:
    async with asyncio.timeout(60):
        while subprocess.run(["flock", "-n", str(lock), "true"]).returncode:
            await asyncio.sleep(0.1)


def _build(out: Path, root: Path) -> None:
    here = Here(root / "here")
    target = root / "here" / "target"
    name, sha256 = tarball(root, "greeter.tar.gz", "", Makefile=MAKEFILE, notes_txt="one")
    body = {
        "source": name,
        "sha256": sha256,
        "environment": {"PREFIX": str(target)},
        "binary": str(target / "bin/greeter"),
        "directories": [{"path": str(target / "spool"), "mode": "0700"}],
    }
    shutil.copyfile(root / name, out / name)
    spec = PROVIDER.resolve(SourceBuildSpec.model_validate(body), Folder(root))
    image = here.go(spec, Action.CREATE)
    (observed,) = [here.sh(a.fact.command([a])) for a in PROVIDER.facts(spec)][:1]
    pack(here.home, out / "build-home.tar.gz")
    pack(target, out / "build-target.tar.gz")
    about = {"spec": body, "image": image_json(image), "answer": observed.decode()}
    (out / "build.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


def _b64(text: str, *, packed: bool = False) -> str:
    data = text.encode()
    return base64.b64encode(gzip.compress(data, mtime=0) if packed else data).decode()


def _images(out: Path, root: Path) -> None:
    """Of each kind, by what its capture printed."""
    folder = root / "files"
    folder.mkdir()
    (folder / "config").write_text("as it was\n")
    (folder / "config").chmod(0o640)
    (folder / "link").symlink_to("config")
    (folder / "dir").mkdir(mode=0o750)
    names = ("config", "link", "dir", "absent")
    found: dict[str, Any] = {}
    for name in names:
        address = Address("file", name, host="a")
        spec = FILE.spec.model_validate({"path": f"/srv/web/files/{name}", "content": "new\n"})
        step = FILE.capture(Work((Change(address, Action.UPDATE, spec),)))
        assert step is not None
        assert step.parse is not None
        environment = {**os.environ, "HACORE_WORK": str(root)}
        done = subprocess.run(["sh", "-c", "set -eu\n" + step.script], capture_output=True, check=True, env=environment)
        (image,) = step.parse(Output(0, done.stdout)).values()
        found[f"file.{name}"] = image_json(image)
    unit, shell = _b64("[Service]\nExecStart=/bin/web\n"), _b64("#!/bin/sh\n")
    order, conf = _b64("TARGETS = web\n"), _b64("vrrp_instance OLD {\n}\n")
    packages, auto = _b64("hello\t2.10-3\tii\n", packed=True), _b64("libhello\n", packed=True)
    paths = _b64("/etc\n/etc/hello.conf\n", packed=True)
    systemd = (
        "load loaded\nactive active\nstate enabled\nnames web.service www.service\n"
        "link /etc/systemd/system/multi-user.target.wants/web.service\t/etc/systemd/system/web.service\n"
        f"mode 644 0:0\nbytes {unit}\n"
    )
    found["service.systemd"] = image_json(service_systemd.read_image(Output(0, systemd.encode()), sensitive=False))
    sysv = f"status 0\nlink /etc/rc2.d/S01web\t../init.d/web\nmode 755 0:0\nbytes {shell}\norder .depend.boot {order}\n"
    found["service.sysv"] = image_json(service_sysv.read_image(Output(0, sysv.encode()), sensitive=False))
    config = f"missing /etc/keepalived\nfile 600 0 0\n{conf}\n"
    found["vrrp_instance.file"] = image_json(
        vrrp_steps.read_image("/etc/keepalived/keepalived.conf", Output(0, config.encode()))
    )
    absent = "missing /etc/keepalived\nabsent\n"
    found["vrrp_instance.absent"] = image_json(
        vrrp_steps.read_image("/etc/keepalived/keepalived.conf", Output(0, absent.encode()))
    )
    for manager in ("apt", "dnf"):
        before = f"packages {packages}\nauto {auto}\npaths {paths}\n"
        (image,) = package_tasks.read_images(
            Output(0, before.encode()), [Address("package", "p", host="a")], manager
        ).values()
        found[f"package.{manager}"] = image_json(image)
    (out / "images.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def _lab(out: Path) -> None:
    spec = LabSpec(
        "web",
        (Twin("lb1", "192.168.1.166", "eth1"), Twin("lb2", "192.168.1.173", "eth2", "redhat")),
        (Bystander("tomcat", "192.168.1.9", 8080, 503, "hello"),),
        ("192.168.1.200",),
    )
    (out / "lab.json").write_text(spec.dumps())
    recipe = Recipe(
        "debian",
        "bookworm",
        ("deb http://deb.example/debian bookworm main",),
        'Acquire::Retries "3";\n',
        (("ours.crt", "-----BEGIN\n"),),
        ("dbus", "procps"),
        ("nginx",),
        ("getty.target",),
    )
    layer = Layer(("dnf", "man-db-"), ("systemd",), "true")
    (out / "lab-images.json").write_text(
        json.dumps({"debian": recipe.key, "layer": layer.key("redhat", "bookworm", recipe.key)}, indent=1) + "\n"
    )


def _words(out: Path) -> None:
    """What stands for a member of an enumeration, the marks of what was taken in, and packed content."""
    stored = encode(Image({"n": 1}, {"text": b"again and " * 100}), Keyring(None))
    (blob,) = stored.blobs.values()
    body = base64.b64encode(blob.body).decode()
    about = {
        "actions": [action.word for action in Action],
        "symbols": [action.value for action in Action],
        "ops": [op.value for op in Op],
        "statuses": [status.value for status in Status],
        "taken": [
            loaded_mark({"text": "a", "mode": "b"}),
            loaded_mark({"text": "a", "mode": "b"}, ["mode"]),
            loaded_mark(None),
        ],
        "waiting": [pending_mark("abc"), pending_mark("?abc"), pending_mark(None)],
        "image": {"data": stored.data, "blob": {"id": blob.id, "size": blob.size, "coding": blob.coding, "body": body}},
    }
    (out / "words.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
