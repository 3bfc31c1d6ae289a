"""Before-images in their stored form: data and blobs, compressed, encrypted when sensitive. Pure.

The content of a blob names it, so the same bytes are stored once. The name of a sensitive blob is an
HMAC, not a hash: from the hash of a file with a short password the password can be guessed.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ImageError, StoreError
from ..model import Image
from .columns import dump
from .keys import Key, Keyring


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A stored blob. `size` is that of the plain content, in bytes."""

    id: str
    size: int
    coding: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A stored image. `key_id` is empty when nothing is encrypted."""

    run: int
    sensitive: bool
    key_id: str
    data: str = field(repr=False)
    blobs: Mapping[str, StoredBlob]


def encode(image: Image, keyring: Keyring) -> StoredImage:
    """Prepare an image for the store; raises StoreError when it is sensitive and there is no key."""
    data = dump(image.data)
    if not image.sensitive:
        blobs = {name: _plain(content) for name, content in image.blobs.items()}
        return StoredImage(image.run, False, "", data, blobs)
    key = keyring.need()
    return StoredImage(
        image.run,
        True,
        key.id,
        key.encrypt(data.encode()).decode(),
        {
            name: StoredBlob(key.name(content), len(content), "fernet", key.encrypt(zlib.compress(content)))
            for name, content in image.blobs.items()
        },
    )


def decode(stored: StoredImage, keyring: Keyring, number: int) -> Image:
    """The image from its stored form; raises ImageError that names `number` if it is damaged or its key is missing."""
    try:
        if not stored.key_id:
            data = json.loads(stored.data)
        else:
            data = json.loads(_key(keyring, stored.key_id).decrypt(stored.data.encode()))
        blobs = {name: _content(blob, keyring) for name, blob in stored.blobs.items()}
    except (StoreError, ValueError, zlib.error) as error:
        raise ImageError(f"cannot read before-image {number}: {error}") from error
    return Image(data=data, blobs=blobs, sensitive=stored.sensitive, run=stored.run)


def _key(keyring: Keyring, key_id: str) -> Key:
    key = keyring.need()
    if key.id != key_id:
        raise StoreError(f"it was encrypted with a key other than the one in {key.source}")
    return key


def _plain(content: bytes) -> StoredBlob:
    packed = zlib.compress(content)
    name = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if len(packed) < len(content):
        return StoredBlob(name, len(content), "zlib", packed)
    return StoredBlob(name, len(content), "raw", content)


def _content(blob: StoredBlob, keyring: Keyring) -> bytes:
    """The plain bytes of a blob, checked against its name."""
    if blob.coding == "fernet":
        content = zlib.decompress(keyring.need().decrypt(blob.body))
    elif blob.coding == "zlib":
        content = zlib.decompress(blob.body)
    else:
        content = blob.body
    if blob.id.startswith("sha256:") and blob.id != f"sha256:{hashlib.sha256(content).hexdigest()}":
        raise StoreError("its content is damaged")
    return content
