"""The key of a state: HMACs of sensitive values, and encryption of sensitive before-images.

The key is 32 random bytes in URL-safe base64: in HACORE_KEY, or in a 0600 file beside the state
(`<state>.key`). The first writer creates it, a reader never does. The state records the key's id, so that a
wrong key is an error and not a thousand false differences.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..disk import create_file
from ..errors import StoreError

VARIABLE = "HACORE_KEY"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key; `source` is the variable or file it was read from. Each purpose has a subkey of its own."""

    secret: bytes = field(repr=False)
    source: str

    @classmethod
    def parse(cls, text: str, source: str) -> Key:
        """Read a key from its text form; raises StoreError that shows how to create one."""
        try:
            secret = base64.b64decode(text.strip().translate(_URL_SAFE), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != _BYTES:
            raise StoreError(f"cannot use {source}: it must be 32 bytes in base64, as `openssl rand -base64 32` prints")
        return cls(secret, source)

    @property
    def id(self) -> str:
        """A name for the key from which the key cannot be derived."""
        return self._mac("id", b"")[:16]

    def hmac(self, value: str) -> str:
        """`hmac:<hex>`: equal for equal values; cannot be guessed without the key."""
        return f"hmac:{self._mac('value', value.encode('utf-8', 'surrogatepass'))}"

    def plan_mac(self, content: bytes) -> str:
        """The MAC of a saved plan, hex: HMAC-SHA256 by a subkey of HKDF (RFC 5869) with the label `plan`."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        subkey = HKDF(SHA256(), 32, salt=None, info=b"hacore plan").derive(self.secret)
        return hmac.new(subkey, content, hashlib.sha256).hexdigest()

    def name(self, content: bytes) -> str:
        """The name under which encrypted content is stored."""
        return f"{self.id}:{self._mac('content', content)}"

    def encrypt(self, content: bytes) -> bytes:
        """A Fernet token (AES-128-CBC and HMAC-SHA256)."""
        from cryptography.fernet import Fernet

        return Fernet(self._fernet()).encrypt(content)

    def decrypt(self, token: bytes) -> bytes:
        """The content of a token of `encrypt`; raises StoreError when the key is wrong or the token is damaged."""
        from cryptography.fernet import Fernet, InvalidToken

        try:
            return Fernet(self._fernet()).decrypt(token)
        except InvalidToken as error:
            raise StoreError("cannot decrypt: the content is damaged") from error

    def _fernet(self) -> bytes:
        return base64.urlsafe_b64encode(bytes.fromhex(self._mac("fernet", b"")))

    def _mac(self, purpose: str, content: bytes) -> str:
        subkey = hmac.digest(self.secret, b"hacore " + purpose.encode(), "sha256")
        return hmac.new(subkey, content, hashlib.sha256).hexdigest()


_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Keyring:
    """The state's key, or why it is not available."""

    key: Key | None
    problem: str = ""

    def need(self) -> Key:
        """The key; raises StoreError with the reason when there is none."""
        if self.key is None:
            raise StoreError(self.problem)
        return self.key


def key_file(database: Path | None) -> Path | None:
    """The key file of an SQLite state; a state on a server has its key in HACORE_KEY only."""
    return database and database.with_name(database.name + ".key")


def find(file: Path | None, key_id: str) -> Keyring:
    """The key with `key_id` (any, when the state has no key yet) from HACORE_KEY or `file`."""
    found: list[Key] = []
    problems: list[str] = []
    for read in (_from_environment, lambda: _from_file(file)):
        try:
            key = read()
        except StoreError as error:
            problems.append(str(error))
            continue
        if key is not None and key_id in ("", key.id):
            return Keyring(key)
        if key is not None:
            found.append(key)
    places = f"{file} or {VARIABLE}" if file else VARIABLE
    if found:
        problems.append(f"the key in {' and '.join(k.source for k in found)} belongs to another state")
    elif not problems and not key_id:
        return Keyring(
            None,
            "cannot record or compare sensitive values: the state has no key yet; "
            f"put one into {places}: `openssl rand -base64 32` creates one",
        )
    elif not problems:
        problems.append("it is missing")
    return Keyring(
        None,
        f"cannot use the state's key: {'; '.join(problems)}. "
        "Without it sensitive values cannot be compared, nor their before-images read: "
        f"restore it to {places}",
    )


def make(file: Path) -> Key:
    """A new key in a new 0600 file, on disk when this returns; raises StoreError."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()
    try:
        create_file(file, f"{text}\n".encode())
    except OSError as error:
        raise StoreError(f"cannot create the key file {file}: {error.strerror}") from error
    return Key.parse(text, str(file))


def put_aside(file: Path) -> None:
    """Rename the key file of another state, so that no key is lost; raises StoreError."""
    if file.exists():
        try:
            file.rename(file.with_name(f"{file.name}.old-{time.time_ns()}"))
        except OSError as error:
            raise StoreError(f"cannot rename {file}: {error.strerror}") from error


def _from_environment() -> Key | None:
    text = os.environ.get(VARIABLE, "")
    return Key.parse(text, VARIABLE) if text else None


def _from_file(file: Path | None) -> Key | None:
    if file is None:
        return None
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise StoreError(f"{file} is readable by other users: run chmod 600 {file}")
        return Key.parse(file.read_text("ascii", "replace"), str(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}") from error
