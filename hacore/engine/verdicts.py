"""The verdict on each address that hosts serve together, and on all of them: pure, for `status` and `drift`.

    no-holder      nobody holds it
    split-brain    several hosts hold it
    not-serving    one host holds it, but a check fails
    unknown        nobody is seen to hold it, and a member did not answer
    no-redundancy  one host holds it, and no other member would take it over
    drained        a member is out of service on purpose
    healthy        none of these

The verdict on a stack is the worst one of its addresses; the list is in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ..contract import VERDICTS, Daemon, Member, Served, Verdict, VerdictWord

OUTAGES = ("no-holder", "split-brain")
"""The verdicts of an address that not exactly one host holds: drift, whatever the state of the resources."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One health check, and who asked: the holder's name, or `hacore` for this machine."""

    by: str
    question: str
    good: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class AddressStatus:
    """An address, the verdict on it, why, and the next command. `resources`: those that report it."""

    address: str
    verdict: VerdictWord
    cause: str = ""
    remedy: str = ""
    holders: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    resources: tuple[str, ...] = ()


def worst(found: Iterable[AddressStatus]) -> VerdictWord | None:
    """The verdict on all addresses; None if there is no address."""
    words = [one.verdict for one in found]
    return min(words, key=VERDICTS.index, default=None)


def assess(
    seen: Sequence[tuple[str, Served]],
    daemons: Mapping[str, Sequence[Daemon]],
    asked: Mapping[str, Sequence[Verdict]] | None = None,
) -> tuple[AddressStatus, ...]:
    """The status of each address of which the members are known, in order of its text.

    `seen`: resource and what it reports. `daemons`: by host. `asked`: by address, the checks that this machine made.
    """
    groups: dict[str, list[tuple[str, Served]]] = {}
    for resource, served in seen:
        groups.setdefault(served.address, []).append((resource, served))
    known = [(address, group) for address, group in sorted(groups.items()) if any(s.members for _, s in group)]
    return tuple(_assess(address, group, daemons, (asked or {}).get(address, ())) for address, group in known)


def _assess(
    address: str,
    group: Sequence[tuple[str, Served]],
    daemons: Mapping[str, Sequence[Daemon]],
    asked: Sequence[Verdict],
) -> AddressStatus:
    members = tuple({m.host: m for _, served in group for m in served.members}.values())
    holders = tuple(m.host for m in members if m.holds)
    by = holders[0] if len(holders) == 1 else "holder"
    checks = [CheckResult(by, v.question, v.good, v.words) for _, served in group for v in served.checks]
    checks += [CheckResult("hacore", v.question, v.good, v.words) for v in asked]
    verdict, cause, remedy = _verdict(group, members, holders, daemons, checks)
    resources = tuple(dict.fromkeys(resource for resource, _ in group))
    return AddressStatus(address, verdict, cause, remedy, holders, members, tuple(checks), resources)


def _verdict(
    group: Sequence[tuple[str, Served]],
    members: Sequence[Member],
    holders: Sequence[str],
    daemons: Mapping[str, Sequence[Daemon]],
    checks: Sequence[CheckResult],
) -> tuple[VerdictWord, str, str]:
    cause, remedy = next(((s.cause, s.remedy) for _, s in group if s.cause), ("", ""))
    silent = [m.host for m in members if m.able is None]
    if not holders and silent:
        return "unknown", f"{_and(silent)} did not answer, and no other member holds the address", ""
    if not holders:
        return "no-holder", cause, remedy
    if len(holders) > 1:
        return "split-brain", cause, remedy
    failed = [check for check in checks if check.good is False]
    if failed:
        return _not_serving(holders[0], failed, daemons)
    standby = [_with_daemons(m, daemons) for m in members if not m.holds]
    holder = next(m for m in members if m.holds)
    if not any(m.able for m in standby):
        causes = "; ".join(m.cause for m in standby if m.cause) or "no other member is configured"
        return "no-redundancy", causes, next((m.remedy for m in standby if m.remedy), "")
    if holder.cause:  # holds it, although its daemon does not run
        return "no-redundancy", holder.cause, holder.remedy
    drained = [m for m in members if m.drained]
    if drained:
        ordered = next((m.host for m in drained if m.order is not None), "")
        return "drained", "; ".join(map(drained_words, drained)), f"hacore undrain {ordered}" if ordered else ""
    return "healthy", "", ""


def _not_serving(
    holder: str, failed: Sequence[CheckResult], daemons: Mapping[str, Sequence[Daemon]]
) -> tuple[VerdictWord, str, str]:
    first = failed[0]
    down = [d.name for d in daemons.get(holder, ()) if d.wanted and not d.up]
    who = f"asked by {_and(dict.fromkeys(check.by for check in failed if check.question == first.question))}"
    cause = f"{first.question}: {first.words} ({who})"
    if down:
        return "not-serving", f"{stopped_words(down)} on {holder}; {cause}", f"on {holder}: systemctl start {down[0]}"
    at = f"on {holder}: " if any(check.by == holder for check in failed) else ""
    return "not-serving", cause, f"{at}curl -v {first.question}"


def _with_daemons(member: Member, daemons: Mapping[str, Sequence[Daemon]]) -> Member:
    """A member on which a wanted daemon is stopped may take the address over, and not serve."""
    down = [d.name for d in daemons.get(member.host, ()) if d.wanted and not d.up]
    if not member.able or not down:
        return member
    cause = f"{stopped_words(down)} on {member.host} and should run there"
    return replace(member, able=False, cause=cause, remedy=f"on {member.host}: systemctl start {down[0]}")


def stopped_words(units: Sequence[str]) -> str:
    """Which units are stopped."""
    return f"{_and(units)} {'is' if len(units) == 1 else 'are'} stopped"


def drained_words(member: Member) -> str:
    """Since when a host is drained, by whom, until when, and why."""
    order = member.order
    if order is None:
        return f"{member.host} is drained"
    words = [f"{member.host} is drained"]
    words += [f"since {_at(order.since)}"] if order.since is not None else []
    words += [f"by {order.by}"] if order.by else []
    words += [f"until {_at(order.until)}"] if order.until is not None else []
    late = ""
    if member.overdue:
        late = ", which is overdue" if order.until is not None else ", for more than a day"
    return " ".join(words) + late + (f" ({order.reason})" if order.reason else "")


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _and(names: Iterable[str]) -> str:
    return " and ".join(names)


__all__ = ["OUTAGES", "VERDICTS", "AddressStatus", "CheckResult", "VerdictWord", "assess", "worst"]
