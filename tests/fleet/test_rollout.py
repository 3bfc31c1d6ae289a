"""The rules of a rollout hold whatever happens, in whatever order, and after any crash of the coordinator."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.fleet.rollout import Policy, Progress, Wave, at_once_now, decide, plan_waves
from hacore.fleet.values import Result

NAMES = [f"s{number}" for number in range(12)]
policies = st.builds(
    Policy,
    at_once=st.integers(1, 6),
    at_once_per=st.dictionaries(st.sampled_from(["site", "rack"]), st.integers(1, 3)),
    failed=st.integers(1, 4),
    unreachable=st.integers(1, 4),
    strict=st.booleans(),
    min_done=st.one_of(st.integers(1, 5), st.floats(0.01, 1.0)),
)
waves = st.lists(
    st.builds(
        Wave,
        st.one_of(st.integers(1, 5), st.floats(0.01, 1.0)),
        st.dictionaries(st.just("site"), st.sampled_from(["a", "b"]), max_size=1),
        st.sampled_from([None, "rack"]),
    ),
    max_size=4,
)
fleets = st.lists(
    st.fixed_dictionaries({"site": st.sampled_from(["a", "b", "c"]), "rack": st.sampled_from(["1", "2"])}),
    min_size=1,
    max_size=len(NAMES),
)
results: st.SearchStrategy[Result] = st.sampled_from(["changed", "changed", "unchanged", "failed", "unreachable"])


@given(fleets, waves, policies, st.data())
def test_the_rules_hold(rows: Any, written: Any, policy: Policy, data: st.DataObject) -> None:
    names = NAMES[: len(rows)]
    labels = dict(zip(names, rows, strict=True))
    parts = plan_waves(names, labels, written)
    assert sorted(name for part in parts for name in part) == sorted(names), "each stack is in one wave"
    assert all(parts)
    progress = Progress()
    began: Counter[str] = Counter()
    crashes = data.draw(st.lists(st.integers(0, 15), max_size=3, unique=True))
    for step in range(200):
        decision = decide(parts, labels, policy, progress)
        counts = Counter(progress.outcomes.values())
        spent = counts["failed"] >= policy.failed or counts["unreachable"] >= policy.unreachable
        if decision.do == "begin":
            assert not spent, "nothing begins once the budget is spent"
            assert decision.stacks
            for name in decision.stacks:
                assert name in parts[progress.checked], "no wave begins before the one before it was checked"
                assert name not in progress.outcomes, "what has an outcome never begins again"
                assert name not in progress.running
            running = progress.running | set(decision.stacks)
            assert len(running) <= at_once_now(policy, progress.outcomes)
            for key, most in policy.at_once_per.items():
                assert max(Counter(labels[name][key] for name in running).values()) <= most
            if policy.strict:
                left = min(policy.failed - counts["failed"], policy.unreachable - counts["unreachable"])
                assert len(running) <= left + 1
            began.update(decision.stacks)
            progress = Progress(progress.outcomes, frozenset(running), progress.checked, progress.unclean)
        elif decision.do == "wait":
            assert progress.running, "it waits for something"
            if step in crashes:  # the coordinator was killed: what ran has no outcome
                for name in progress.running:
                    began[name] -= 1
                progress = Progress(progress.outcomes, frozenset(), progress.checked, progress.unclean)
                continue
            name = data.draw(st.sampled_from(sorted(progress.running)))
            outcomes = {**progress.outcomes, name: data.draw(results)}
            progress = Progress(outcomes, progress.running - {name}, progress.checked, progress.unclean)
        elif decision.do == "check":
            assert not progress.running
            assert set(parts[decision.wave]) <= set(progress.outcomes)
            clean = data.draw(st.booleans())
            checked = progress.checked + clean
            progress = Progress(progress.outcomes, frozenset(), checked, "" if clean else "drift")
        else:
            assert not progress.running, "it ends when everything has ended"
            assert bool(decision.why) or set(progress.outcomes) == set(names)
            break
    else:
        pytest.fail("it never ends")
    assert all(count == 1 for count in began.values() if count), "each stack began once between two crashes"
    counts = Counter(progress.outcomes.values())
    if policy.strict:
        assert counts["failed"] <= policy.failed + 1
        assert counts["unreachable"] <= policy.unreachable + 1
    assert counts["failed"] < policy.failed + policy.at_once
    assert counts["unreachable"] < policy.unreachable + policy.at_once


def test_waves_of_a_fleet() -> None:
    names = [f"n{number}" for number in range(200)]
    labels = {name: {"site": "lab" if number < 2 else f"site{number % 3}"} for number, name in enumerate(names)}

    found = plan_waves(
        names, labels, [Wave(1, {"site": "lab"}), Wave(5, per="site"), Wave(0.25), Wave(0.05), Wave(1.0)]
    )

    assert [len(wave) for wave in found] == [1, 16, 33, 1, 149]
    assert found[0] == ("n0",)
    assert sum(map(len, found[:3])) == 50, "percentages are cumulative"
    assert plan_waves(["a"], {"a": {}}, []) == [("a",)]
    assert plan_waves(["a", "b"], {"a": {}, "b": {}}, [Wave(0.01)]) == [("a",), ("b",)]


@pytest.mark.parametrize(("good", "do"), [(1, "end"), (2, "check")])
def test_a_wave_needs_half_of_its_stacks(good: int, do: str) -> None:
    policy = Policy(5, {}, 100, 100, False, 0.5)
    parts = [("a", "b", "c", "d"), ("e",)]
    outcomes: dict[str, Result] = {n: "changed" if i < good else "failed" for i, n in enumerate(parts[0])}
    decision = decide(parts, {n: {} for p in parts for n in p}, policy, Progress(outcomes))
    assert decision.do == do
    if do == "end":
        assert decision.why == "wave 1: 1 of 4 stacks are done, 2 are needed (min_done)"
