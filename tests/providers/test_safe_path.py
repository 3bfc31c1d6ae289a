"""Nothing is written, made or removed by name where somebody else could lead the name elsewhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import SAFE_PATH, Action, Address, Ask, Facts, HostFacts, Image, View
from hacore.probe.script import frames, probe_script, read_probe
from hacore_providers.facts.paths import PATHS
from hacore_providers.facts.stat import STAT, UNSAFE, Stat, given_away, unsafe_folder
from hacore_providers.file import backup
from hacore_providers.file import steps as file_steps
from hacore_providers.file.provider import PROVIDER as FILE_KIND
from hacore_providers.file.spec import FileSpec
from hacore_providers.package.shell import COMMON, RECORDS
from hacore_providers.service import systemd as service_systemd
from hacore_providers.service import sysv as service_sysv
from hacore_providers.service.provider import PROVIDER as SERVICE_KIND
from hacore_providers.shell import PUT_FILE
from hacore_providers.source_build import install as source_build_install
from hacore_providers.source_build.provider import PROVIDER as BUILD_KIND
from hacore_providers.source_build.spec import SourceBuildSpec
from hacore_providers.vrrp_instance import steps as vrrp_steps
from hacore_providers.vrrp_instance.provider import PROVIDER as VRRP_KIND
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec

OTHER = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder somebody else's")


def sh(script: str, *prefix: str, shell: str = "sh", cwd: str = "/", **env: str) -> tuple[int, str]:
    """Exit code and what was said on stderr."""
    done = subprocess.run(
        [*prefix, shell, "-s"],
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **env},
    )
    return done.returncode, done.stderr.strip()


def folder(path: Path, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Path:
    path.mkdir(parents=True)
    path.chmod(mode)
    os.chown(path, uid, gid)
    return path


def link(path: Path, target: str, uid: int = 0) -> None:
    path.symlink_to(target)
    os.chown(path, uid, uid, follow_symlinks=False)


@pytest.fixture
def top(open_folder: Path) -> Path:
    folder(open_folder / "ours/deep")
    folder(open_folder / "other/deep", uid=OTHER)
    os.chown(open_folder / "other", OTHER, OTHER)
    folder(open_folder / "other/root")
    folder(open_folder / "open", 0o777)
    folder(open_folder / "sticky", 0o1777)
    folder(open_folder / "sticky/ours")
    folder(open_folder / "sticky/other", uid=OTHER)
    folder(open_folder / "group", 0o775, gid=OTHER)
    folder(open_folder / "group0", 0o775)
    link(open_folder / "to-ours", "ours/deep")
    link(open_folder / "to-other", f"{open_folder}/other")
    link(open_folder / "chain", "to-other/../ours")
    link(open_folder / "round", "round")
    link(open_folder / "other/to-ours", f"{open_folder}/ours")
    link(open_folder / "sticky/theirs", f"{open_folder}/ours", uid=OTHER)
    link(open_folder / "sticky/mine", f"{open_folder}/ours")
    for path, uid in (("sticky/file", 0), ("sticky/file-of-other", OTHER), ("ours/file-of-other", OTHER)):
        (open_folder / path).touch()
        os.chown(open_folder / path, uid, uid)
    (open_folder / "sticky/second").hardlink_to(open_folder / "ours/file-of-other")
    os.chown(open_folder / "ours/file-of-other", 0, 0)
    return open_folder


BELONGS = "the folder {}/other belongs to uid 65534, who could redirect the write"
TABLE = [
    ("ours/x", ""),
    ("ours/deep/x", ""),
    ("ours//./deep/x", ""),
    ("ours/new\nline", ""),
    ("ours/missing/x", ""),
    ("ours/file-of-other", ""),  # the folder counts: nobody can exchange what is in it
    ("other", ""),
    ("other/x", BELONGS),
    ("other/deep/x", BELONGS),
    ("other/root/x", BELONGS),  # root's own, but it can be moved away
    ("other/missing/x", BELONGS),
    ("other/to-ours/x", BELONGS),
    ("ours/../other/x", BELONGS),
    ("other/../ours/x", BELONGS),
    ("to-ours/x", ""),
    ("to-other/x", BELONGS),
    ("to-other/root/x", BELONGS),
    ("chain/x", BELONGS),
    ("round/x", "its links form a circle at {}/round"),
    ("open/x", "everybody can write in the folder {}/open"),
    ("group/x", "group 65534 can write in the folder {}/group"),
    ("group0/x", ""),
    ("sticky/x", ""),
    ("sticky/file", ""),
    ("sticky/ours/x", ""),
    ("sticky/other/x", "the folder {}/sticky/other belongs to uid 65534, who could redirect the write"),
    ("sticky/other", "others can write in the folder {}/sticky, and the file belongs to uid 65534"),
    ("sticky/file-of-other", "others can write in the folder {}/sticky, and the file belongs to uid 65534"),
    ("sticky/second", "others can write in the folder {}/sticky, and the file has a second name (a hard link)"),
    ("sticky/theirs", "others can write in the folder {}/sticky, and the file belongs to uid 65534"),
    ("sticky/theirs/x", "the link {}/sticky/theirs belongs to uid 65534, who could redirect the write"),
    ("sticky/mine/x", ""),
]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_which_paths_nobody_else_can_redirect(top: Path, shell: str) -> None:
    found = {}
    for path, _ in TABLE:
        code, said = sh(f"{SAFE_PATH}set -eu\nsafe_path '{top}/{path}'\necho on >&2", shell=shell)
        found[path] = (code, said)
    wanted = {}
    for path, why in TABLE:
        text = f"cannot write {top}/{path}: {why.format(top)}; {UNSAFE}"
        wanted[path] = (1, text) if why else (0, "on")
    assert found == wanted


def test_a_group_that_others_are_in_and_an_acl(top: Path, tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    getent, ls = stubs / "getent", stubs / "ls"
    env = {"PATH": f"{stubs}:/usr/bin:/bin"}

    def refused(path: str, passwd: str = "", group: str = "shared:x:65534:") -> bool:
        getent.write_text(f"#!/bin/sh\n[ \"$1\" = passwd ] && printf '%s\\n' '{passwd}' || echo '{group}'\n")
        getent.chmod(0o755)
        done = subprocess.run(
            ["sh", "-s"], input=f"{SAFE_PATH}safe_path '{top}/{path}'\n", env=env, capture_output=True, text=True
        )
        return done.returncode == 1 and "can write in the folder" in done.stderr

    assert not refused("group/x")  # as staff on Debian: nobody is in it
    assert not refused("group/x", group="shared:x:65534:root")
    assert refused("group/x", group="shared:x:65534:root,nobody")
    assert refused("group/x", passwd="bob:x:1000:65534::/:/bin/sh")
    assert refused("group/x", group="shared:x:65534:who-is-that")
    ls.write_text("#!/bin/sh\necho 'drwxrwxr-x+ 2 root root 40 Jan 1 00:00 x'\n")
    ls.chmod(0o755)
    assert refused("group0/x") and refused("group/x")


def test_a_user_may_write_in_his_own(top: Path) -> None:
    as_other = ("setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups")
    for path, good in (("other/x", True), ("sticky/other/x", True), ("sticky/file-of-other", True), ("ours/x", True)):
        code, said = sh(f"{SAFE_PATH}safe_path '{top}/{path}'", *as_other)
        assert (code == 0) == good, said
    os.chown(top / "ours", 12345, 12345)
    assert "belongs to uid 12345" in sh(f"{SAFE_PATH}safe_path '{top}/ours/x'", *as_other)[1]


@pytest.mark.parametrize(
    "path", ["ours/x", "other/x", "other/root/x", "open/x", "sticky/x", "sticky/other/x", "to-other/x"]
)
def test_a_plan_tells_what_its_probe_shows(top: Path, path: str) -> None:
    script = f"LC_ALL=C; export LC_ALL\n{STAT.command([_ask(f'{top}/{path}')])}"
    done = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True)
    answers = STAT.parse(done.stdout)
    facts = Facts(HostFacts(uid=0), {(STAT.name, arg): value for arg, value in answers.items()})
    why = dict(TABLE).get(path, "").format(top)
    assert unsafe_folder(facts, f"{top}/{path}") == ("" if path == "to-other/x" else why)  # links: at apply


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_probe_finds_what_a_step_would_refuse(top: Path, shell: str) -> None:
    """All of it, links and groups included, so that it is the plan that is refused."""
    asks = [Ask(PATHS, f"{top}/{path}") for path, _ in TABLE if "//" not in path]
    script = f"LC_ALL=C; export LC_ALL\n{PATHS.command(asks)}"
    done = subprocess.run([shell, "-s"], input=script.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    answers = PATHS.parse(done.stdout)
    assert answers == {f"{top}/{path}": why.format(top) for path, why in TABLE if "//" not in path}


def test_a_probe_of_another_user_counts_his_own_folders_as_his(top: Path) -> None:
    """In a whole probe, of which the other parts have shell variables of their own."""
    asks = [Ask(PATHS, f"{top}/{path}") for path in ("other/x", "sticky/other/x", "ours/x")]
    done = subprocess.run(
        ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "sh", "-s"],
        input=probe_script(asks, "nonce").encode(),
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere"},
        capture_output=True,
        check=True,
    )
    facts = read_probe(dict(frames(done.stdout, "nonce")), asks)
    assert [facts.get(PATHS, ask.arg) for ask in asks] == ["", "", ""]


def test_each_kind_that_writes_a_path_is_refused_by_the_plan() -> None:
    """An unsafe path is a mistake of a change, and none of what is in the desired state already."""
    why = "the folder /home/app belongs to uid 1000, who could redirect the write"

    def refused(provider: Any, body: dict[str, Any], path: str, **more: Any) -> list[str]:
        spec = provider.spec.model_validate(body)
        facts = Facts(HostFacts(uid=0), {(PATHS.name, path): why, **more.get("facts", {})})
        assert Ask(PATHS, path).id in {ask.id for ask in provider.facts(spec)}
        view = View(Address(provider.kind, "it", host="h"), spec, None, facts, {"h": (spec, facts)})
        return [str(mistake) for mistake in provider.examine(view)]

    wanted = f"cannot write {{}}: {why}; {UNSAFE}"
    path = "/home/app/x"
    assert refused(FILE_KIND, {"path": path, "content": "x"}, path) == [wanted.format(path)]
    absent = {(STAT.name, path): Stat("absent")}
    assert refused(FILE_KIND, {"path": path, "ensure": "absent"}, path, facts=absent) == []
    build = {"source": "http://192.0.2.1/a.tar.gz", "sha256": "0" * 64, "binary": path}
    assert refused(BUILD_KIND, build, path) == [wanted.format(path)]
    assert refused(BUILD_KIND, {**build, "binary": "/opt/x", "directories": [path]}, path) == [wanted.format(path)]
    vrrp = {**VRRP, "name": "VI_1", "config": path}
    assert wanted.format(path) in refused(VRRP_KIND, vrrp, path)
    unit = {"unit": "app.service", "definition": "[Service]\nExecStart=/bin/true\n"}
    assert refused(SERVICE_KIND, unit, "/etc/systemd/system/app.service") == [
        wanted.format("/etc/systemd/system/app.service")
    ]


def _ask(path: str) -> Any:
    from hacore.contract import Ask

    return Ask(STAT, path)


GIVEN = [
    ("ours/x", "65534", ""),
    ("sticky/x", "0", ""),
    ("sticky/x", "root", ""),
    ("sticky/x", "65534", "65534"),
    ("sticky/x", "nobody", "nobody"),
    ("sticky/file", "65534", "65534"),
]


@pytest.mark.parametrize(("path", "owner", "who"), GIVEN)
def test_nothing_in_a_sticky_folder_is_given_away(top: Path, path: str, owner: str, who: str) -> None:
    """Its new owner could exchange it for a link before its mode is set."""
    why = f"others can write in the folder {top}/sticky, and its new owner {who} could exchange the entry"
    code, said = sh(f"{SAFE_PATH}safe_owner '{top}/{path}' {owner}")
    assert (code, said) == ((1, f"cannot write {top}/{path}: {why}; {UNSAFE}") if who else (0, ""))
    script = f"LC_ALL=C; export LC_ALL\n{STAT.command([_ask(f'{top}/{path}')])}"
    done = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True)
    facts = Facts(HostFacts(uid=0), {(STAT.name, arg): value for arg, value in STAT.parse(done.stdout).items()})
    assert given_away(facts, f"{top}/{path}", owner) == (why if who else "")  # by the plan as well


def test_an_entry_that_appears_after_the_check_is_not_used(top: Path) -> None:
    for path, known in (("sticky/x", False), ("sticky/file", True), ("sticky/mine", True), ("ours/x", True)):
        code, _ = sh(f"{SAFE_PATH}safe_path '{top}/{path}'; touch '{top}/{path}'; __known")
        assert (code == 0) == known, path


@pytest.mark.parametrize("before", ["nothing", "leftover", "link"])
def test_a_file_is_secret_before_its_content_arrives(top: Path, tmp_path: Path, before: str) -> None:
    """put_file, by a cat(1) that reports what it finds: 0600, whatever mode the file gets at the end."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "cat").write_text('#!/bin/sh\nstat -L -c %a /proc/self/fd/3 3>&1 >&2; exec /bin/cat "$@"\n')
    (stubs / "cat").chmod(0o755)
    (top / "ours/source").write_text("Environment=PASSWORD=x")
    if before == "leftover":
        (top / "ours/new").touch(0o644)
    if before == "link":
        (top / "ours/new").symlink_to(top / "ours/target")
    (top / "ours/target").touch()
    script = f"{PUT_FILE}put_file '{top}/ours/source' '{top}/ours/new' 0:0 0640 '{top}/ours/unit'"
    code, said = sh(f"umask 022; {script}", PATH=f"{stubs}:/usr/sbin:/usr/bin:/bin")
    assert (code, said) == (0, "600")
    unit = top / "ours/unit"
    assert (unit.read_text(), unit.stat().st_mode & 0o7777) == ("Environment=PASSWORD=x", 0o640)
    assert (top / "ours/target").read_text() == "" and not (top / "ours/new").exists()


# -- every kind's shell, both ways


@pytest.fixture
def victim(top: Path) -> Iterator[Path]:
    """What must not change, whatever is run on `other`."""
    kept = top / "ours/kept"
    kept.write_text("root's own")
    kept.chmod(0o600)
    before = _tree(top)
    yield top / "other"
    assert _tree(top) == before


def _tree(top: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        if "work" not in path.parts and "home" not in path.parts:
            found[str(path)] = (status.st_mode, status.st_uid, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
    return found


def run_step(top: Path, script: str, blobs: dict[str, bytes]) -> tuple[int, str]:
    work, home = top / "work", top / "home"
    work.mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    for name, blob in blobs.items():
        (work / name).write_bytes(blob)
    return sh(f"set -eu\n{script}", HACORE_WORK=str(work), HACORE_HOME=str(home))


def _change(spec: FileSpec, action: Action) -> Any:
    from hacore.contract import Change

    return Change(Address("file", "it", host="h"), action, spec, None, None)


def _image(kind: str) -> Image:
    return Image(data={"kind": kind}, blobs={} if kind == "absent" else {"entry.tar": b""})


FILE: list[tuple[str, Callable[[str], tuple[Any, ...]]]] = [
    ("write", lambda p: (file_steps.replace(FileSpec(path=p, content="x", owner="1")),)),
    ("mode only", lambda p: (file_steps.replace(FileSpec(path=p, mode="4755")),)),
    ("directory", lambda p: (file_steps.replace(FileSpec(path=p, ensure="directory")),)),
    ("link", lambda p: (file_steps.replace(FileSpec(path=p, link_to="/etc/shadow")),)),
    ("absent", lambda p: (file_steps.replace(FileSpec(path=p, ensure="absent")),)),
    ("capture", lambda p: (backup.capture([_change(FileSpec(path=p, content="x"), Action.CREATE)]),)),
    ("capture of a delete", lambda p: (backup.capture([_change(FileSpec(path=p, content="x"), Action.DELETE)]),)),
    ("remove", lambda p: (file_steps.remove(p),)),
    ("restore nothing", lambda p: (file_steps.restore(p, _image("absent")),)),
    ("restore a file", lambda p: (file_steps.restore(p, _image("file")),)),
    (
        "restore a folder",
        lambda p: (file_steps.restore(p, Image(data={"kind": "directory"}, blobs={"entry.tar": b""})),),
    ),
]


@pytest.mark.parametrize(("what", "steps"), FILE, ids=[what for what, _ in FILE])
@pytest.mark.parametrize("there", [False, True])
def test_file(top: Path, victim: Path, what: str, steps: Callable[[str], tuple[Any, ...]], there: bool) -> None:
    path = str(victim / ("to-ours" if there else "missing"))
    for step in steps(path):
        code, said = run_step(top, step.script, dict(step.blobs))
        assert (code, said) == (1, f"cannot write {path}: {BELONGS.format(top)}; {UNSAFE}")


@pytest.mark.parametrize("shell", [service_systemd, service_sysv], ids=["systemd", "sysv"])
def test_service(top: Path, victim: Path, shell: Any) -> None:
    """The folders of definitions are fixed: the scripts are led to another one."""

    def led(script: str) -> str:
        script = script.replace("/etc/systemd/system/", f"{victim}/").replace("/etc/init.d/", f"{victim}/")
        return script.replace("definition=/etc/init.d", f"definition={victim}").replace(
            "[ -d /run/systemd/system ] ||", "true ||"
        )

    image = Image(data={"mode": "600 0:0", "active": "inactive", "status": 3}, blobs={"definition": b"old"})
    scripts = {
        "capture": (shell.capture("app.service", ()), {}),
        "write": (shell.prepare_unit("app.service", define=True, enabled=None, running=None), {"definition": b"new"}),
        "undo": shell.undo("app.service", image, define=True, enabled=None, running=None),
    }
    for name, (script, blobs) in scripts.items():
        code, said = run_step(top, led(script), blobs)
        assert code == 1, name
        assert BELONGS.format(top) in said, name


VRRP = {"interface": "eth0", "virtual_router_id": 5, "addresses": ["192.0.2.9/24"]}


def test_vrrp_instance(top: Path, victim: Path) -> None:
    config = str(victim / "keepalived.conf")
    spec = VrrpInstanceSpec.model_validate(
        {
            "interface": "eth0",
            "virtual_router_id": 5,
            "addresses": ["192.0.2.9/24"],
            "config": config,
            "binary": "/bin/true",
        }
    )
    image = Image(
        {"config": config, "type": "file", "missing": [], "mode": "600", "uid": "0", "gid": "0"}, {"content": b"x"}
    )
    steps = [
        vrrp_steps.capture(config, ()),
        vrrp_steps.install(spec, "text", ()),
        vrrp_steps.restore(image),
        vrrp_steps.restore(Image({"config": config, "type": "absent", "missing": []})),
        vrrp_steps.restore(Image({"config": config, "type": "link", "missing": []}, {"content": b"/etc/shadow"})),
    ]
    for step in steps:
        code, said = run_step(top, step.script, dict(step.blobs))
        assert (code, BELONGS.format(top) in said) == (1, True), said
    for step in (vrrp_steps.drain(spec, True), vrrp_steps.drain(spec, False), vrrp_steps.forget_drains([spec])):
        code, said = run_step(top, step.script.replace(spec.drain_file, f"{victim}/drain"), {})
        assert (code, BELONGS.format(top) in said) == (1, True), said


def test_a_drain_file_is_no_link(top: Path) -> None:
    spec = VrrpInstanceSpec.model_validate(VRRP)
    target = top / "ours/target"
    (top / "ours/drain").symlink_to(target)
    script = vrrp_steps.drain(spec, True).script.replace(spec.drain_file, f"{top}/ours/drain")
    code, said = run_step(top, script, {})
    assert (code, said.endswith("it is a link"), target.exists()) == (1, True, False)


def test_source_build(top: Path, victim: Path) -> None:
    spec = SourceBuildSpec(source="http://192.0.2.1/a.tar.gz", sha256="0" * 64)
    stage = top / "home/build" / spec.name / "stage"
    (stage / str(victim / "bin").lstrip("/")).mkdir(parents=True)
    (stage / str(victim / "bin/program").lstrip("/")).write_text("#!/bin/sh\n")
    (stage.parent / "built").write_text("sha256:1\n")
    listed = {"foreign": b"", "directories": f"{victim}/made\n".encode()}
    install, blobs = source_build_install.install(spec, (), "sha256:1")
    undo, more = source_build_install.undo(
        spec, Image(data={"record": None}, blobs={"absent": f"{victim}/to-ours/kept\n".encode()}), ()
    )
    for script, given in (
        (source_build_install.capture(spec), {**listed, "directories": b""}),
        (source_build_install.capture(spec), listed),
        (install, blobs),
        (undo, more),
    ):
        code, said = run_step(top, script, given)
        assert (code, BELONGS.format(top) in said) == (1, True), said


def test_source_build_makes_no_names_that_can_be_guessed_beside_others(top: Path) -> None:
    spec = SourceBuildSpec(source="http://192.0.2.1/a.tar.gz", sha256="0" * 64)
    stage = top / "home/build" / spec.name / "stage"
    (stage / str(top / "sticky").lstrip("/")).mkdir(parents=True)
    (stage / str(top / "sticky/program").lstrip("/")).write_text("#!/bin/sh\n")
    code, said = run_step(top, source_build_install.capture(spec), {"foreign": b"", "directories": b""})
    assert (code, said) == (1, f"cannot write in {top}/sticky/: other users can write there as well; {UNSAFE}")


def test_package_puts_nothing_back_there_and_takes_out_only_what_lies_there(top: Path) -> None:
    head = f"manager=apt; free_services() {{ :; }}\n{COMMON}{RECORDS}"
    old = top / "old" / str(top / "other/conf").lstrip("/")
    old.parent.mkdir(parents=True)
    old.write_text("as it was")
    code, said = run_step(top, f"{head}put_back {top}/old {top}/other/conf", {})
    assert (code, BELONGS.format(top) in said, (top / "other/conf").exists()) == (1, True, False)
    code, said = run_step(top, f"{head}printf '%s\\n' {str(top).lstrip('/')}/other/conf | safe_members", {})
    assert (code, BELONGS.format(top) in said) == (1, True)

    # a package's own account owns its folders: what is removed there is removed there, and nowhere else
    (top / "other/deep/mine").touch()
    (top / "ours/mine").touch()
    for path in ("other/deep/mine", "other/to-ours/mine", "to-other/deep/mine", "other/missing/mine"):
        assert run_step(top, f"{head}take_out {top}/{path}", {})[0] == 0
    assert ((top / "other/deep/mine").exists(), (top / "ours/mine").exists()) == (False, True)
    assert run_step(top, f"{head}take_out {top}/other/deep", {})[0] == 0
    assert not (top / "other/deep").exists()
