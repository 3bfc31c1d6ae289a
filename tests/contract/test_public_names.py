"""The public names of the contract and of its test helpers: packages of others import them.

A name that is added is added here. One that is removed or renamed stays importable for a release with a
DeprecationWarning (docs/providers.md, Stability), so a removal here belongs to the release after that.
"""

from __future__ import annotations

import importlib

import pytest

CONTRACT = """
NO_RULES SAFE_PATH VERDICTS Action Address Ask Attrs Budget Change Check Claim Command CommandOption
CommandResult Daemon Desired Discover Discovered Discovery Disrupts Drained Effect Fact Facts FailOver Found
Guard Health Held Host HostFacts Image InputError LeftOut Lifecycle Maintenance Member Mistake Network
Observed Output Partition Provider Secret Served Source Spec StackFiles Step TokenType Trigger Unknown
UsageError Verdict VerdictWord View Work account_claims quote suggestion
"""
TESTING = "KINDS Machine MemoryLink StepFault ThisMachine World"


@pytest.mark.parametrize(("module", "names"), [("hacore.contract", CONTRACT), ("hacore.testing", TESTING)])
def test_the_public_names_are_these(module: str, names: str) -> None:
    found = importlib.import_module(module)

    assert sorted(found.__all__) == sorted(names.split())
    assert [name for name in names.split() if not hasattr(found, name)] == []


def test_a_former_name_warns_and_is_the_present_one() -> None:
    testing = importlib.import_module("hacore.testing")

    with pytest.warns(DeprecationWarning, match=r"hacore\.testing\.Here is now ThisMachine"):
        assert testing.Here is testing.ThisMachine
