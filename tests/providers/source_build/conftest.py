"""Tarballs to build: a small program of our own, and nginx as Debian carries it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.contract import Source
from hacore.model import Host

MAKEFILE = """\
PREFIX = /opt/greeter
DESTDIR =
bin/greeter: greeter.c
\tmkdir -p bin
\t$(CC) $(CFLAGS) -o $@ greeter.c
install: bin/greeter
\tmkdir -p "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/empty" "$(DESTDIR)/etc/greeter"
\tinstall -m 0755 bin/greeter "$(DESTDIR)$(PREFIX)/bin/greeter"
\tinstall -m 0644 greeter.conf "$(DESTDIR)/etc/greeter/greeter.conf"
\tinstall -m 0640 notes.txt "$(DESTDIR)$(PREFIX)/share/notes of $(WHO).txt"
\tln -s greeter "$(DESTDIR)$(PREFIX)/bin/hello-there"
"""
PROGRAM = """\
#include <stdio.h>
int main(void) { puts("%s"); return 0; }
"""


def tarball(folder: Path, name: str, greeting: str, **changed: str) -> tuple[str, str]:
    """A tarball of the program in `folder`; its file's name and SHA-256. `changed`: other content of its files."""
    files = {
        "Makefile": MAKEFILE,
        "greeter.c": PROGRAM % greeting,
        "greeter.conf": f"greeting={greeting}\n",
        "notes.txt": "for whom it may concern\n",
    }
    files.update({key.replace("_", "."): text for key, text in changed.items()})
    with tarfile.open(folder / name, "w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"greeter/{path}")
            member.size, member.mode = len(text.encode()), 0o755 if path == "configure" else 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return name, hashlib.sha256((folder / name).read_bytes()).hexdigest()


class Folder:
    """A stack's folder as `resolve` sees it."""

    def __init__(self, folder: Path, name: str = "greeter", *, sensitive: bool = False) -> None:
        self.folder, self.name, self.sensitive = folder, name, sensitive
        self.host = Host(name="one", address="192.0.2.1")

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def source(self, path: str, above: int = 0) -> Source | None:
        data = self.read(path)
        return Source((self.folder / path).as_uri(), hashlib.sha256(data).hexdigest(), len(data))

    def render(self, path: str, extra: object) -> tuple[str, bool]:
        raise NotImplementedError

    def resource(self, kind: str, name: str) -> None:
        return None

    def fetch(self, url: str, sha256: str) -> bytes | None:
        return None


@pytest.fixture
def make_tarball(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Makes tarballs of the small program in `tmp_path`."""

    def make(name: str, greeting: str, **changed: str) -> tuple[str, str]:
        return tarball(tmp_path, name, greeting, **changed)

    return make
