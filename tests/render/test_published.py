"""The docstrings of the types of JSON output are their descriptions in `hacore schema`."""

from __future__ import annotations

from types import ModuleType

import pytest

from hacore.render import formats, run_formats, state_formats
from tests.plan.test_public_types import described, documented

MODULES = (formats, run_formats, state_formats)


@pytest.mark.parametrize(
    ("module", "name"), [pytest.param(module, name, id=name) for module in MODULES for name in documented(module)]
)
def test_a_documented_field_is_described(module: ModuleType, name: str) -> None:
    assert described(module, name) == documented(module)[name]


@pytest.mark.parametrize("module", MODULES)
def test_there_are_documented_fields(module: ModuleType) -> None:
    assert sum(map(len, documented(module).values())) > 5
