"""A kind of a third party, through the engine: both halves of a kernel parameter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.third_party.conftest import Make, tree
from tests.third_party.sysctl_kind import Sysctl

BODY = "  sysctl: {net.ipv4.ip_forward: {value: 1}}\n"
FILE = "etc/sysctl.d/60-net.ipv4.ip_forward.conf"
LIVE = "proc/sys/net/ipv4/ip_forward"


async def test_create_and_destroy(stack: Make, root: Path) -> None:
    mine, before = stack(Sysctl(str(root))), tree(root)

    (change,) = await mine.plan(BODY)
    assert (change["action"], change["effect"]) == ("create", "set net.ipv4.ip_forward to 1")
    assert (await mine.apply(BODY)).ok
    assert ((root / LIVE).read_text(), (root / FILE).read_text()) == ("1\n", "net.ipv4.ip_forward = 1\n")
    assert await mine.plan(BODY) == []

    assert (await mine.apply(BODY, destroy=True)).ok
    assert tree(root) == before


@pytest.mark.parametrize(("path", "text"), [(LIVE, "0\n"), (FILE, "net.ipv4.ip_forward = 0\n")])
async def test_drift_of_either_half(stack: Make, root: Path, path: str, text: str) -> None:
    mine = stack(Sysctl(str(root)))
    assert (await mine.apply(BODY)).ok
    assert not (await mine.drift()).differs

    (root / path).write_text(text)

    assert len((await mine.drift()).drift) == 1
    (change,) = await mine.plan(BODY)
    assert change["action"] == "update"


async def test_a_rollback_restores_value_and_file(stack: Make, root: Path) -> None:
    (root / FILE).write_text("# by hand\nnet.ipv4.ip_forward=0\n")
    mine, before = stack(Sysctl(str(root))), tree(root)
    assert (await mine.apply(BODY)).ok
    assert tree(root) != before

    assert (await mine.rollback()).ok

    assert tree(root) == before


async def test_a_parameter_that_the_kernel_does_not_have_is_an_error_of_the_plan(stack: Make, root: Path) -> None:
    mine = stack(Sysctl(str(root)))

    with pytest.raises(Exception, match=r"key is net\.no\.such, which the kernel of this host does not have"):
        await mine.plan("  sysctl: {it: {key: net.no.such, value: 1}}\n")
