"""Files to members, members to findings."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..keepalived import Document, Files, read
from ..keepalived.keywords import known
from ..vrrp_instance.from_config import found_instances
from .catalogue import RULES
from .finding import Finding, Member
from .pairs import Group, instance_findings, pair_findings, paired
from .rules import file_findings
from .scripts import script_findings, script_path

__all__ = ["Checked", "NotConfigurationError", "check", "members_of"]


class NotConfigurationError(ValueError):
    """A file that has no keyword of keepalived outside of blocks: it is something else."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What lint has found: the members, the virtual routers that they have together, the findings by place."""

    members: tuple[Member, ...]
    pairs: tuple[Group, ...]
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> int:
        """The number of faults."""
        return sum(finding.severity == "fault" for finding in self.findings)


def members_of(
    path: str, data: bytes, *, files: Files, ids: Sequence[str], scripts: Callable[[Iterable[str]], dict[str, str]]
) -> list[Member]:
    """The hosts that a file is for: one, or one for each id that its lines @ID name (`ids`: those alone).

    Raises NotConfigurationError.
    """
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise NotConfigurationError(f"cannot check {path}: keepalived reads no UTF-16: save it as UTF-8")
    document = read(data, path, files=files, config_id=None)
    if document.statements and not any(_known(s.keyword) for s in document.statements):
        raise NotConfigurationError(f"cannot check {path}: it has no keyword of keepalived.conf(5) outside of blocks")
    names = list(ids) or sorted(name for name in document.ids if name)
    if not names:
        return [_member(path, document, scripts)]
    found = {name: read(data, path, files=files, config_id=name) for name in names}
    return [_member(name, document, scripts) for name, document in found.items()]


def _known(keyword: str) -> bool:
    return keyword.lstrip("\ufeff") in known("/") or keyword.startswith("include")


def _member(name: str, document: Document, scripts: Callable[[Iterable[str]], dict[str, str]]) -> Member:
    commands = (s.last("script") for s in document.all("vrrp_script"))
    paths = {script_path(" ".join(command.values)) for command in commands if command is not None}
    return Member(name, document, tuple(found_instances(document)), scripts(sorted(paths - {""})))


def check(members: Sequence[Member]) -> Checked:
    """All findings of the members, each once, in the order of files and lines."""
    found: list[Finding] = []
    for member in members:
        found += file_findings(member)
        found += script_findings(member)
        for instance in member.instances:
            found += instance_findings(instance)
    groups, alone = paired(members)
    for group in groups:
        found += pair_findings(group)
    if len(members) > 1:
        for _, instance in alone:
            message = f"vrrp_instance {instance.name} has no partner in the other files"
            found.append(Finding("not-paired", RULES["not-paired"].severity, instance.statement.at, message))
    order = {file: number for number, file in enumerate(dict.fromkeys(f for m in members for f in m.document.files))}
    unique = sorted(dict.fromkeys(found), key=lambda f: (order.get(f.at.file, 0), f.at.line, f.at.column, f.rule))
    return Checked(tuple(members), tuple(groups), tuple(unique))
