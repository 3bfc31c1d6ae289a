"""Saved plans, drift's memory and markers of earlier versions."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.frozen.thawing import CANARY, DATA, thaw
from tests.frozen.today import (
    MARKERS,
    PlanError,
    PlanText,
    Play,
    canonical,
    find,
    load_plan,
    news,
    plan_json,
    plan_text,
    read,
)


def test_a_saved_plan_of_an_update_is_shown() -> None:
    saved = load_plan(DATA / "update.plan")
    assert saved.who == "tester@test"
    assert saved.state == "sqlite:////srv/web/state/test.db"
    shown = plan_json(saved.plan)
    assert {c["address"]: c["action"] for c in shown["changes"]} == {
        "daemon.web@a": "update",
        "daemon.web@b": "update",
        "pack.tools@a": "update",
        "pack.tools@b": "update",
        "thing.bin@a": "update",
        "thing.bin@b": "update",
        "thing.conf@a": "replace",
        "thing.conf@b": "replace",
        "thing.found@b": "update",
        "thing.key@a": "update",
        "thing.old@b": "delete",
        'thing.page["about"]@a': "create",
        'thing.page["index"]@a': "update",
    }
    assert [(d["address"], d["host"]) for d in shown["drift"]] == [
        ('thing.page["about"]@a', "a"),
        ('thing.page["index"]@a', "a"),
    ]
    ops = [(t["op"], t["host"]) for t in shown["tasks"]]
    assert ops.index(("drain", "a")) < ops.index(("undrain", "a"))
    assert ops.index(("drain", "b")) < ops.index(("undrain", "b"))
    assert len(ops) == len(json.loads((DATA / "update.plan").read_text().splitlines()[1])["plan"]["tasks"])
    assert shown["summary"] == {**shown["summary"], "create": 1, "update": 9, "replace": 2, "delete": 1}
    assert saved.plan.outputs == {"url": "http://192.0.2.9/"}


def test_a_saved_plan_is_shown_as_text_with_its_reasons_and_no_secret() -> None:
    text = plan_text(load_plan(DATA / "update.plan").plan, PlanText("web.db"))
    for words in (
        "thing.conf@a",
        "it lives somewhere else now",
        'thing.page["about"]@a is gone',
        "not in the stack any more",
        "restart because of thing.conf, thing.bin",
        "(sensitive, changed)",
        "drain",
    ):
        assert words in text, words
    assert CANARY not in text


def test_a_saved_plan_of_a_selection_before_there_is_a_state_is_shown() -> None:
    saved = load_plan(DATA / "first.plan")
    assert [str(t) for t in saved.plan.selection.targets] == ["thing.key", "daemon.web@a"]
    assert [str(t) for t in saved.plan.selection.excludes] == ["thing.page"]
    assert "thing.key@a" in [c["address"] for c in plan_json(saved.plan)["changes"]]
    assert {str(address) for address in saved.secret} == {"thing.key@a"}
    assert saved.plan.left_out > 0
    assert saved.plan.widened
    assert CANARY not in (DATA / "first.plan").read_text()


@pytest.mark.parametrize("name", ["update.plan", "first.plan"])
def test_a_damaged_plan_of_an_earlier_version_is_told_as_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text((DATA / name).read_text().replace('"thing', '"thong', 1))
    with pytest.raises(PlanError, match="damaged"):
        load_plan(path)


async def test_what_drift_told_an_earlier_version_is_no_news(play: Play) -> None:
    thawed = thaw("drifted", play)
    thawed.world["b"].reachable = False
    report = await thawed.drift()
    assert {str(d.address) for d in report.drift} == {"thing.conf@a", "thing.key@a", 'thing.page["about"]@a'}
    before = read(DATA / "drift.json")
    assert before.at == 1700000000.0
    found = news(report, before)
    assert (found.fresh, found.known, found.report.drift) == (False, 3, ())

    thawed.world["a"].data["/bin/web"] = {"text": "by hand, too"}
    found = news(await thawed.drift(), before)
    assert (found.fresh, [str(d.address) for d in found.report.drift]) == (True, ["thing.bin@a"])


async def test_whose_a_host_is_was_told_too(play: Play) -> None:
    thawed = thaw("drifted", play)
    thawed.world["a"].markers = json.loads((DATA / "marker.json").read_text())
    thawed.world["b"].base = replace(thawed.world["b"].base, machine_id="another-machine")
    found = news(await thawed.drift(), read(DATA / "drift-whose.json"))
    assert not found.fresh
    assert (found.report.ownership.new_machines, found.report.ownership.foreign_hosts) == ((), ())


def test_markers_of_an_earlier_version_are_read() -> None:
    texts = json.loads((DATA / "marker.json").read_text())
    found = MARKERS.parse("\n".join(texts.values()).encode())[""]
    assert {marker.file for marker in found} == set(texts)
    for marker in found:
        assert (marker.stack, marker.env, marker.host, marker.serial) == ("web", "", "a", 10)
        assert marker.who == "tester@test"
        assert marker.claims["own 2d1f2ceb62c9b295"] == 'thing.page["about"]'
        assert len(marker.claims) == 9


async def test_a_host_is_known_by_the_marker_that_an_earlier_version_wrote(play: Play) -> None:
    thawed = thaw("finished", play)
    made = await thawed.plan()
    assert made["changes"] == []
    report = await thawed.drift()
    assert (report.ownership.due, report.ownership.foreign_hosts) == ((), ())
    (thawed.states / "test.db").unlink()
    with pytest.raises(PlanError, match="another state"):
        await thawed.apply()


def test_the_key_beside_a_state_is_that_of_its_marks(tmp_path: Path) -> None:
    """HMACs of a recorded secret and of a plan's are made again from the value alone."""

    for name in ("first.plan", "update.db"):
        path = tmp_path / f"{name}.key"
        shutil.copyfile(DATA / f"{name}.key", path)
        path.chmod(0o600)
        key = find(path, "").key
        assert key is not None
        content = json.loads((DATA / f"{name.split('.')[0]}.plan").read_text().splitlines()[1])
        assert content["key"] == key.id
        assert content["stack"]["secrets"] == {"secret": key.hmac(canonical(CANARY))}
