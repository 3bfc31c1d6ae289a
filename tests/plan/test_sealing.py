"""What of a spec and of attrs the state keeps, and what of a secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from hacore.address import Address
from hacore.contract import Desired, Observed, Provider, Spec, View
from hacore.load.stack import Instance
from hacore.model import Row, Unknown
from hacore.plan import recorded_spec, seal_attrs
from hacore.plan.recall import desire, observe
from hacore.plan.sealing import addresses, sealed
from hacore.secrets import Secrets
from hacore.testing.things import Thing, ThingSpec
from tests.plan.table import HERE

WHERE = Address.parse("thing.x@a")
UNKNOWN = Unknown("later")


def seal(text: str) -> str:
    return f"hmac:{text}"


@pytest.mark.parametrize(
    ("attrs", "sensitive", "kept"),
    [
        (None, (), None),
        ({}, (), {}),
        ({"a": 1, "b": "x"}, (), {"a": 1, "b": "x"}),
        ({"a": 1, "b": "x"}, ("b",), {"a": 1, "b": 'hmac:"x"'}),
        ({"a": {"z": 1, "b": 2}}, ("a",), {"a": 'hmac:{"b":2,"z":1}'}),
        ({"b": 'hmac:"x"'}, ("b",), {"b": 'hmac:"x"'}),  # once is enough
        ({"a": UNKNOWN, "b": UNKNOWN, "c": 3}, ("b",), {"c": 3}),
    ],
)
def test_attrs_as_the_state_keeps_them(attrs: Any, sensitive: tuple[str, ...], kept: Any) -> None:
    assert seal_attrs(attrs, sensitive, seal) == kept


@pytest.mark.parametrize(
    ("value", "expected"), [("hmac:abc", True), ("abc", False), ("hmac", False), (None, False), (["hmac:"], False)]
)
def test_a_seal_is_recognised(value: Any, expected: bool) -> None:
    assert sealed(value) is expected


class Deep(Spec):
    plain: str = "p"
    words: tuple[Any, ...] = ()
    table: dict[str, Any] = Field(default_factory=dict)
    nothing: str | None = None


class Keeps(Provider[Deep]):
    api = 2
    kind = "deep"
    spec = Deep

    def facts(self, _spec: Deep) -> tuple[()]:
        return ()

    def observe(self, _view: View[Deep]) -> Observed | None:
        return None

    def desire(self, _view: View[Deep]) -> Desired:
        return Desired({})


@pytest.mark.parametrize(
    ("sensitive", "kept"),
    [
        ((), {}),
        (("plain",), {"plain": 'hmac:"q"'}),
        (("words.1",), {"words": ["one", 'hmac:"two"', {"k": "three"}]}),
        (("words.2.k",), {"words": ["one", "two", {"k": 'hmac:"three"'}]}),
        # a structure keeps its shape, and what is no text its value
        (("words",), {"words": ['hmac:"one"', 'hmac:"two"', {"k": 'hmac:"three"'}]}),
        (("table",), {"table": {"a": {"b": 'hmac:"c"'}, "n": 5, "on": True, "sealed": 'hmac:"hmac:x"'}}),
        (("table.a",), {"table": {"a": {"b": 'hmac:"c"'}, "n": 5, "on": True, "sealed": "hmac:x"}}),
        (("table.a.b", "table.n"), {"table": {"a": {"b": 'hmac:"c"'}, "n": 5, "on": True, "sealed": "hmac:x"}}),
        (("table.sealed",), {}),
        # what is not in this spec
        (("table.no", "words.9", "words.x", "plain.sub", "none.at.all", "nothing"), {}),
    ],
)
def test_the_secrets_of_a_spec_are_sealed_where_they_are(sensitive: tuple[str, ...], kept: dict[str, Any]) -> None:
    full = {
        "plain": "q",
        "words": ("one", "two", {"k": "three"}),
        "table": {"a": {"b": "c"}, "n": 5, "on": True, "sealed": "hmac:x"},
    }
    instance = Instance(WHERE, Deep(**full), "a", ("a",), HERE, sensitive=frozenset(sensitive))  # type: ignore[arg-type]
    expected = {**full, "words": ["one", "two", {"k": "three"}], **kept}
    assert recorded_spec(Keeps(), instance, seal) == expected


def test_a_spec_is_kept_without_defaults_and_without_bulk() -> None:
    instance = Instance(WHERE, ThingSpec(key="/x", text="much text"), "a", ("a",), HERE)
    assert recorded_spec(Thing(), instance, seal) == {"key": "/x"}


def test_addresses_are_kept_as_sorted_text() -> None:
    assert addresses([Address.parse("thing.z@a"), Address.parse("thing.b@b")]) == ("thing.b@b", "thing.z@a")


# -- without refresh: compared with what is recorded


class Wants(Thing):
    def desire(self, _view: View[ThingSpec]) -> Desired:
        attrs = {"text": "secret", "mode": "0600", "size": UNKNOWN}
        return Desired(attrs, sensitive=frozenset({"text"}), effect="start it", irreversible="no way back")


VIEW = View(WHERE, ThingSpec(key="/x"), None)
RECORDED = Row(WHERE, {}, 1, {"text": "hmac:old", "size": 7})


@pytest.mark.parametrize(
    ("row", "size", "effect"),
    [
        (None, UNKNOWN, "start it"),
        (RECORDED, 7, ""),
        (Row(WHERE, {}, 1, None), UNKNOWN, ""),
        (Row(WHERE, {}, 1, {"text": "hmac:old"}), UNKNOWN, ""),
    ],
)
def test_the_desired_state_in_the_form_of_the_recorded_one(row: Row | None, size: Any, effect: str) -> None:
    found = desire(Wants(), VIEW, row, recall=seal, secret=((), Secrets()))
    assert dict(found.attrs or {}) == {"text": 'hmac:"secret"', "mode": "0600", "size": size}
    assert (found.effect, found.irreversible) == (effect, "")
    plain = desire(Wants(), VIEW, row, recall=None, secret=((), Secrets()))
    assert (plain.attrs or {})["text"] == "secret"
    assert (plain.effect, plain.irreversible) == ("start it", "no way back")


@pytest.mark.parametrize(
    ("row", "attrs"), [(None, None), (Row(WHERE, {}, 1, None), None), (RECORDED, {"text": "hmac:old", "size": 7})]
)
def test_the_recorded_state_stands_for_the_observed_one(row: Row | None, attrs: Any) -> None:
    found = observe(Wants(), VIEW, row, recall=seal)
    assert (None if found is None else dict(found.attrs)) == attrs
    assert observe(Wants(), VIEW, row, recall=None) is None  # no fact has a value of it


def test_what_should_be_absent_needs_no_seal() -> None:
    class Absent(Thing):
        def desire(self, _view: View[ThingSpec]) -> Desired:
            return Desired(None)

    assert desire(Absent(), VIEW, RECORDED, recall=seal, secret=((), Secrets())).attrs is None
