"""Selectors: what they cover, what they are refused for, and how a record keeps them."""

from __future__ import annotations

import pytest

from hacore.address import Address
from hacore.errors import HacoreError, UsageError
from hacore.plan import NO_SELECTION, Selection

KNOWN = [Address.parse(text) for text in ('file.page["x"]@a', 'file.page["y"]@a', 'file.page["x"]@b', "service.web@a")]


@pytest.mark.parametrize(
    ("targets", "excludes", "aimed", "excluded"),
    [
        ([], [], [0, 1, 2, 3], []),
        (["file.page"], [], [0, 1, 2], []),
        (['file.page["x"]'], [], [0, 2], []),
        (["file.page@a"], [], [0, 1], []),
        (['file.page["x"]@b'], [], [2], []),
        (["service.web", "file.page@b"], [], [2, 3], []),
        ([], ["file.page@a"], [0, 1, 2, 3], [0, 1]),
        (["file.page"], ["file.page@a", "service.web"], [0, 1, 2], [0, 1, 3]),
    ],
)
def test_what_selectors_cover(targets: list[str], excludes: list[str], aimed: list[int], excluded: list[int]) -> None:
    selection = Selection.parse(targets, excludes)
    assert [KNOWN.index(a) for a in KNOWN if selection.aimed(a)] == aimed
    assert [KNOWN.index(a) for a in KNOWN if selection.excluded(a)] == excluded
    assert bool(selection) is bool(targets or excludes)
    kept = selection.options()
    assert kept == {k: v for k, v in (("targets", targets), ("excludes", excludes)) if v}
    assert Selection.of_options(kept) == selection
    selection.check(KNOWN)


@pytest.mark.parametrize(
    ("targets", "excludes", "message"),
    [
        (["file.pag"], [], r"cannot find --target file\.pag: neither the stack nor the state has it; .*file\.page"),
        ([], ["file.pag"], r"cannot find --exclude file\.pag: "),
        (["file.page", "service.wbe"], [], r"cannot find --target service\.wbe: .*service\.web"),
        (['file.page["z"]'], [], r"cannot find --target file\.page\[\"z\"\]"),
        (["service.web@b"], [], r"cannot find --target service\.web@b: .*service\.web@a"),
        (["service.web"], ["service.web"], r"cannot both target and exclude service\.web@a: nothing is left"),
        (["file.page@b"], ["file.page"], r"cannot both target and exclude file\.page\[\"x\"\]@b: nothing is left"),
        (["zzz.nothing@q"], [], r"`hacore state list` and `hacore graph` show the addresses"),
    ],
)
def test_a_selector_that_covers_nothing_is_refused(targets: list[str], excludes: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Selection.parse(targets, excludes).check(KNOWN)


def test_an_exclusion_may_leave_something_or_be_about_other_things() -> None:
    Selection.parse(["file.page"], ["file.page@a"]).check(KNOWN)
    Selection.parse([], ["file.page", "service.web"]).check(KNOWN)
    NO_SELECTION.check([])


@pytest.mark.parametrize("option", ["targets", "excludes"])
def test_a_selector_that_is_no_address_is_refused(option: str) -> None:
    with pytest.raises(HacoreError, match="nonsense"):
        Selection.of_options({option: ["nonsense"]})
