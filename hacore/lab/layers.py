"""Layers that turn Debian's image into another system: packages, and a script for a copy of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """All inputs of a derived image beside its base.

    First `packages` are installed, as with apt-get(8) (`name-` removes one), then `purged` are purged, then
    `script` runs as root, in sh, in a chroot.
    """

    packages: tuple[str, ...]
    purged: tuple[str, ...] = ()
    script: str = ":"

    def to_json(self) -> dict[str, object]:
        """All fields; cached images are found by them."""
        return {"packages": list(self.packages), "purged": list(self.purged), "script": self.script}

    def key(self, system: str, suite: str, base: str) -> str:
        """The image's name in the cache; `base` is that of Debian's image."""
        text = json.dumps([base, self.to_json()], sort_keys=True)
        return f"{system}-{suite}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


_SYSVINIT = """
rm -rf /etc/systemd/system /var/lib/systemd
# links in the order that insserv computes, so that enabling something moves nothing else
update-rc.d ssh defaults
"""

# rpm's database is empty on Debian: a package of our own provides the shell of scriptlets and the release.
_REDHAT = r"""
mkdir -p /etc/rpm
printf '%%_dbpath /var/lib/rpm\n%%_dbpath_rebuild /var/lib/rpm\n' >/etc/rpm/macros
rm -f /etc/os-release
printf '%s\n' 'NAME="Rocky Linux"' 'ID="rocky"' 'ID_LIKE="rhel centos fedora"' 'VERSION_ID="9"' \
  'PRETTY_NAME="Rocky Linux 9 (a twin, on Debian)"' >/etc/os-release
build=$(mktemp -d)
cat >"$build/platform.spec" <<'E'
Name: twin-platform
Version: 9
Release: 1
Summary: What a twin has by Debian
License: public domain
BuildArch: noarch
AutoReqProv: no
Provides: system-release = 9
Provides: system-release(releasever) = 9
Provides: /bin/sh
%description
What a twin has by Debian.
%files
E
rpmbuild --quiet --define "_topdir $build/top" -bb "$build/platform.spec"
rpm -i "$build"/top/RPMS/noarch/*.rpm
rm -rf "$build"
mkdir -p /etc/yum.repos.d /etc/dnf
printf '%s\n' '[main]' 'gpgcheck=1' 'installonly_limit=3' 'clean_requirements_on_remove=True' 'best=True' \
  'skip_if_unavailable=False' >/etc/dnf/dnf.conf
dnf mark install twin-platform
"""

LAYERS: dict[str, Layer] = {
    "sysvinit": Layer(
        ("sysvinit-core", "sysv-rc", "initscripts", "orphan-sysvinit-scripts", "systemd-sysv-"),
        ("systemd", "dbus", "libpam-systemd"),
        _SYSVINIT,
    ),
    "redhat": Layer(("dnf", "rpm", "createrepo-c", "man-db-"), script=_REDHAT),
}
"""The other systems of twins: Debian without systemd; Debian with rpm and dnf, under the name of Rocky Linux."""
