"""Start, stop, undo and trigger of a systemd unit, as a real shell runs them over a systemctl of a few lines."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Image
from hacore_providers.service import systemd, unit_shell

UNIT = "[Service]\nExecStart=/bin/new\n"

SYSTEMCTL = r"""#!/bin/sh
# state: files named after properties in $STATE; ends: the ActiveState after a start or restart
value() { cat "$STATE/$1" 2>/dev/null; }
case $1 in
  show) echo "$3=$(value "$3")" ;;
  *)
    echo "$* $([ ! -e "$DEFINITION" ] || head -n 1 "$DEFINITION")" >>"$STATE/log"
    case $1 in
      start | try-restart | reload) cp "$STATE/ends" "$STATE/ActiveState" ;;
      stop) echo inactive >"$STATE/ActiveState" ;;
    esac ;;
esac
"""


@dataclass
class Host:
    """A host with one unit, below a folder: `/etc/systemd/system` and `/run/systemd/system` of scripts are in it."""

    folder: Path

    @property
    def definition(self) -> Path:
        return self.folder / "etc/web.service"

    def be(self, active: str, ends: str = "active") -> None:
        for name, text in {"ActiveState": active, "NRestarts": "0", "LoadState": "loaded", "ends": ends}.items():
            (self.folder / "state" / name).write_text(f"{text}\n")

    def sh(self, script: str, blobs: dict[str, bytes] | None = None) -> subprocess.CompletedProcess[str]:
        for name, blob in (blobs or {}).items():
            (self.folder / "work" / name).write_bytes(blob)
        here = script.replace("/etc/systemd/system", str(self.folder / "etc")).replace("/run/systemd", str(self.folder))
        return subprocess.run(
            ["sh", "-c", f"set -eu\n{here}"],
            env={
                "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
                "LC_ALL": "C",
                "HACORE_WORK": str(self.folder / "work"),
                "STATE": str(self.folder / "state"),
                "DEFINITION": str(self.definition),
            },
            capture_output=True,
            text=True,
            timeout=60,
            umask=0o022,
        )

    def undo(
        self, links: str = "", *, define: bool = True, enabled: bool | None = None, running: bool = True, **data: Any
    ) -> list[str]:
        """The calls of systemctl, each with the first line of the definition at that time."""
        base = {"active": "inactive", "state": "disabled", "names": ["web.service"], "mask": None, "mode": "644 0:0"}
        image = Image({**base, **data}, {"links": links.encode(), "definition": b"[Unit]\n"})
        script, blobs = systemd.undo(
            "web.service", image, define=define, enabled=enabled, running=True if running else None
        )
        done = self.sh(script, blobs)
        assert done.returncode == 0, done.stderr
        return self.calls()

    def calls(self) -> list[str]:
        log = self.folder / "state/log"
        return [line.rstrip() for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for name in ("bin", "etc", "system", "state", "work"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin/systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    found = Host(tmp_path)
    found.definition.write_text(UNIT)
    found.be("active")
    return found


def test_a_definition_alone_has_its_unit_running_as_before(host: Host) -> None:
    """Without `running` in the stack: a bad definition may have ended it, and its restart may have started it."""
    host.be("failed")
    assert [call.split()[0] for call in host.undo(active="active", running=False)][-2:] == ["reset-failed", "start"]
    host.be("active")
    assert "stop -- web.service [Unit]" in host.undo(active="inactive", running=False)


def test_a_unit_that_did_not_run_is_stopped_before_its_definition_is_restored(host: Host) -> None:
    calls = host.undo(active="inactive")

    stop = calls.index("stop -- web.service [Service]")
    assert not any(call.startswith(("start", "try-restart")) for call in calls)
    assert stop < calls.index("daemon-reload [Unit]")


def test_a_unit_that_ran_is_not_stopped_and_is_started_if_it_ended(host: Host) -> None:
    host.be("inactive")

    calls = host.undo(active="active")

    assert not any(call.startswith("stop") for call in calls)
    assert calls[-1] == "start -- web.service [Unit]"


def test_a_unit_that_was_starting_is_not_stopped_and_not_waited_for(host: Host) -> None:
    calls = host.undo(active="activating")

    assert not any(call.startswith("stop") for call in calls)
    assert calls[-1] == "start --no-block -- web.service [Unit]"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other accounts")
def test_an_undo_restores_owner_group_and_mode_of_the_definition(host: Host) -> None:
    host.undo(mode="640 65534:65533")

    status = host.definition.stat()
    assert (oct(status.st_mode & 0o7777), status.st_uid, status.st_gid) == ("0o640", 65534, 65533)
    assert host.definition.read_text() == "[Unit]\n"


@pytest.mark.parametrize("op", ["reload", "restart"])
@pytest.mark.parametrize(("ends", "rc"), [("active", 0), ("failed", 1)])
def test_a_unit_that_ends_after_its_trigger_fails_the_step(host: Host, op: str, ends: str, rc: int) -> None:
    host.be("active", ends=ends)

    done = host.sh(systemd.trigger("web.service", op))

    assert done.returncode == rc, done.stderr
    assert (f"cannot keep web.service running after its {op}: the unit is failed" in done.stderr) is bool(rc)


@pytest.mark.parametrize("op", ["reload", "restart"])
def test_a_unit_that_does_not_run_is_not_reloaded(host: Host, op: str) -> None:
    host.be("inactive")

    done = host.sh(systemd.trigger("web.service", op))

    assert (done.returncode, done.stdout) == (0, f"web.service is not running: no {op} needed\n")
    assert host.calls() == []


# -- definition, masks and links


@pytest.mark.parametrize("mask", ["", "/dev/null"])
def test_an_undo_removes_a_definition_that_did_not_exist(host: Host, mask: str) -> None:
    host.undo(mode=None, mask=mask or None)

    assert os.path.lexists(host.definition) is bool(mask)
    assert not mask or os.readlink(host.definition) == mask


@pytest.mark.parametrize("there", [True, False])
def test_a_mask_is_restored_where_no_definition_is_managed(host: Host, there: bool) -> None:
    if not there:
        host.definition.unlink()

    host.undo(define=False, mask="/dev/null", mode=None)

    assert host.definition.is_symlink() is not there


@pytest.mark.parametrize(("define", "enabled"), [(True, None), (False, True), (False, False), (False, None)])
def test_an_undo_restores_every_link(host: Host, define: bool, enabled: bool | None) -> None:
    """Links of this run are removed, with the folder that only they needed; those that it removed come again."""
    etc = host.folder / "etc"
    unit = str(host.definition)
    new, kept, lost = (
        etc / "new.target.wants/web.service",
        etc / "multi-user.target.wants/web.service",
        etc / "w.service",
    )
    for link in (new, kept):
        link.parent.mkdir()
        link.symlink_to(unit)
    other = etc / "new.target.wants.d"
    other.mkdir()

    host.undo(f"{kept}\t{unit}\n{lost}\t{unit}\n", define=define, enabled=enabled, running=False)

    managed = define or enabled is not None
    assert new.is_symlink() is not managed
    assert new.parent.exists() is not managed
    assert kept.is_symlink()
    assert (lost.is_symlink() and os.readlink(lost) == unit) is managed
    assert other.exists()


def test_a_unit_whose_run_is_not_managed_is_neither_started_nor_stopped(host: Host) -> None:
    assert host.undo(define=False, enabled=True, running=False) == ["daemon-reload [Service]"]


def test_a_mask_until_the_next_start_is_restored(host: Host) -> None:
    assert host.undo(define=False, running=False, state="masked-runtime", mode=None) == [
        "--quiet --runtime mask -- web.service [Service]",
        "daemon-reload [Service]",
    ]


# -- apply


@pytest.mark.parametrize(
    ("active", "running", "calls"),
    [
        ("inactive", True, ["start -- web.service [Service]"]),
        ("active", True, []),
        ("active", False, ["stop -- web.service [Service]"]),
        ("inactive", False, []),
        ("activating", False, ["stop -- web.service [Service]"]),
    ],
)
def test_a_unit_is_started_or_stopped_unless_it_is_so_already(
    host: Host, active: str, running: bool, calls: list[str]
) -> None:
    host.be(active)

    done = host.sh(systemd.run_unit("web.service", running=running))

    assert done.returncode == 0, done.stderr
    assert [call for call in host.calls() if not call.startswith("reset-failed")] == calls


def test_a_unit_that_does_not_stay_up_fails_its_start(host: Host) -> None:
    host.be("inactive", ends="failed")

    done = host.sh(systemd.run_unit("web.service", running=True))

    assert (done.returncode, "cannot keep web.service running" in done.stderr) == (1, True)


SPY = """#!/bin/sh
for word; do last=$word; done
echo "NAME ${last##*/}" >>"$STATE/log"
PATH=${PATH#*:} exec NAME "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a definition is root's")
def test_a_definition_is_on_the_disk_before_it_takes_its_name_and_then_its_folder(host: Host) -> None:
    for name in ("mv", "sync"):
        (host.folder / "bin" / name).write_text(SPY.replace("NAME", name))
        (host.folder / "bin" / name).chmod(0o755)
    order = ["sync .hacore.web.service.new", "mv web.service", "sync etc"]

    script = systemd.prepare_unit("web.service", define=True, enabled=None, running=None)
    done = host.sh(script, {"definition": b"[Service]\n"})
    assert done.returncode == 0, done.stderr
    assert [call for call in host.calls() if call.split()[0] in ("mv", "sync")] == order

    (host.folder / "state/log").unlink()
    assert [call for call in host.undo() if call.split()[0] in ("mv", "sync")] == order


TIMEOUT = """#!/bin/sh
echo "$1" >>"$STATE/waits"
shift
exec "$@"
"""


@pytest.mark.parametrize(
    ("op", "starts", "stops", "seconds"),
    [
        ("start", "10min", "1min 30s", 630),
        ("start", "1min 30s", "1min 30s", 150),  # at least
        ("start", "2min 500ms", "", 151),
        ("start", "2min 1.5s", "", 152),
        ("start", "", "", 150),  # an old systemd without the property
        ("start", "infinity", "5s", 3600),
        ("start", "2h", "5s", 3600),
        ("start", "1d 3s", "5s", 3600),
        ("start", "infinity", "5s", 3600),
        ("stop", "10min", "4min", 510),
        ("reload", "10min", "4min", 630),
        ("restart", "10min", "4min", 1110),
    ],
)
def test_a_unit_may_take_as_long_as_it_allows_itself(
    host: Host, op: str, starts: str, stops: str, seconds: int
) -> None:
    program = host.folder / "bin/timeout"
    program.write_text(TIMEOUT)
    program.chmod(0o755)
    host.be("inactive" if op == "start" else "active", ends="active")
    for name, text in {"TimeoutStartUSec": starts, "TimeoutStopUSec": stops}.items():
        (host.folder / "state" / name).write_text(f"{text}\n")
    running = {"start": True, "stop": False}
    script = (
        systemd.run_unit("web.service", running=running[op]) if op in running else systemd.trigger("web.service", op)
    )

    done = host.sh(script)

    assert done.returncode == 0, done.stderr
    assert (host.folder / "state/waits").read_text().split() == [str(seconds)]


@pytest.mark.parametrize(
    ("limit", "told"),
    [("10min", "its own limit is 10min"), ("infinity", "its own limit is infinity, hacore waits 1 s at most")],
)
def test_a_unit_that_is_still_starting_is_reported_with_both_limits(host: Host, limit: str, told: str) -> None:
    host.be("activating")
    (host.folder / "state/TimeoutStartUSec").write_text(f"{limit}\n")
    program = host.folder / "bin/systemctl"
    program.write_text(SYSTEMCTL.replace("case $1 in\n  show)", "case $1 in\n  start) exec sleep 60;;\n  show)"))
    script = systemd.run_unit("web.service", running=True).replace(
        "+ 30))", "- 599))" if limit == "10min" else "+ 30))"
    )
    script = script.replace(f"shortest={unit_shell.SHORTEST} longest={unit_shell.LONGEST}", "shortest=1 longest=1")

    done = host.sh(script)

    assert done.returncode == 1
    assert f"cannot start web.service: it has been activating for 1 s, {told}: the unit is activating" in done.stderr
