"""The licences of what an installation of hacore brings: a program of the Apache License may use all of it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution, requires

import pytest

ALLOWED = re.compile(
    r"^(?:Apache|BSD|MIT|ISC|PSF|Python Software Foundation|Mozilla Public License 2\.0|MPL-2\.0|EPL-2\.0"
    r"|Eclipse Public|The Unlicense|0BSD|GNU Lesser General Public License v3|LGPL-3\.0)",
    re.IGNORECASE,
)
"""Permissive ones; and those that bind only changes of the package itself (MPL, EPL, LGPL)."""


def installed() -> set[str]:
    """Every package that hacore needs, with the extra `postgres`, as installed here; by its name."""
    found: set[str] = set()
    waiting = [("hacore", True)]
    while waiting:
        name, own = waiting.pop()
        for line in requires(name) or ():
            requirement, _, marker = line.partition(";")
            extra = "extra ==" in marker
            if extra and not (own and "postgres" in marker):
                continue
            match = re.match(r"[\w.-]+", requirement)
            assert match is not None
            needed = match[0].lower().replace("_", "-")
            try:
                distribution(needed)
            except PackageNotFoundError:
                continue  # for another system or Python
            if needed not in found:
                found.add(needed)
                waiting.append((needed, False))
    return found


def licences(name: str) -> list[str]:
    """What a package declares: an SPDX expression, classifiers, or a short text; its alternatives one by one."""
    metadata = distribution(name).metadata
    if expression := metadata.get("License-Expression"):
        return alternatives(expression)
    declared = [text for text in metadata.get_all("Classifier") or () if text.startswith("License :: ")]
    named = [text.split(" :: ")[-1] for text in declared if not text.endswith(":: OSI Approved")]
    return named or [metadata.get("License") or ""]


def alternatives(expression: str) -> list[str]:
    """The parts of an SPDX expression of which one may be chosen."""
    return [part.strip(" ()") for part in re.split(r"\bOR\b", expression)]


def allowed(licence: str) -> bool:
    """Whether a licence, or each of those that hold together, is allowed."""
    return all(ALLOWED.match(part.strip(" ()")) for part in re.split(r"\bAND\b", licence))


def test_each_package_has_an_allowed_licence() -> None:
    names = installed()
    wrong = {name: licences(name) for name in names if not any(map(allowed, licences(name)))}

    assert {"asyncssh", "sqlalchemy", "pydantic", "markupsafe", "psycopg"} <= names
    assert wrong == {}


@pytest.mark.parametrize(
    "expression",
    ["GPL-3.0-or-later", "AGPL-3.0-only", "", "Proprietary", "GNU General Public License v3", "MIT AND GPL-3.0-only"],
)
def test_others_are_refused(expression: str) -> None:
    assert not any(map(allowed, alternatives(expression)))


def test_one_of_two_is_chosen() -> None:
    assert any(map(allowed, alternatives("EPL-2.0 OR GPL-2.0-or-later")))
