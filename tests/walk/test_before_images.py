"""Which before-images the state encrypts: what not everybody may read on its host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Image
from hacore.journal import RunningTask
from hacore.model import Op
from hacore.plan import PlanTask
from hacore.secrets import Secrets
from hacore.walk.before_images import protected

HERE = Address("thing", "it", host="a")
LIVE = RunningTask(PlanTask(id="do:it", op=Op.CHANGE, kind="thing", host="a", addresses=(HERE,)))


def encrypted(image: Image, before: dict[str, Any] | None = None) -> bool:
    """Whether the state encrypts an image, of a stack with one secret."""
    ctx: Any = SimpleNamespace(instances={}, rows={}, secrets=Secrets({"hunter2-and-more"}))
    live = RunningTask(LIVE.task, before={HERE: before} if before is not None else {})
    return protected({HERE: image}, live, ctx)[HERE].sensitive


@pytest.mark.parametrize(
    ("image", "secret"),
    [
        (Image(None), False),  # nothing existed
        (Image({"kind": "absent"}, modes=()), False),
        (Image({"kind": "file"}, {"content": b"x"}, modes=(0o644,)), False),
        (Image({"kind": "file"}, {"content": b"x"}, modes=(0o4755, 0o444)), False),
        (Image({"kind": "file"}, {"content": b"x"}, modes=(0o640,)), True),
        (Image({"kind": "file"}, {"content": b"x"}, modes=(0o644, 0o600)), True),
        (Image({"kind": "file"}, {"content": b"x"}, modes=(0,)), True),  # below a folder that others cannot enter
        (Image({"kind": "file"}, {"content": b"x"}), True),  # a kind that names no mode
        (Image({"kind": "file"}, {"content": b"x"}, sensitive=True, modes=(0o644,)), True),
        (Image({"line": "pw hunter2-and-more"}, modes=(0o644,)), True),
        (Image({}, {"content": b"pw hunter2-and-more\n\xff"}, modes=(0o644,)), True),
    ],
)
def test_an_image_is_encrypted_unless_everybody_may_read_its_content(image: Image, secret: bool) -> None:
    assert encrypted(image) is secret


def test_an_image_of_what_was_sensitive_before_the_run_is_encrypted() -> None:
    image = Image({"kind": "file"}, {"content": b"x"}, modes=(0o644,))
    assert encrypted(image, {"sensitive": ["content"], "spec": {}})
    assert encrypted(image, {"sensitive": [], "spec": {"content": "hmac:0123"}})
    assert not encrypted(image, {"sensitive": [], "spec": {}})
