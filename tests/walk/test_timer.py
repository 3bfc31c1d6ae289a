"""What `apply --confirm-within` lays on a host."""

from __future__ import annotations

from typing import Literal

import pytest

from hacore.contract import Step
from hacore.walk import Timer

KINDS: tuple[Literal["undo", "settle", "serve"], ...] = ("undo", "settle", "serve")


def test_the_reverts_of_a_run_are_numbered_from_one_in_the_order_of_the_tasks() -> None:
    """A host reverts them from the last one to the first one, by their names."""
    timer = Timer(60, "lineage", "run 1 of web")
    steps = [timer.step("a", f"t{number}", (Step("true"),), kind) for number, kind in enumerate(KINDS, 1)]
    names = [step.script.partition("NAME=")[2].split()[0] for step in steps]
    assert names == ["000001-t1.undo", "000002-t2.settle", "000003-t3.serve"]


@pytest.mark.parametrize("within", [1, 90])
def test_a_revert_has_its_deadline_and_its_owner(within: int) -> None:
    step = Timer(within, "lineage", "run 1 of web").step("a", "t1", (Step("true"),), "undo")
    assert f"SECONDS_GIVEN={within}\n" in step.script
    assert (step.blobs["lineage"], step.blobs["what"]) == (b"lineage\n", b"run 1 of web\n")


def test_the_hosts_that_have_a_revert_are_to_be_confirmed() -> None:
    timer = Timer(60, "lineage", "run 1")
    assert timer.armed == set()
    for host in ("a", "b", "a"):
        timer.step(host, "t1", (Step("true"),), "undo")
    assert timer.armed == {"a", "b"}
