"""An sshd whose machine has other users than this one: real logins, real PAM, real sudo, and nothing is left behind.

It runs in a mount namespace of its own, where files of ours lie over /etc/passwd, /etc/sudoers and their like, /home
is empty but for our users, hacore's folders are empty and gone in the end, and none of /tmp, /var/tmp, /dev/shm and
/run lets anything be executed. Needs root.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.transport.sshd import Sshd

USER = "ops"
UID = 47110
PASSWORD = "correct horse $(battery) 'staple'"
NO_PASSWORD = "Defaults !lecture\nops ALL=(ALL:ALL) NOPASSWD: ALL\n"
WITH_PASSWORD = "Defaults lecture=always, env_reset\nops ALL=(ALL:ALL) ALL\n"
PAM = "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n"
OVER = ("passwd", "shadow", "group", "sudoers", "pam.d/sudo", "pam.d/sshd")

ENTER = """
set -e
folder=$1; shift
for name in {names}; do mount --bind "$folder/etc/$name" "/etc/$name"; done
mount -t tmpfs -o mode=0755 tmpfs /home
mkdir /home/.var /home/.work
mount -t overlay -o lowerdir=/var/lib,upperdir=/home/.var,workdir=/home/.work overlay /var/lib
mkdir -p /var/lib/hacore
mount -t tmpfs -o mode=0755 tmpfs /var/lib/hacore
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -m 0755 /run/sshd
for place in {noexec}; do
  [ -d "$place" ] || continue
  mount --bind "$place" "$place"
  mount -o remount,bind,noexec "$place"
done
cp -R "$folder/home" /home/{user}
mkdir -p -m 0700 /home/{user}/.ssh
cp "$folder/authorized_keys" /home/{user}/.ssh/
chown -R {uid}:{uid} /home/{user}
exec "$@"
"""


@dataclass
class Island(Sshd):
    """`sudoers` is the whole of that file, `shell` the user's login shell, `home` what lies in the home
    folder; `noexec` are folders where nothing can be executed."""

    sudoers: str = NO_PASSWORD
    shell: str = "/bin/sh"
    home: dict[str, str] = field(default_factory=dict)
    password: str = PASSWORD
    noexec: tuple[str, ...] = ("/tmp", "/var/tmp", "/dev/shm", "/run")

    @property
    def user(self) -> str:
        return USER

    @property
    def settings(self) -> dict[str, str]:
        return super().settings | {
            "UsePAM": "yes",
            "AuthorizedKeysFile": ".ssh/authorized_keys",
            "SetEnv": "HERE=island",
        }

    def prefix(self) -> list[str]:
        etc = self.folder / "etc"
        (etc / "pam.d").mkdir(parents=True, exist_ok=True)
        line = f"{USER}:x:{UID}:{UID}::/home/{USER}:{self.shell}\n"
        (etc / "passwd").write_text(Path("/etc/passwd").read_text() + line)
        (etc / "group").write_text(Path("/etc/group").read_text() + f"{USER}:x:{UID}:\n")
        (etc / "shadow").write_text(
            f"root:*:19000::::::\nsshd:*:19000::::::\n{USER}:{_crypt(self.password)}:19000::::::\n"
        )
        (etc / "shadow").chmod(0o600)
        (etc / "sudoers").write_text(self.sudoers)
        (etc / "sudoers").chmod(0o440)
        for service in ("sudo", "sshd"):
            (etc / "pam.d" / service).write_text(PAM)
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        for name, text in self.home.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)
        script = ENTER.format(names=" ".join(OVER), user=USER, uid=UID, noexec=" ".join(self.noexec))
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(self.folder)]


def _crypt(password: str) -> str:
    """A hash as in shadow(5); perl is on every Debian."""
    done = subprocess.run(
        ["perl", "-e", "chomp($_ = <STDIN>); print crypt($_, q($6$rounds=1000$salt$))"],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
