"""What lint has found, as text for people, as JSON, and as annotations of GitHub."""

from __future__ import annotations

from typing import Any

from .catalogue import RULES
from .check import Checked
from .finding import Finding

__all__ = ["explanation", "github", "json_value", "text"]

FORMAT_VERSION = 1
"""The version of the JSON; a new one when a reader of the old one could misunderstand it."""


def text(checked: Checked) -> str:
    """One line for each finding, as compilers print them, and a line with the counts."""
    lines = [f"{f.at}: {f.severity}: {f.message} [{f.rule}]" for f in checked.findings]
    return "\n".join([*lines, *([""] if lines else []), _summary(checked)])


def _summary(checked: Checked) -> str:
    routers = [f"{next(iter(g.values())).name} on {_and(list(g))}" for g in checked.pairs]
    about = f"{_count(len(checked.members), 'configuration')}; " if len(checked.members) > 1 else ""
    about += f"together: {', '.join(routers)}; " if routers else ""
    warnings = len(checked.findings) - checked.faults
    if not checked.findings:
        return f"{about}nothing found"
    return f"{about}{_count(checked.faults, 'fault')}, {_count(warnings, 'warning')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def json_value(checked: Checked) -> dict[str, Any]:
    """The findings with their places, and which instances belong together."""
    return {
        "format_version": FORMAT_VERSION,
        "findings": [_finding(finding) for finding in checked.findings],
        "members": [member.name for member in checked.members],
        "pairs": [{name: instance.name for name, instance in group.items()} for group in checked.pairs],
        "summary": {"faults": checked.faults, "warnings": len(checked.findings) - checked.faults},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "file": finding.at.file,
        "line": finding.at.line,
        "column": finding.at.column,
        "message": finding.message,
        "fix": RULES[finding.rule].fix,
    }


def github(checked: Checked) -> str:
    """Workflow commands of GitHub Actions: they annotate the lines of a change."""
    kinds = {"fault": "error", "warning": "warning"}
    return "\n".join(
        f"::{kinds[f.severity]} file={_property(f.at.file)},line={f.at.line},col={f.at.column},"
        f"title={_property(f.rule)}::{_data(f.message)}"
        for f in checked.findings
    )


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def explanation(name: str) -> str:
    """What a rule is about, for `--explain`."""
    rule = RULES[name]
    return f"{name} ({rule.severity}): {rule.title}\n\n{rule.why}\n\n{rule.fix}"
