"""Files that survive a power cut: on disk, content and name, when a function here returns.

A new name is durable only when its folder is synced, too (fsync(2)). All raise OSError.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_NO_SYNC = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)  # some file systems sync files only


def replace_file(path: Path, data: bytes) -> None:
    """Write a file, 0600, in place of the former one: readers see the old content or the new, never a part."""
    path = path.absolute()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


def create_file(path: Path, data: bytes) -> None:
    """Write a new file, 0600; raises FileExistsError when there is one. A file that cannot be filled is removed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    sync_folder(path.parent)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file, which is made (0600, its folder 0700) when there is none.

    One write at the end: lines that others add at the same time stay. A last line that was cut off, as by
    a full disk, stays a line of its own.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (("\n" if cut else "") + "".join(f"{line}\n" for line in lines)).encode()
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; does nothing where a folder cannot be read or synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


__all__ = ["append_lines", "create_file", "replace_file", "sync_folder"]
