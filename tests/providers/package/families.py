"""Packages made on the spot, in a repository on the twin itself: what a distribution's own would not do on demand.

demo (1.0, 2.0; with a service, scripts that make and edit files, start and enable) needs demo-lib; demo-user needs
demo, demo-mod demo 2.0, demo-friend demo-lib; demo-foe conflicts with demo; demo-provider provides demo-virtual; the
scripts of demo-broken fail, those of demo-slow hang.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.providers.package import debs, rpms
from tests.providers.play import Player

REPOSITORY = "/var/cache/demo-repository"
"""No part of a manifest: dnf writes checksums to the attributes of its files."""


@dataclass
class Family:
    """A twin with a package manager and the demo packages; `store` keeps them once they are built."""

    host: Player
    store: Path

    manager = "apt"
    sources = "/etc/apt/sources.list"
    build = debs.BUILD

    def lay_out(self) -> None:
        """Make their repository the twin's only one. The package manager has not read its lists yet."""
        root = self.host.lab.rootfs(self.host.twin)
        inside = root / REPOSITORY[1:]
        if self.store.exists():
            shutil.rmtree(inside, ignore_errors=True)
            shutil.copytree(self.store, inside)
            shutil.copy(self.store / "sources", root / self.sources[1:])
        else:
            self.host.sh(self.build.replace("REPOSITORY", REPOSITORY))
            shutil.copy(root / self.sources[1:], inside / "sources")
            shutil.copytree(inside, self.store)
        self.host.sh("echo demo-before >/etc/registry.demo")
        self.forget_lists()

    def renew(self) -> None:
        """The twin bare again, but for the repository."""
        self.host.lab.reset()
        self.lay_out()

    def forget_lists(self) -> None:
        """As on a host that has not asked its repositories yet."""
        self.host.sh("apt-get clean; rm -rf /var/lib/apt/lists/*_Packages*")

    def empty_cache(self) -> None:
        """No package file is kept anywhere."""
        self.host.sh("apt-get clean")

    def withdraw(self, name: str, version: str) -> None:
        """Take a version out of the repository, as security updates do; `lay_out` brings it back."""
        self.host.sh(
            f"cd {REPOSITORY}; rm {name}_{version}_all.deb; awk -v RS= -v ORS='\\n\\n' "
            f"'!(/^Package: {name}\\n/ && /\\nVersion: {version}\\n/)' Packages >P; mv P Packages; apt-get update"
        )

    def install(self, *names: str, version: str = "") -> None:
        """By hand."""
        self.host.sh(f"apt-get install -y {' '.join(f'{n}={version}' if version else n for n in names)}")

    def remove(self, *names: str) -> None:
        """By hand: completely, with its dependencies."""
        self.host.sh(f"apt-get purge -y --auto-remove {' '.join(names)}")

    def auto(self) -> set[str]:
        """What counts as installed as a dependency only."""
        return set(self.host.sh("apt-mark showauto").split())

    def version(self, name: str) -> str:
        """The installed one, without epoch and release; empty if it is not installed whole."""
        told = self.host.sh(f"dpkg-query -W -f '${{db:Status-Abbrev}}${{Version}}' {name} 2>/dev/null || :").strip()
        return told[3:].strip() if told.startswith("ii") else ""


class Rpms(Family):
    """The same on a host of Red Hat's family."""

    manager = "dnf"
    sources = "/etc/yum.repos.d/demo.repo"
    build = rpms.BUILD

    def forget_lists(self) -> None:
        self.host.sh("dnf -q clean all")

    def empty_cache(self) -> None:
        self.host.sh("dnf -q clean packages; rm -rf /var/lib/hacore/rpms")

    def withdraw(self, name: str, version: str) -> None:
        self.host.sh(f"cd {REPOSITORY}; rm {name}-{version}-1.rpm; createrepo_c --quiet .; dnf -q clean all")

    def install(self, *names: str, version: str = "") -> None:
        self.host.sh(
            f"SYSTEMD_OFFLINE=1 dnf -q -y install {' '.join(f'{n}-{version}' if version else n for n in names)}"
        )

    def remove(self, *names: str) -> None:
        self.host.sh(f"dnf -q -y remove {' '.join(names)}")

    def auto(self) -> set[str]:
        user = "dnf -q -C --disablerepo='*' repoquery --userinstalled --qf '%{name}'"
        return set(self.host.sh("rpm -qa --qf '%{NAME}\\n'").split()) - set(self.host.sh(user).split())

    def version(self, name: str) -> str:
        return self.host.sh(f"rpm -q --qf '%{{VERSION}}' {name} || :").strip().partition("package")[0]
