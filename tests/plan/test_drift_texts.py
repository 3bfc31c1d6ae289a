"""Drift shows what was changed: hunks of the recorded text against the one found."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Desired, Observed
from hacore.model import Row
from hacore.plan.drift import drift_of

A = Address.parse("file.site@lb1")


def seal(text: str) -> str:
    return f"hmac:{hash(text):x}"


def row(attrs: dict[str, Any], sensitive: tuple[str, ...] = ()) -> Row:
    return Row(A, {}, 1, attrs, sensitive=sensitive, hosts=("lb1",))


FOUND = Observed({"content": "sha256:2"}, {"mtime": 1_795_694_400}, {"content": "a\nB\n"})


@pytest.mark.parametrize(
    ("desired", "hunks"),
    [
        (Desired({"content": "sha256:1"}, {"content": "a\nb\n"}), ("@@ -1,2 +1,2 @@", " a", "-b", "+B")),
        # the stack has changed since: its text is not the recorded one
        (Desired({"content": "sha256:9"}, {"content": "a\nc\n"}), ()),
        (Desired({"content": "sha256:1"}), ()),
        (Desired(None), ()),
        (None, ()),
    ],
)
def test_hunks_only_of_the_recorded_text(desired: Desired | None, hunks: tuple[str, ...]) -> None:
    found = drift_of(row({"content": "sha256:1"}), FOUND, seal, desired)
    assert found is not None
    assert found.attrs[0].hunks == hunks
    assert found.changed == 1_795_694_400
    assert (found.attrs[0].before, found.attrs[0].after) == ("sha256:1", "sha256:2")


def test_a_masked_text_is_shown_although_its_value_is_not() -> None:
    kept = row({"config": seal("sha256:1")}, sensitive=("config",))
    found = Observed({"config": "sha256:2"}, texts={"config": "prio 2\npass (hidden)\n"})
    texts = {"config": "prio 1\npass (hidden)\n"}
    secret = frozenset({"config"})
    shown = drift_of(kept, found, seal, Desired({"config": "sha256:other"}, texts, secret, secret))
    assert shown is not None
    assert shown.attrs[0].sensitive
    assert "-prio 1" in shown.attrs[0].hunks and "+prio 2" in shown.attrs[0].hunks
    withheld = drift_of(kept, found, seal, Desired({"config": "sha256:1"}, {}, secret))
    assert withheld is not None
    assert withheld.attrs[0].hunks == ()


def test_the_text_of_what_is_sensitive_is_not_shown() -> None:
    """Also where the kind does not know it: a secret in a text that no expression names is found by its value."""
    kept = row({"content": seal('"sha256:1"')}, sensitive=("content",))
    found = drift_of(kept, FOUND, seal, Desired({"content": "sha256:1"}, {"content": "a\nb\n"}))
    assert found is not None
    assert found.attrs[0].sensitive
    assert found.attrs[0].hunks == ()


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a\r\n", "a\n", ("-a\r", "+a")),
        ("a\n", "a", ("\\ no newline at end of the new file",)),
        ("\ufeffa\n", "a\n", ("-\ufeffa", "+a")),
        ("a\x0bb\n", "a\n", ("-a\x0bb", "+a")),
    ],
)
def test_what_cannot_be_seen_is_a_difference(before: str, after: str, shown: tuple[str, ...]) -> None:
    found = Observed({"content": "sha256:2"}, texts={"content": after})
    drift = drift_of(row({"content": "sha256:1"}), found, seal, Desired({"content": "sha256:1"}, {"content": before}))
    assert drift is not None
    assert [line for line in drift.attrs[0].hunks if not line.startswith("@@")] == list(shown)
