"""The time line of a scenario: as it was measured, as a run keeps it, and on the report of a stack."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hacore.drill.measured import measured_json
from hacore.drill.timeline import MOST, timeline, timeline_from_json, timeline_json
from hacore.engine.status_check import StatusReport
from hacore.engine.verdicts import AddressStatus
from hacore.render.report_page import report_page
from hacore.store import RunRecord
from tests.drill.test_measured import CUT, GOOD, requests


def kept(one: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps({**measured_json(one), "timeline": timeline_json(timeline(one))}))
    return found


def test_a_time_line_has_each_change_of_holders_once() -> None:
    line = timeline(GOOD)
    assert line.holders == [(0.0, ("lb1",)), (5.0, ()), (5.6, ("lb2",)), (13.0, ("lb1",))]
    assert (line.word, line.acted, line.restored, line.end) == ("stop", 5.0, 10.0, 20.0)
    assert line.lost == [5.0, 5.1, 5.2]


def test_what_a_run_keeps_is_drawn_as_what_was_measured() -> None:
    for one in (GOOD, CUT):
        assert timeline_from_json(kept(one)) == timeline(one)
    assert timeline_from_json(dict(measured_json(GOOD))) is None  # of a drill that kept none


def test_of_very_many_lost_requests_the_first_are_kept() -> None:
    lost = replace(GOOD, requests=requests(*(n / 200 for n in range(3000)), rate=200.0), rate=200.0)
    assert len(timeline_json(timeline(lost))["lost"]) == MOST


def test_the_last_drill_is_on_the_report_of_its_stack() -> None:
    options = {"verdict": "failed", "rate": 10.0, "scenarios": [kept(GOOD), kept(CUT)], "findings": ["service: <none>"]}
    drill = RunRecord(7, "drill", "failed", 0.0, 1.0, "me", "web", "", "halt", options=options)
    address = AddressStatus("192.0.2.1", "split-brain", "lb2 hears <nothing>", "hacore plan", ("lb1", "lb2"))
    report = StatusReport("web", "sqlite://", "l", 3, {}, (address,), drill=drill)
    page = report_page(report, [], [drill], "<p>no</p>")
    assert "<title>web: split-brain</title>" in page
    assert "lb2 hears &lt;nothing&gt;" in page and "Next: <code>hacore plan</code>" in page
    assert "<h2>Last drill: <span class=failed>failed</span></h2>" in page
    assert page.count('aria-label="time line"') == 2
    assert "3 of 200" in page and "service: &lt;none&gt;" in page
    none = report_page(replace(report, drill=None), [], [], "<p>no</p>")
    assert "There was none: <code>hacore drill</code>" in none
