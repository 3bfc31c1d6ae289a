"""Drift under Debian's cron, by the file that --print-cron writes: silence while all is well, one mail when not.
And two looks beside an apply.

All of it runs here, in a mount namespace of its own in which /etc, /run, /var/lib, /var/spool and the mailer are the
test's.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.twins

HACORE = str(Path(sys.executable).with_name("hacore"))
STACK = """\
stack: cron
hosts: {here: {address: localhost, connection: {transport: local}}}
resources:
  file:
    note: {path: "FOLDER/note", content: "wanted\\n"}
"""
BOX = r"""
cd /
for pair in /etc:etc /usr/sbin:sbin /var/lib:lib; do
  mkdir -p "$0/${pair#*:}" "$0/work-${pair#*:}"
  mount -t overlay overlay "${pair%:*}" \
    -o "lowerdir=${pair%:*},upperdir=$0/${pair#*:},workdir=$0/work-${pair#*:}" || exit 125
done
for folder in /run /var/spool; do mount -t tmpfs tmpfs "$folder" || exit 125; done
mkdir -p /var/spool/cron/crontabs
exec "$@"
"""
MAILER = """\
#!/bin/sh
cat >>MAILBOX
"""


class Box:
    """A namespace with a cron of its own; `run` runs a program in one like it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mailbox, self.metrics = folder / "mail", folder / "hacore.prom"
        (folder / "etc" / "cron.d").mkdir(parents=True)
        (folder / "etc" / "crontab").write_text("# empty\n")
        (folder / "sbin").mkdir()
        mailer = folder / "sbin" / "sendmail"
        mailer.write_text(MAILER.replace("MAILBOX", str(self.mailbox)))
        mailer.chmod(0o755)

    @functools.cached_property
    def cron(self) -> str:
        """The program, this machine's or Debian's."""
        return shutil.which("cron") or self._from_debian()

    def _from_debian(self) -> str:
        """The program out of Debian's package, which is not installed."""
        place = self.folder / "package"
        place.mkdir(mode=0o755)
        subprocess.run(["apt-get", "-qq", "download", "cron"], cwd=place, check=True, capture_output=True)
        (package,) = place.glob("cron_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(place)], check=True)
        shutil.copytree(place / "etc" / "pam.d", self.folder / "etc" / "pam.d")
        return str(place / "usr" / "sbin" / "cron")

    def argv(self, *words: str) -> list[str]:
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return [*unshare, "sh", "-c", BOX, str(self.folder), *words]

    def run(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(self.argv(*words), capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def reboot(self) -> str:
        """Start cron, wait until the job that is due at its start has ended; what was mailed meanwhile."""
        for old in (self.mailbox, self.metrics):
            old.unlink(missing_ok=True)
        # cron's children are the job and the mailer: when the job is done and they are gone, the mail is out
        quiet = f'until test -e {self.metrics} && ! grep -q . /proc/"$cron"/task/*/children; do sleep 0.1; done'
        script = f'"$1" -f & cron=$!; timeout 60 sh -c \'cron=$0; {quiet}\' "$cron"; rc=$?; kill "$cron"; exit $rc'
        self.run("sh", "-c", script, "cron", self.cron)
        return self.mailbox.read_text() if self.mailbox.exists() else ""


@pytest.fixture
def box(tmp_path: Path) -> Box:
    (tmp_path / "box").mkdir()
    return Box(tmp_path / "box")


def test_cron_mails_nothing_while_all_is_well_and_each_change_once(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    (folder / "stack.yaml").write_text(STACK.replace("FOLDER", str(folder)))
    box.run(HACORE, "-C", str(folder), "apply", "--auto-approve")
    crontab = box.run(HACORE, "-C", str(folder), "drift", "--print-cron", "--since-last", "--metrics", str(box.metrics))
    (line,) = re.findall(r"(?m)^\*/15 \* \* \* \* (.*)$", crontab)
    memory = f"XDG_STATE_HOME={tmp_path}/memory\n"
    # cron takes the file as a whole or not at all, so that the job runs says that its own line is in order
    (box.folder / "etc" / "cron.d" / "hacore-drift-cron").write_text(f"{memory}{crontab}@reboot {line}\n")

    assert box.reboot() == ""
    (folder / "note").write_text("by hand\n")
    mail = box.reboot()
    assert "file.note@here has changed" in mail
    assert "Subject: Cron <root@" in mail
    assert box.reboot() == ""
    assert 'hacore_drift_exit_code{stack="cron"} 2.0' in box.metrics.read_text()
    (folder / "note").write_text("wanted\n")
    assert box.reboot() == ""
    assert 'hacore_drift_exit_code{stack="cron"} 0.0' in box.metrics.read_text()


def test_two_looks_beside_an_apply_find_no_drift(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    stack = folder / "stack.yaml"
    stack.write_text(STACK.replace("FOLDER", str(folder)))
    hacore = f"{HACORE} -C {folder}"
    box.run("sh", "-c", f"{hacore} apply --auto-approve")
    # (The second before "go" lets both looks begin beside the apply; they must find nothing if they don't, too.)
    # the note is written at once; the state hears of it when the second task, which waits, has ended, too
    slow = "  command: {slow: {check: test -e GO, do: until test -e GO; do sleep 0.1; done, undo: ':'}}\n"
    stack.write_text(
        (STACK.replace("wanted", "changed") + slow.replace("GO", "FOLDER/go")).replace("FOLDER", str(folder))
    )

    script = f"""
    cd {folder}
    {hacore} apply --auto-approve >apply.out 2>&1 & apply=$!
    until grep -q changed note; do kill -0 $apply || exit 3; sleep 0.1; done
    {hacore} drift >at-once.out 2>&1; echo $? >at-once
    {hacore} drift --timeout 60 >one.out 2>&1 & one=$!
    {hacore} drift --timeout 60 >two.out 2>&1 & two=$!
    sleep 1; touch go
    wait $apply && wait $one && wait $two
    """
    box.run("sh", "-c", script)

    assert (folder / "at-once").read_text() == "1\n"
    assert "(apply, pid" in (folder / "at-once.out").read_text()
    for name in ("one", "two"):
        assert "No drift; 2 resources" in (folder / f"{name}.out").read_text()
