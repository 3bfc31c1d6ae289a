from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore_providers.vrrp_instance.check_pair import effective_priority
from hacore_providers.vrrp_instance.spec import DRAIN_WEIGHT

WEIGHT = st.integers(-253, 253)
TRACKERS = st.lists(st.tuples(WEIGHT, st.booleans()), max_size=6)
BASE = st.integers(1, 254)


@pytest.mark.parametrize(
    ("base", "trackers", "effective"),
    [
        (100, [], 100),
        (100, [(2, True)], 102),
        (100, [(2, False)], 100),
        (100, [(-2, True)], 100),
        (100, [(-2, False)], 98),
        (99, [(2, True)], 101),
        (254, [(20, True)], 254),
        (250, [(20, True)], 254),
        (3, [(-20, False)], 1),
        (100, [(0, True)], 100),
        (100, [(0, False)], None),
        (100, [(0, False), (50, True)], None),
        (255, [(-20, False)], 255),
        (255, [(0, False)], None),
        (100, [(5, True), (-7, False), (9, False)], 98),
        (250, [(20, True), (-30, False)], 240),
    ],
)
def test_table(base: int, trackers: list[tuple[int, bool]], effective: int | None) -> None:
    assert effective_priority(base, trackers) == effective


@given(BASE, TRACKERS)
def test_it_is_a_priority_or_a_fault(base: int, trackers: list[tuple[int, bool]]) -> None:
    effective = effective_priority(base, trackers)

    if any(weight == 0 and not healthy for weight, healthy in trackers):
        assert effective is None
    else:
        assert effective is not None
        assert 1 <= effective <= 254


@given(BASE, TRACKERS, st.data())
def test_a_failure_never_raises_it(base: int, trackers: list[tuple[int, bool]], data: st.DataObject) -> None:
    healthy = [i for i, (_, ok) in enumerate(trackers) if ok]
    if not healthy:
        return
    failed = data.draw(st.sampled_from(healthy))
    before = effective_priority(base, trackers)
    after = effective_priority(base, [(w, ok and i != failed) for i, (w, ok) in enumerate(trackers)])

    assert after is None or (before is not None and after <= before)


@given(st.integers(2, 254), st.integers(1, 253), st.integers(1, 253))
def test_equal_weights_move_the_address_exactly_when_they_exceed_the_distance(
    high: int, less: int, weight: int
) -> None:
    low = max(1, high - less)
    negative = effective_priority(high, [(-weight, False)])
    other = effective_priority(low, [(-weight, True)])
    assert negative is not None
    assert other is not None

    assert (negative < other) == (weight > high - low and low > 1)


@given(BASE)
def test_draining_reaches_the_bottom_from_everywhere(base: int) -> None:
    assert effective_priority(base, [(DRAIN_WEIGHT, False)]) == 1
