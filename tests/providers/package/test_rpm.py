"""What is made of what rpm and dnf answer, without a host."""

from __future__ import annotations

import pytest

from hacore_providers.facts.packages import CANDIDATE, PACKAGE, Package
from hacore_providers.package.spec import alike

# Recorded: rpm 4.18, dnf 4.14 (dnf ends each line by one more)
RPM = """asked demo
asked kernel
asked glibc
asked glibc.i686
asked demo-virtual
manager rpm
rpm demo noarch ii  1:1.0-1
rpm kernel x86_64 ii  5.14.0-427.13.1.el9_4
rpm kernel x86_64 ii  5.14.0-427.16.1.el9_4
rpm glibc i686 ii  0:2.34-100.el9
rpm glibc x86_64 ii  0:2.34-100.el9
"""
CANDIDATES = """rpm demo noarch 1:1.0-1
rpm demo-lib noarch 1.0-1

rpm demo noarch 1:2.0-1

"""


def test_rpms() -> None:
    found = PACKAGE.parse(RPM.encode())

    assert found["demo"] == Package("installed", "1:1.0-1")
    assert found["kernel"].versions == ("5.14.0-427.16.1.el9_4", "5.14.0-427.13.1.el9_4")
    assert found["glibc"] == found["glibc.i686"] == Package("installed", "2.34-100.el9")
    assert found["demo-virtual"].status == "absent"


def test_candidates_are_what_is_there_unless_there_is_newer() -> None:
    found = CANDIDATE.parse(CANDIDATES.encode())

    assert (found["demo"], found["demo-lib"], found.get("nope")) == ("1:2.0-1", "1.0-1", None)


@pytest.mark.parametrize("wanted", ["1.20.1", "1.20.1-14.el9", "1:1.20.1", "01:1.20.1-14.el9"])
def test_versions_in_part(wanted: str) -> None:
    assert alike(wanted, "1:1.20.1-14.el9")


@pytest.mark.parametrize("wanted", ["1.20", "1.20.1-14", "2:1.20.1", "0:1.20.1", "1.20.1-14.el8", "1.20.10"])
def test_other_versions(wanted: str) -> None:
    assert not alike(wanted, "1:1.20.1-14.el9")


def test_no_epoch_is_epoch_0() -> None:
    assert alike("0:1.0", "1.0-1") and alike("1.0-1", "1.0-1") and not alike("1:1.0", "1.0-1")
