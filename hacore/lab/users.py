"""The login users of a stack's connections: a bare twin has root only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hacore.errors import LabError
from hacore.lab.lab import Lab

_NAME = re.compile(r"[a-z_][a-z0-9_.-]*\Z")

# An account with root's keys, and sudo without a password.
_ADMIT = r"""
set -eu
user=$1
command -v sudo >/dev/null || {
  if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends sudo
  else
    dnf install -y -q sudo
  fi
} >/dev/null 2>&1 || { echo "sudo cannot be installed" >&2; exit 1; }
getent passwd "$user" >/dev/null || useradd --create-home --shell /bin/sh "$user"
home=$(getent passwd "$user" | cut -d: -f6)
install -d -m 0700 -o "$user" "$home/.ssh"
install -m 0600 -o "$user" /root/.ssh/authorized_keys "$home/.ssh/authorized_keys"
echo "$user ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/hacore-lab
chmod 0440 /etc/sudoers.d/hacore-lab
"""


def admit(lab: Lab, users: Mapping[str, str]) -> None:
    """Create accounts for `users` (by twin) that accept the lab's key and may become root; nothing for root.

    Raises LabError.
    """
    for twin, user in users.items():
        if user == "root":
            continue
        if not _NAME.match(user):
            raise LabError(f"cannot create the user {user!r} on twin {twin}: the name is not valid for an account")
        done = lab.ssh(twin, f"set -- {user}\n{_ADMIT}", timeout=300)
        if done.returncode != 0:
            raise LabError(f"cannot create the user {user} on twin {twin}: {done.stderr.strip()}")
