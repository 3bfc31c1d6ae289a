"""The place of a state: its URL in parts, and the file of an SQLite state, created for its owner alone.

Imports no database library: often the only question is whether there is a state at all.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_plus

from .. import proc
from ..errors import StoreError
from ..urls import shown_url

_SQLITE = "sqlite:///"
_STATE = re.compile(r"(?<=[?&])state=([^&]*)(?:&|$)")
_LONGEST = 200  # characters of a name
_NETWORK = frozenset(
    ["9p", "afs", "beegfs", "ceph", "cifs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs", "vboxsf", "virtiofs"]
)


@dataclass(frozen=True, slots=True)
class Place:
    """A state's URL; `path` is the file of an SQLite state; `name` is for messages, without a password.

    `state`: which of the states of a server's database, `?state=NAME` of the URL; empty: the one without a name.
    `url` has no such parameter: a driver would not know it.
    """

    url: str
    path: Path | None
    name: str
    state: str = ""

    @classmethod
    def parse(cls, url: str) -> Place:
        """Read a URL; raises StoreError for an SQLite URL without a file."""
        if not url.startswith("sqlite:"):
            found = _STATE.search(url)
            state = unquote_plus(found[1]) if found else ""
            if found and (not state.isprintable() or not 0 < len(state) <= _LONGEST):
                raise StoreError(
                    f"cannot use the state {shown_url(url)}: the name of `?state=NAME` must be printable, with 1 to "
                    f"{_LONGEST} characters"
                )
            return cls(_STATE.sub("", url).rstrip("?&") if found else url, None, shown_url(url), state)
        path = url.removeprefix(_SQLITE)
        if not url.startswith(_SQLITE) or path in ("", ":memory:") or "?" in path:
            raise StoreError(
                f"cannot use the state {url}: write sqlite:///FOLDER/NAME.db (sqlite:////... from the root)"
            )
        return cls(url, Path(path), path)

    @property
    def state_id(self) -> int:
        """The id of the state in its tables: 1 without a name, else 62 bits of a digest of the name."""
        if not self.state:
            return 1
        digest = hashlib.blake2b(self.state.encode(), digest_size=8).digest()
        return 2 + (int.from_bytes(digest, "big") >> 2)

    def absent(self) -> bool:
        """Whether there is surely no state: no file, or an empty one that an interrupted writer left."""
        if self.path is None:
            return False
        try:
            return self.path.stat().st_size == 0
        except FileNotFoundError:
            return True
        except OSError as error:
            raise StoreError(f"cannot read the state {self.name}: {error.strerror}") from error

    def make(self) -> None:
        """Create the SQLite file (0600) and its folder (0700) if missing; restrict the mode of an old file."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                    self.path.chmod(0o600)
        except OSError as error:
            raise StoreError(f"cannot create the state {self.name}: {error.strerror}") from error

    def network_file_system(self) -> str:
        """The type of the network file system that the SQLite file is on, empty on a local one.

        There locks may not exclude writers on other machines, and SQLite relies on them (sqlite.org, "How To
        Corrupt An SQLite Database File", 2.1).
        """
        mount = None if self.path is None else proc.mount_of(self.path)
        if mount is None or not (mount.type in _NETWORK or mount.type.startswith("fuse.")):
            return ""
        return mount.type

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the SQLite file; raises StoreError when it was deleted."""
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError as error:
            raise StoreError(f"cannot write the state {self.name}: the file was deleted ({error.strerror})") from error
        return (found.st_dev, found.st_ino)
