"""The history of a state, and the difference between two serials."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.model import Lifecycle, Row
from hacore.render.history import diff_json, diff_text, history_json, history_text
from hacore.render.words import when
from hacore.store import Episode, Revision, RowChange, row_to_json

ROW = Row(Address.parse("file.x@a"), {"path": "/x"}, 1, {"mode": "0644", "text": "hmac:1"}, hosts=("a",), run=3)
THEN = when(1_790_000_000)


def revision(serial: int, run: int | None = 4) -> Revision:
    return Revision(serial, 1_790_000_000.0, 1_780_000_000.0, run, "me@desk", "apply")


def updated(**more: Any) -> RowChange:
    return RowChange("file.x@a", row_to_json(ROW), row_to_json(replace(ROW, **more)))


CREATED = RowChange("file.new@a", None, row_to_json(ROW))
DELETED = RowChange("file.old@a", row_to_json(ROW), None)


@pytest.mark.parametrize(
    ("serials", "run", "head"),
    [
        ([7], 4, f"serial 7  #4 apply {THEN} by me@desk"),
        ([7], None, f"serial 7  apply {THEN} by me@desk"),
        ([5, 6, 7], 4, f"serials 5 to 7  #4 apply {THEN} by me@desk"),
    ],
)
def test_the_head_of_an_episode(serials: list[int], run: int | None, head: str) -> None:
    episode = Episode(tuple(revision(serial, run) for serial in serials), (CREATED,))
    assert history_text([episode]) == f"{head}\n  + file.new@a"


def test_the_changes_of_an_episode() -> None:
    episode = Episode((revision(7),), (CREATED, updated(attrs={"mode": "0600", "text": "hmac:1"}), DELETED))
    assert history_text([episode]).splitlines()[1:] == ["  + file.new@a", "  ~ file.x@a  (mode)", "  - file.old@a"]
    assert history_text([episode, episode]).count("\n\n") == 1
    assert history_text([Episode((revision(7),), ())]).splitlines()[1:] == ["  no change in the end"]
    assert history_text([]) == "No history yet: it starts with the next change."


@pytest.mark.parametrize(("number", "shown", "more"), [(12, 12, None), (1500, 12, "  … and 1,488 more")])
def test_a_long_episode_is_cut(number: int, shown: int, more: str | None) -> None:
    lines = history_text([Episode((revision(7),), (CREATED,) * number)]).splitlines()[1:]
    assert lines == ["  + file.new@a"] * shown + ([more] if more else [])


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"run": 9}, "recorded again"),
        ({"lifecycle": Lifecycle(prevent_destroy=True)}, "lifecycle"),
        ({"loaded": {"file.a@a": "1", "file.b@a": "2"}}, "loaded"),
        ({"tainted": True, "hosts": ("b",), "needs": ("file.y@a",), "found": "same"}, "found, hosts, needs, tainted"),
        (
            {"tainted": True, "hosts": ("b",), "needs": ("file.y@a",), "found": "same", "origin": 3},
            "found, hosts, needs, origin, …",
        ),
    ],
)
def test_the_fields_that_changed(more: dict[str, Any], names: str) -> None:
    line = history_text([Episode((revision(7),), (updated(**more),))]).splitlines()[1]
    assert line == f"  ~ file.x@a  ({names})"


def test_a_history_in_json() -> None:
    first = replace(revision(5), at=1_785_000_000.0, run=3, what="import", who="you@desk")
    (found,) = history_json([Episode((first, revision(7)), (CREATED, DELETED))])["history"]
    assert found == {
        "serials": [5, 7],
        "run": 4,
        "what": "apply",
        "who": "me@desk",
        "began": 1_780_000_000.0,
        "ended": 1_790_000_000.0,
        "changes": [
            {"address": "file.new@a", "action": "create"},
            {"address": "file.old@a", "action": "delete"},
        ],
    }


# -- between two serials


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (updated(attrs={"mode": "0600", "text": "hmac:1"}), ["~ file.x@a", '    mode: "0644" -> "0600"']),
        (updated(attrs={"mode": "0644", "text": "hmac:2"}), ["~ file.x@a", "    text: (sensitive, changed)"]),
        (updated(attrs={"mode": "0644", "text": "plain"}), ["~ file.x@a", '    text: (sensitive) -> "plain"']),
        (updated(attrs={"mode": "0644"}), ["~ file.x@a", "    text: (sensitive) -> (none)"]),
        (updated(attrs={**ROW.attrs, "owner": None}), ["~ file.x@a", "    owner: (none) -> null"]),
        (updated(spec={"path": "/y"}), ["~ file.x@a", '    spec.path: "/x" -> "/y"']),
        (updated(origin=5), ["~ file.x@a", "    origin: null -> 5"]),
        (updated(run=9), ["~ file.x@a", "    run: 3 -> 9"]),
        (updated(attrs=None), ["~ file.x@a", '    mode: "0644" -> (none)', "    text: (sensitive) -> (none)"]),
        (CREATED, ["+ file.new@a", '    mode: "0644"', "    text: (sensitive)"]),
        (DELETED, ["- file.old@a", '    mode: "0644"', "    text: (sensitive)"]),
    ],
)
def test_a_difference_in_text(change: RowChange, lines: list[str]) -> None:
    assert diff_text([change], 3, 9).splitlines()[2:] == lines


def test_differences_are_counted() -> None:
    assert diff_text([CREATED, DELETED, CREATED], 3, 9).splitlines()[0] == "From serial 3 to 9: 2 added, 1 deleted"
    assert diff_text([updated(run=9)], 3, 9).splitlines()[0] == "From serial 3 to 9: 1 changed"
    assert diff_text([], 3, 9) == "Serials 3 and 9: no difference."


def test_a_difference_in_json_has_no_side_that_does_not_exist() -> None:
    change = updated(attrs={"mode": None, "text": "hmac:2", "owner": "root"})
    found = diff_json([change, DELETED], 3, 9)
    assert (found["from"], found["to"], [c["action"] for c in found["changes"]]) == (3, 9, ["update", "delete"])
    assert found["changes"][0]["fields"] == {
        "mode": {"before": "0644", "after": None},
        "text": {"before": "hmac:1", "after": "hmac:2"},
        "owner": {"after": "root"},
    }
    assert found["changes"][1]["fields"]["mode"] == {"before": "0644"}
