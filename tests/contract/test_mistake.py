"""A mistake is one sentence with its field, or one of its own: as its kind says, whatever its words are."""

from __future__ import annotations

import pytest

from hacore.contract import Mistake


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (Mistake("names", "has no name"), "names: has no name"),
        (Mistake("source", "cannot get 'x'"), "source: cannot get 'x'"),
        (Mistake("uid", "is the word it begins with"), "uid: is the word it begins with"),
        (Mistake.where("priority", "is 300: it must be 1 to 254"), "priority is 300: it must be 1 to 254"),
        (Mistake.where("unicast", "lists itself"), "unicast lists itself"),
        (Mistake("", "of the whole body"), "of the whole body"),
        (Mistake.where("", "of the whole body"), "of the whole body"),
    ],
)
def test_a_mistake_as_it_is_shown(mistake: Mistake, text: str) -> None:
    assert str(mistake) == text


def test_a_warning_stays_one() -> None:
    assert [Mistake.where("a", "is b", warning=w).warning for w in (True, False)] == [True, False]
