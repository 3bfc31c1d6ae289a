"""An import of asyncssh that does not look for liboqs."""

from __future__ import annotations

import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("oqs", "liboqs")


@contextmanager
def no_liboqs() -> Iterator[None]:
    """While asyncssh is imported in here it finds no liboqs, and does not search for it.

    The search runs ldconfig, and where that knows nothing a compiler and a linker, twice: more work
    than a handshake. All that liboqs adds is the key exchange sntrup761, which no server offers
    alone: ML-KEM is in cryptography itself, and each OpenSSH since 6.5 has curve25519.
    """
    search = ctypes.util.find_library

    def find(name: str) -> str | None:
        return None if name in _NAMES else search(name)

    ctypes.util.find_library = find
    try:
        yield
    finally:
        ctypes.util.find_library = search
