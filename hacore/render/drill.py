"""A drill as text and as JSON: each number beside its budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..drill.measured import measured_json
from ..plan.public_json import FORMAT_VERSION
from .style import PLAIN, Style
from .words import clean

if TYPE_CHECKING:
    from ..drill.measured import Measured
    from ..engine.drilling.order import DrillOrder, Rehearsed
    from ..engine.drilling.run import DrillResult
    from .drill_formats import DrillJson


def order_text(plan: Sequence[Rehearsed], order: DrillOrder) -> str:
    """What the drill is going to do, and what it may cost."""
    lines: list[str] = []
    last = ""
    for one in plan:
        if one.host != last:
            last = one.host
            lines += [
                f"Drill of {clean(one.address)}, held by {one.host}; {one.taker} takes over.",
                f"{order.rate:g} new connections a second to {clean(one.check.http)}, {order.baseline:g} s before and "
                "after each.",
            ]
        if one.budget is None:
            lines.append(f"  {one.scenario}: not played")
            continue
        expected = round(one.budget.seconds * order.rate)
        lines.append(f"  {one.scenario}: up to {expected} lost ({clean(str(one.budget))})")
        if one.double is not None:
            lines.append(f"    a second holder within {clean(str(one.double))}")
        if one.partition is not None:
            lines.append(f"    then one alone within {clean(str(one.partition.single))}")
            continue
        back = "stays where it went" if one.back is None else f"back within {one.back}"
        lines.append(f"    the address {clean(back)}")
    if scripts := dict.fromkeys(script for one in plan for script in one.notify):
        lines.append(f"Scripts that run at each move: {clean(', '.join(scripts))}")
    lines.append("Open connections end with each move.")
    return "\n".join(lines)


def drill_text(done: DrillResult, style: Style = PLAIN) -> str:
    """The result of each scenario, and of all."""
    lines: list[str] = []
    for one in done.scenarios:
        lines += _scenario(one, style)
    for finding in done.findings:
        lines.append(style("red", f"! {clean(finding)}"))
    if not done.restored:
        return "\n".join([*lines, style("red", clean(done.problem))])
    words = {"passed": "Drill passed", "failed": "Drill failed", "void": "Nothing is known"}[done.verdict]
    lines.append(style("green" if done.verdict == "passed" else "red", f"{words}, as run {done.run}."))
    return "\n".join(lines)


def _scenario(one: Measured, style: Style) -> list[str]:
    failures = [one.void] if one.void else list(one.failures())
    word = style("red", "failed") if failures else style("green", "passed")
    took = "nobody took it over" if one.took_over is None else f"another host had it after {one.took_over:.1f} s"
    lines = [f"{one.scenario} of {clean(one.address)} on {one.holder}: {word}"]
    lines.append(f"  lost {len(one.lost)} of {len(one.requests)} requests, longest gap {one.gap:.2f} s")
    lines.append(f"    budget {clean(str(one.budget))}")
    if one.cuts:
        lines.append(f"  cut {len(one.cuts)} of the open connections")
    lines.append(f"  {clean(one.address)}: {took}")
    if one.double is not None:
        lines.append(f"    budget {clean(str(one.double))}")
    if one.back is not None:
        words = ("no single holder", "one alone") if one.scenario == "partition" else ("not back", "back")
        when = words[0] if one.returned is None else f"{words[1]} after {one.returned:.1f} s"
        lines += [f"  {when}", f"    budget {clean(str(one.back))}"]
    lines.append(f"  held twice for {one.doubled:.1f} s; slowest answer {one.slowest:.2f} s")
    return [*lines, *(style("red", f"  ! {clean(text)}") for text in failures)]


def drill_json(done: DrillResult) -> DrillJson:
    """The same as JSON, with every request that was lost and every change of holders."""
    return {
        "format_version": FORMAT_VERSION,
        "run": done.run,
        "verdict": done.verdict,
        "restored": done.restored,
        "problem": done.problem,
        "rate": done.order.rate,
        "findings": list(done.findings),
        "scenarios": [_scenario_json(one) for one in done.scenarios],
    }


def _scenario_json(one: Measured) -> dict[str, object]:
    before: tuple[str, ...] | None = None
    changes = []
    for look in one.looks:
        if look.holders != before:
            changes.append(look)
        before = look.holders
    return {
        **measured_json(one),
        "acted": round(one.acted, 3),
        "restored": round(one.restored, 3),
        "lost_requests": [{"at": r.at, "why": r.lost} for r in one.lost],
        "cuts": [{"at": c.at, "connection": c.word, "why": c.why} for c in one.cuts],
        "holders": [{"at": round(o.at, 2), "hosts": list(o.holders)} for o in changes],
    }


def drill_exit_code(done: DrillResult) -> int:
    """0 passed, 2 failed, 1 not known, 3 a host was not restored."""
    if not done.restored:
        return 3
    return {"passed": 0, "failed": 2}.get(done.verdict, 1)


__all__ = ["drill_exit_code", "drill_json", "drill_text", "order_text"]
