"""From what a host answered to what is observed and wanted: one case a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hacore.contract import Facts, HostFacts, View
from hacore_providers.facts.stat import STAT
from hacore_providers.file.provider import PROVIDER
from hacore_providers.file.spec import FileSpec
from tests.providers.file.here import ADDRESS

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_case(case: Path) -> None:
    given = json.loads(case.read_text())
    spec = FileSpec(**given["spec"])
    answers = {(STAT.name, path): value for path, value in STAT.parse(given["stdout"].encode()).items()}
    view = View(ADDRESS, spec, None, Facts(HostFacts(), answers))

    observed, desired = PROVIDER.observe(view), PROVIDER.desire(view)

    seen = observed and {"attrs": observed.attrs, "info": observed.info, "texts": observed.texts}
    wanted = {"attrs": desired.attrs, "texts": desired.texts, "sensitive": sorted(desired.sensitive)}
    assert seen == given["observed"]
    assert wanted == given["desired"]


def test_there_are_cases() -> None:
    assert len(CASES) > 10


@pytest.mark.parametrize(
    ("given", "effect"),
    [
        ({"content": "x"}, "write /etc/x"),
        ({"ensure": "directory"}, "create /etc/x"),
        ({"link_to": "y"}, "link /etc/x"),
        ({"ensure": "absent"}, ""),
    ],
)
def test_the_effect_says_where(given: dict[str, str], effect: str) -> None:
    spec = FileSpec.model_validate({"path": "/etc/x", **given})
    assert PROVIDER.desire(View(ADDRESS, spec, None, Facts(HostFacts(), {}))).effect == effect
