"""An import of asyncssh without its search for liboqs."""

from __future__ import annotations

import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("oqs", "liboqs")


@contextmanager
def no_liboqs() -> Iterator[None]:
    """Hide liboqs from an import of asyncssh in the body, without the search for it.

    The search runs ldconfig and, without a result, a compiler and a linker, twice: more work than a
    handshake. liboqs adds only the key exchange sntrup761, which no server offers alone: cryptography has
    ML-KEM, and each OpenSSH since 6.5 has curve25519.
    """
    search = ctypes.util.find_library

    def find(name: str) -> str | None:
        return None if name in _NAMES else search(name)

    ctypes.util.find_library = find
    try:
        yield
    finally:
        ctypes.util.find_library = search
