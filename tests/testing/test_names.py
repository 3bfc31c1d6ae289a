"""Former names of hacore.testing are known for one release, with a warning."""

from __future__ import annotations

import pytest

import hacore.testing


def test_a_former_name_is_known_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match=r"hacore\.testing\.Here is now ThisMachine"):
        assert hacore.testing.Here is hacore.testing.ThisMachine


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match=r"module .hacore\.testing. has no attribute 'There'"):
        _ = hacore.testing.There
