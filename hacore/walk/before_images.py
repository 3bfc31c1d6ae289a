"""Before-images that the state encrypts: decided here, for all kinds.

What not everybody may read on its host, nobody without the key may read in the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..address import Address
from ..contract import Image
from ..journal import RunningTask
from .context import Context
from .steps import is_sensitive

_WORLD_READABLE = 0o004  # S_IROTH, inode(7)


def protected(images: Mapping[Address, Image], live: RunningTask, ctx: Context) -> dict[Address, Image]:
    """The images that a capture returned, marked as sensitive where one of these holds:

    - its kind marked it;
    - it has the content of a file that not everybody can read, or of one with an unknown mode (`Image.modes`);
    - its task is about something sensitive, now or before the run;
    - a secret of the stack is in it.
    """
    secret = is_sensitive(live, ctx)
    return {
        address: replace(image, sensitive=image.sensitive or secret or _is_private(image) or _has_secret(image, ctx))
        if image.data is not None or image.blobs
        else image
        for address, image in images.items()
    }


def _is_private(image: Image) -> bool:
    return image.modes is None or not all(mode & _WORLD_READABLE for mode in image.modes)


def _has_secret(image: Image, ctx: Context) -> bool:
    if ctx.secrets.holds(image.data):
        return True
    return any(ctx.secrets.holds(content.decode("utf-8", "replace")) for content in image.blobs.values())


__all__ = ["protected"]
