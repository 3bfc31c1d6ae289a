"""Nothing secret leaves, in whatever form it is printed."""

from __future__ import annotations

import base64
import io
import json
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.render.redact import MASK, Redactor
from hacore.render.terminal import Terminal

SECRET = "p\"w'd é\\x"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        shlex.quote(SECRET),
        quote(SECRET, safe=""),
    ],
)
def test_every_form_of_a_secret_is_masked(form: str) -> None:
    masked = Redactor([SECRET]).text(f"before {form} after")
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "w" not in masked.removeprefix("before").replace(MASK, "")


def test_the_lines_of_a_key_are_masked_one_by_one() -> None:
    key = base64.b64encode(bytes(range(96))).decode()
    secret = f"-----BEGIN KEY-----\n{key[:64]}\n{key[64:]}\n"
    indented = "\n".join(f"    {line}" for line in secret.splitlines())
    assert key[:64] not in Redactor([secret]).text(indented)
    assert key[64:] not in Redactor([secret]).text(indented)


def test_the_longest_secret_wins() -> None:
    assert Redactor(["hunter2", "hunter2-long"]).text("hunter2-long") == MASK


def test_short_ones_are_left_they_would_blot_out_everything() -> None:
    text = "true: nginx listens on 80 as root; keepalived does not"
    assert Redactor(["80", "true", "nginx", "root"]).text(text) == text


def test_json_stays_json_and_its_own_keys_stay() -> None:
    value = {"host": "a-host hunter2 host", "serial": 12, "hunter2 key": ["hunter2", None, True]}
    masked = Redactor(["hunter2", "host", "a-host"]).data(value)
    assert masked == {"host": f"{MASK} {MASK} host", "serial": 12, f"{MASK} key": [MASK, None, True]}


def test_secrets_that_become_known_later_are_masked_as_the_first_ones_are() -> None:
    redactor = Redactor(["hunter2"])
    redactor.add(["swordfish"])
    assert redactor.text("hunter2 swordfish rosebud") == f"{MASK} {MASK} rosebud"
    redactor.add(["swordfish", "rosebud"])

    assert redactor.text("hunter2 swordfish rosebud") == f"{MASK} {MASK} {MASK}"
    assert redactor.data(["rosebud"]) == [MASK]


@given(st.text(min_size=6), st.text(), st.text())
def test_no_text_around_it_brings_a_secret_out(secret: str, before: str, after: str) -> None:
    out, err = io.StringIO(newline=""), io.StringIO(newline="")
    terminal = Terminal(out, err, {}, Redactor([secret]))
    terminal.say(before + secret + after)
    left = out.getvalue().split(MASK)
    assert len(left) > 1 or secret in MASK
    assert not any(secret in part for part in left) or secret in MASK
