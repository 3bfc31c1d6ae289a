"""Builds and before-images of earlier versions, and what a lab keeps."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.frozen.thawing import DATA, unpack
from tests.frozen.today import (
    ADDRESS,
    BUILD,
    FILE,
    PACKAGE,
    SERVICE,
    VRRP,
    Action,
    Address,
    Builds,
    Bystander,
    Change,
    Facts,
    Files,
    Folder,
    HostFacts,
    Image,
    LabSpec,
    Layer,
    Process,
    Recipe,
    Twin,
    View,
    Work,
    tree,
)

IMAGES = json.loads((DATA / "images.json").read_text())
BUILT = json.loads((DATA / "build.json").read_text())
OLD = "/srv/web/here"


def image(data: Any) -> Image:
    blobs = {name: base64.b64decode(text) for name, text in data["blobs"].items()}
    return Image(data["data"], blobs, data["sensitive"])


# -- source_build


def test_a_build_of_an_earlier_version_is_as_wanted() -> None:
    """Its stamp is that of the same source and fields: an update of hacore builds nothing again."""
    spec = BUILD.resolve(BUILD.spec.model_validate(BUILT["spec"]), Folder(DATA))  # type: ignore[arg-type]
    assert spec.name == "greeter~c1c37af1"  # type: ignore[attr-defined]
    (ask,) = [a for a in BUILD.facts(spec) if a.fact.name == "build"]
    answer = ask.fact.parse(BUILT["answer"].encode())
    assert ask.arg in answer
    view = View(Address("source_build", "greeter", host="here"), spec, None, Facts(answers={ask.id: answer[ask.arg]}))
    observed, desired = BUILD.observe(view), BUILD.desire(view)
    assert observed is not None
    assert observed.attrs == desired.attrs


def test_a_build_of_an_earlier_version_goes_by_its_manifest(open_folder: Path) -> None:
    root = open_folder / "here"
    here = Builds(root)
    unpack("build-home.tar.gz", root, root=OLD, now=root)
    unpack("build-target.tar.gz", root)
    if here.user is not None:
        for path in (root, *root.rglob("*")):
            os.chown(path, here.user, here.user)
    (root / "target" / "bin" / "theirs").write_text("not of the build")
    text = json.dumps(BUILT["spec"]).replace(OLD, str(root))
    spec = BUILD.resolve(BUILD.spec.model_validate_json(text), Folder(DATA))  # type: ignore[arg-type]
    old = BUILD.resolve(BUILD.spec.model_validate(BUILT["spec"]), Folder(DATA))  # type: ignore[arg-type]
    for path in sorted(here.home.rglob("*")):  # a build's name is also that of its place
        if path.name.startswith(old.name):  # type: ignore[attr-defined]
            path.rename(path.with_name(path.name.replace(old.name, spec.name)))  # type: ignore[attr-defined]
    was = image(BUILT["image"])
    origin = Image(was.data, {n: c.replace(OLD.encode(), str(root).encode()) for n, c in was.blobs.items()})
    address = Address("source_build", "greeter", host="here")
    here.run(BUILD.delete(Work((Change(address, Action.DELETE, spec),), images={address: origin})))
    assert sorted(tree(root / "target")) == ["bin", "bin/theirs"]
    assert tree(here.home) == {}


# -- before-images


@pytest.mark.parametrize("name", ["config", "link", "dir", "absent"])
def test_what_was_at_a_path_comes_back(tmp_path: Path, name: str) -> None:
    if os.getuid():
        pytest.skip("the image is of root's files")
    (tmp_path / "root").mkdir()
    (tmp_path / "work").mkdir()
    path = tmp_path / "root" / name
    spec = FILE.spec.model_validate({"path": str(path), "content": "new\n"})
    path.write_text("new\n")
    Files(tmp_path / "root", tmp_path / "work").undo(spec, {ADDRESS: image(IMAGES[f"file.{name}"])})  # type: ignore[arg-type]
    if name == "absent":
        assert not path.exists()
        return
    status = path.lstat()
    assert (status.st_uid, status.st_gid) == (0, 0)
    if name == "config":
        assert (path.read_text(), status.st_mode & 0o7777) == ("as it was\n", 0o640)
    elif name == "dir":
        assert (path.is_dir(), status.st_mode & 0o7777) == (True, 0o750)
    else:
        assert path.is_symlink()
        assert path.readlink() == Path("config")


def undo(provider: Any, spec: dict[str, Any], of: str, **host: str) -> str:
    """The scripts and blobs that bring an image back, as one text."""
    address = Address(provider.kind, "it", host="a")
    change = Change(address, Action.UPDATE, provider.spec.model_validate(spec))
    work = Work((change,), images={address: image(IMAGES[of])}, facts=Facts(HostFacts(**host)))  # type: ignore[arg-type]
    steps = provider.undo(work)
    assert steps
    blobs = {name: blob for step in steps for name, blob in step.blobs.items()}
    return "\n".join([*(step.script for step in steps), *(f"{n}={b!r}" for n, b in sorted(blobs.items()))])


SERVICE_SPEC = {"unit": "web", "running": True, "enabled": True, "definition": "[Service]\nExecStart=/bin/new\n"}


def test_a_unit_comes_back_by_its_image() -> None:
    text = undo(SERVICE, SERVICE_SPEC, "service.systemd", init="systemd")
    for part in (
        "mode='644 0:0'",
        "names='web.service www.service'",
        r"before=b'[Service]\nExecStart=/bin/web\n'",
        r"links=b'/etc/systemd/system/multi-user.target.wants/web.service\t/etc/systemd/system/web.service\n'",
    ):
        assert part in text, part
    assert "systemctl daemon-reload" in text
    assert 'systemctl start -- "$unit"' in text, "it ran"


def test_an_init_script_comes_back_by_its_image() -> None:
    text = undo(SERVICE, SERVICE_SPEC, "service.sysv", init="systemd")  # the image tells which init it was
    for part in (
        "mode='755 0:0'",
        r"before=b'#!/bin/sh\n'",
        r"links=b'/etc/rc2.d/S01web\t../init.d/web\n'",
        r"depend.boot=b'TARGETS = web\n'",
    ):
        assert part in text, part
    assert "\nstart\n" in text, "it ran"


VRRP_SPEC = {
    "interface": "eth1",
    "priority": 100,
    "virtual_router_id": 66,
    "addresses": ["192.0.2.9"],
}


@pytest.mark.parametrize("name", ["file", "absent"])
def test_keepalived_conf_comes_back_by_its_image(name: str) -> None:
    text = undo(VRRP, VRRP_SPEC, f"vrrp_instance.{name}")
    assert "/etc/keepalived/keepalived.conf" in text
    if name == "file":
        assert r"content=b'vrrp_instance OLD {\n}\n'" in text
        assert "600" in text
    else:
        assert "vrrp_instance OLD" not in text
        assert "/etc/keepalived" in text


@pytest.mark.parametrize(("manager", "family"), [("apt", "debian"), ("dnf", "redhat")])
def test_packages_come_back_by_their_image(manager: str, family: str) -> None:
    packager = {"apt": "dpkg", "dnf": "rpm"}[manager]
    text = undo(PACKAGE, {"names": ["tree"]}, f"package.{manager}", family=family, packager=packager)
    assert r"packages=b'hello\t2.10-3\tii\n'" in text
    assert r"auto=b'libhello\n'" in text
    assert r"paths=b'/etc\n/etc/hello.conf\n'" in text
    assert "tree" in text


# -- labs


def test_a_lab_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    text = (DATA / "lab.json").read_text()
    spec = LabSpec.loads(text)
    assert spec == LabSpec(
        "web",
        (Twin("lb1", "192.168.1.166", "eth1"), Twin("lb2", "192.168.1.173", "eth2", "redhat")),
        (Bystander("tomcat", "192.168.1.9", 8080, 503, "hello"),),
        ("192.168.1.200",),
    )
    assert spec.dumps() == text
    (tmp_path / "process").write_text("4242 1234567\n")  # as the shell of `spawn` wrote it
    assert Process.read(tmp_path / "process") == Process(4242, 1234567)


def test_images_of_an_earlier_version_are_used_again() -> None:
    """Their folders are named after all that they are made of."""
    known = json.loads((DATA / "lab-images.json").read_text())
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
    assert recipe.key == known["debian"]
    assert Layer(("dnf", "man-db-"), ("systemd",), "true").key("redhat", "bookworm", recipe.key) == known["layer"]
