"""Words that stand for something in states, plans and journals of earlier versions."""

from __future__ import annotations

import base64
import json

from tests.frozen.thawing import DATA
from tests.frozen.today import (
    Action,
    Keyring,
    Op,
    Status,
    StoredBlob,
    StoredImage,
    decode,
    encode,
    has_taken,
    is_waiting,
    last_taken,
    taken,
    waiting,
)

WORDS = json.loads((DATA / "words.json").read_text())
ATTRS = {"text": "a", "mode": "b"}


def test_every_word_is_still_understood() -> None:
    assert set(WORDS["actions"]) <= {action.word for action in Action}
    assert {a.value: a.word for a in Action}.items() >= dict(
        zip(WORDS["symbols"], WORDS["actions"], strict=True)
    ).items()
    assert [Op(word).value for word in WORDS["ops"]] == WORDS["ops"]
    assert [Status(word).value for word in WORDS["statuses"]] == WORDS["statuses"]
    assert {word for word in WORDS["statuses"] if Status(word).final} == {"done", "undone", "hold", "error"}


def test_marks_of_what_was_taken_in_are_still_equal() -> None:
    assert [taken(ATTRS), taken(ATTRS, ["mode"]), taken(None)] == WORDS["taken"]
    assert all(has_taken(mark, ATTRS) for mark in WORDS["taken"][:2])
    assert not has_taken(WORDS["taken"][1], {**ATTRS, "mode": "c"})
    assert has_taken(WORDS["taken"][1], {**ATTRS, "text": "c"})


def test_marks_of_what_waits_are_still_known() -> None:
    assert [waiting("abc"), waiting("?abc"), waiting(None)] == WORDS["waiting"]
    assert [is_waiting(mark) for mark in WORDS["waiting"]] == [True, True, True]
    assert [last_taken(mark) for mark in WORDS["waiting"]] == ["abc", "abc", None]
    assert not is_waiting(WORDS["taken"][0])


def test_packed_content_is_unpacked_and_packed_the_same() -> None:
    stored = WORDS["image"]
    blob = StoredBlob(
        stored["blob"]["id"], stored["blob"]["size"], stored["blob"]["coding"], base64.b64decode(stored["blob"]["body"])
    )
    found = decode(StoredImage(0, False, "", stored["data"], {"text": blob}), Keyring(None), 1)
    assert (found.data, found.blobs) == ({"n": 1}, {"text": b"again and " * 100})
    again = encode(found, Keyring(None))
    assert (again.data, again.blobs["text"].id, again.blobs["text"].coding) == (stored["data"], blob.id, "zlib")
