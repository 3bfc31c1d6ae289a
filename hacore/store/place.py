"""Where a state lies: its URL in parts, and the files of an SQLite state, made with tight modes.

Imports no database library: whether there is a state at all is often the whole question.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreError
from ..urls import shown_url

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Place:
    """A state's URL; `path` is the file of an SQLite state; `name` is for messages, without a password."""

    url: str
    path: Path | None
    name: str

    @classmethod
    def parse(cls, url: str) -> Place:
        """Read a URL; raises StoreError for an SQLite URL without a file."""
        if not url.startswith("sqlite:"):
            return cls(url, None, shown_url(url))
        path = url.removeprefix(_SQLITE)
        if not url.startswith(_SQLITE) or path in ("", ":memory:") or "?" in path:
            raise StoreError(
                f"cannot use the state {url}: write sqlite:///FOLDER/NAME.db (sqlite:////... from the root)"
            )
        return cls(url, Path(path), path)

    def absent(self) -> bool:
        """Whether there is surely no state: no file, or an empty one that a writer never got to fill."""
        if self.path is None:
            return False
        try:
            return self.path.stat().st_size == 0
        except FileNotFoundError:
            return True
        except OSError as error:
            raise StoreError(f"cannot read the state {self.name}: {error.strerror}") from error

    def make(self) -> None:
        """Make the SQLite file (0600) and its folder (0700) where missing; take others' rights off an old file."""
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
            raise StoreError(f"cannot make the state {self.name}: {error.strerror}") from error

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the SQLite file; raises StoreError when it is gone."""
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError as error:
            raise StoreError(f"cannot write the state {self.name}: the file is gone ({error.strerror})") from error
        return (found.st_dev, found.st_ino)
