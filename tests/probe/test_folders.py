"""hacore's own folders on a host: where they lie, and that a folder that somebody else made is never used."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hacore.probe.folders import FOLDERS, PLACES
from hacore.probe.jobs import Job, start_script
from hacore.probe.marker import marking
from hacore.probe.script import PRELUDE, steps_script
from hacore.walk.hostlock import Holder, acquire

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can make a folder somebody else's")


def sh(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/proc/nowhere", **env}
    return subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=60, env=environment)


def places(old: Path, uid: int = 4711, **env: str) -> tuple[str, str]:
    """HACORE_HOME and HACORE_RUN of a user, with `old` in the place of /tmp."""
    text = PLACES.replace("/tmp/hacore-", f"{old}/hacore-")
    done = sh(f'id() {{ echo {uid}; }}\n{text}\nprintf "%s\\n" "$HACORE_HOME" "$HACORE_RUN"', **env)
    assert done.stderr == ""
    home, run = done.stdout.splitlines()
    return home, run


def test_where_they_lie(tmp_path: Path) -> None:
    own = tmp_path / "runtime"
    own.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(own)
    home = "/proc/nowhere/.local/state/hacore"
    assert places(tmp_path, 0, XDG_RUNTIME_DIR=str(own)) == ("/var/lib/hacore", "/run/hacore")
    assert places(tmp_path, XDG_RUNTIME_DIR=str(own)) == (home, f"{own}/hacore-4711")
    for other in ("", str(tmp_path / "missing"), str(tmp_path / "link")):
        assert places(tmp_path, XDG_RUNTIME_DIR=other) == (home, f"{home}/run/{BOOT}")
    assert places(tmp_path, XDG_STATE_HOME="/state") == ("/state/hacore", f"/state/hacore/run/{BOOT}")
    assert places(tmp_path, XDG_STATE_HOME="relative")[0] == home
    assert "/tmp/hacore" not in places(tmp_path)[1]


@needs_root
def test_anothers_runtime_directory_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir(mode=0o700)
    os.chown(tmp_path / "runtime", 4712, 4712)
    assert places(tmp_path, XDG_RUNTIME_DIR=str(tmp_path / "runtime"))[1].endswith(f"/run/{BOOT}")


@pytest.mark.parametrize("what", ["lock", "confirm/", "jobs/key/"])
def test_what_an_older_version_left_running_is_still_seen(tmp_path: Path, what: str) -> None:
    old = tmp_path / "hacore-4711"
    old.mkdir(mode=0o700)
    (old / "jobs").mkdir()
    fresh = f"/proc/nowhere/.local/state/hacore/run/{BOOT}"
    assert places(tmp_path)[1] == fresh
    (old / what).mkdir(parents=True) if what.endswith("/") else (old / what).touch()
    assert places(tmp_path)[1] == str(old)

    old.chmod(0o755)
    assert places(tmp_path)[1] == fresh
    old.chmod(0o700)
    if ROOT:
        os.chown(old, 4712, 4712)
        assert places(tmp_path)[1] == fresh
        os.chown(old, 0, 0)
    old.rename(tmp_path / "moved")
    (tmp_path / "hacore-4711").symlink_to("moved")
    assert places(tmp_path)[1] == fresh


def folder(path: Path, mode: str = "0700") -> str:
    """What `__folder` says; nothing when the folder will do."""
    done = sh(f"{FOLDERS}\n__folder '{path}' {mode}")
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr.strip().removeprefix(f"cannot use the folder {path}: ")


REST = "; it must be writable for this user only"


def test_a_folder_is_made_or_verified(tmp_path: Path) -> None:
    made = tmp_path / "a/b"
    assert (folder(made), made.stat().st_mode & 0o777) == ("", 0o700)
    assert folder(made) == ""
    made.chmod(0o755)
    assert (folder(made), made.stat().st_mode & 0o777) == ("", 0o700)
    assert (folder(tmp_path / "c", "0755"), (tmp_path / "c").stat().st_mode & 0o777) == ("", 0o755)

    (tmp_path / "link").symlink_to(made)
    assert folder(tmp_path / "link") == f"it is a symbolic link{REST}"
    (tmp_path / "dangling").symlink_to("nowhere")
    assert folder(tmp_path / "dangling") == f"it is a symbolic link{REST}"
    (tmp_path / "file").touch()
    assert folder(tmp_path / "file") == f"it is not a folder{REST}"
    made.chmod(0o777)
    assert folder(made) == f"everybody can write in the folder {made}{REST}"
    made.chmod(0o1777)
    assert folder(made) == f"other users can write to it{REST}"
    made.chmod(0o700)
    made.parent.chmod(0o777)
    assert folder(made) == f"everybody can write in the folder {made.parent}{REST}"
    made.parent.chmod(0o1777)
    assert folder(made) == ""


@needs_root
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 65534, 65534)
    assert folder(tmp_path / "theirs") == f"it belongs to another user{REST}"
    (tmp_path / "theirs/ours").mkdir(mode=0o700)
    said = f"the folder {tmp_path}/theirs belongs to uid 65534, who could redirect the write{REST}"
    assert folder(tmp_path / "theirs/ours") == said


class Refusing:
    """A link to this machine."""

    class host:  # noqa: N801 - as an attribute
        name, address = "here", "localhost"

    def __init__(self, head: str) -> None:
        self.head = head

    async def shell(self, script: str) -> object:
        from hacore.contract import Output

        done = sh(script.replace(PRELUDE, PRELUDE + self.head))
        return Output(done.returncode, done.stdout.encode(), done.stderr.encode())


@pytest.mark.parametrize("bad", ["HACORE_RUN", "HACORE_HOME"])
async def test_lock_jobs_steps_and_markers_ask_first(tmp_path: Path, bad: str) -> None:
    from hacore.contract import Step
    from hacore.errors import TransportError
    from hacore.probe import Marker

    planted = tmp_path / bad
    planted.mkdir()
    planted.chmod(0o777)
    head = f"HACORE_HOME={tmp_path}/HACORE_HOME HACORE_RUN={tmp_path}/HACORE_RUN\n"
    refusal = f"cannot use the folder {planted}: everybody can write in the folder {planted}"
    with pytest.raises(TransportError, match=f"^cannot lock here@localhost: {refusal}"):
        await acquire(Refusing(head), Holder("token", {}))  # type: ignore[arg-type]
    scripts = [steps_script([("0", [Step("touch /proc/nowhere/x")], ())], "nonce", "").replace(PRELUDE, PRELUDE + head)]
    scripts.append(start_script(Job("key", "echo owned"), PRELUDE + head, ""))
    if bad == "HACORE_HOME":
        scripts = [PRELUDE + head + marking(Marker("s", "", "h", "lineage", 1, "me", 1.0))]
    for script in scripts:
        done = sh(script)
        assert (done.returncode, refusal in done.stderr, "owned" in done.stdout) == (1, True, False)
    assert list(planted.iterdir()) == []


async def test_a_planted_folder_of_older_versions_is_named(tmp_path: Path) -> None:
    (tmp_path / "hacore-4711").mkdir()
    (tmp_path / "hacore-4711").chmod(0o777)
    head = f"HACORE_HOME={tmp_path}/home HACORE_RUN={tmp_path}/home/run/boot\n"
    link = Refusing(head)
    told: list[str] = []

    async def shell(script: str) -> object:
        led = script.replace(PRELUDE, PRELUDE + head).replace("/tmp/hacore-", f"{tmp_path}/hacore-")
        return await Refusing.shell(link, f"id() {{ echo 4711; }}\n{led}")

    link.shell = shell  # type: ignore[method-assign]
    assert await acquire(link, Holder("token", {}), say=told.append) == BOOT  # type: ignore[arg-type]
    assert told == [
        f"here@localhost: {tmp_path}/hacore-4711 is ignored: other users can write to it; "
        "locks of older versions of hacore in it are not seen"
    ]


# -- live

ATTACK = r"""
import os, sys
os.umask(0)
top = "/tmp/hacore-61001"
def plant(jobs):
    for name in os.listdir(jobs):
        path = f"{jobs}/{name}"
        if name.startswith(".") or os.lstat(path).st_uid == 65534:
            continue
        os.rename(path, f"{jobs}/.gone.{name}")
        os.mkdir(path)
        with open(f"{path}/script", "w") as out:
            out.write("echo owned; id >/tmp/pwned\n")
        with open(f"{path}/token", "w") as out:
            out.write("token\n")
os.makedirs(top + "/jobs", exist_ok=True)
open("/tmp/ready", "w").close()
while not os.path.exists("/tmp/over"):
    try:
        plant(top + "/jobs")
    except OSError:
        pass
"""


@pytest.mark.machine
@needs_root
def test_another_local_user_runs_nothing_as_ours(tmp_path: Path) -> None:
    """uid 65534 owns the name in /tmp that older versions used, and exchanges every job that appears in it."""
    import sys

    lock = tmp_path / "lock"
    lock.write_text(
        f'{PRELUDE}{FOLDERS}\n__folder "$HACORE_HOME" 0755 && __run_folder && echo token >"$HACORE_RUN/lock"\n'
    )
    jobs = [start_script(Job(f"{n:032x}", f"echo job {n}"), PRELUDE, "token") for n in range(30)]
    for number, text in enumerate(jobs):
        (tmp_path / f"job{number}").write_text(text)
    (tmp_path / "attack").write_text(ATTACK)
    python = Path(sys.executable).resolve()
    victim = "setpriv --reuid=61001 --regid=61001 --clear-groups env -i HOME=/tmp/victim sh -s"
    inside = f"""set -eu
cd {tmp_path}; exec 4<attack 5<lock
for n in $(seq 0 29); do cp job$n /run/hacore-test-$$.$n; done
mount -t tmpfs -o mode=1777 tmpfs /tmp
install -d -m 0700 -o 61001 -g 61001 /tmp/victim
cd /; setpriv --reuid=65534 --regid=65534 --clear-groups {python} -I - <&4 & attacker=$!
trap 'touch /tmp/over; wait $attacker || :; rm -f /run/hacore-test-$$.*' EXIT
n=0; until [ -e /tmp/ready ]; do n=$((n + 1)); [ $n -lt 300 ]; sleep 0.1; done
{victim} <&5
for n in $(seq 0 29); do {victim} </run/hacore-test-$$.$n; done
[ ! -e /tmp/pwned ] || {{ echo PWNED; cat /tmp/pwned; }}
find /tmp/victim -path '*/run/*/jobs' -printf 'jobs of %U, %m\\n'
"""
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-s"],
        input=inside,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "PWNED" not in done.stdout
    assert "owned" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line] == [
        *(f"job {n}" for n in range(30)),
        "jobs of 61001, 700",
    ]
