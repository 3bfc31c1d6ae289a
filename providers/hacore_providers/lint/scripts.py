"""Check scripts, judged by reading them. Only what is certain is a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..keepalived import Statement
from .catalogue import RULES
from .finding import Finding, Member

__all__ = ["script_findings", "script_path"]

_ASKS = re.compile(r"\b(?:curl|wget|nc|ncat|telnet|ping6?|http|httping|nping)\b")
_KILLS = re.compile(
    r"\b(?:killall|pkill)\b[^\n;|&]*\bkeepalived\b|\b(?:systemctl|service)\b[^\n;|&]*\bkeepalived\b"
    r"|/init\.d/keepalived\s+stop"
)
_STARTS = re.compile(
    r"\bsystemctl\s+(?:-\S+\s+)*(?:re)?start\s+(?!keepalived)\S|\bservice\s+(?!keepalived)\S+\s+(?:re)?start\b"
    r"|/init\.d/(?!keepalived)\S+\s+(?:re)?start\b|/s?bin/(?:nginx|haproxy|httpd|apache2)\s*(?:$|[;&|\n])"
)
_EXITS = re.compile(r"\b(?:exit|return|exec)\b")


def script_path(command: str) -> str:
    """The program of a check: its first word, or the file that an interpreter runs."""
    words = command.split()
    if len(words) > 1 and re.search(r"/(?:ba|da|k)?sh\Z|/python[0-9.]*\Z|/perl\Z", words[0]) and words[1][:1] == "/":
        return words[1]
    return words[0] if words else ""


def script_findings(member: Member) -> Iterator[Finding]:
    """What is wrong with the scripts of one host: those in the file, and those that could be read."""
    addresses = {vip.address.partition("/")[0] for i in member.instances if i.spec is not None for vip in i.spec.vips}
    for statement in member.document.all("vrrp_script"):
        command = statement.last("script")
        if command is None:
            continue
        text = " ".join(command.values)
        content = member.scripts.get(script_path(text))
        yield from _judged(command, text, content, addresses)


def _judged(command: Statement, text: str, content: str | None, addresses: set[str]) -> Iterator[Finding]:
    path = script_path(text)
    lines = _code(content) if content is not None else []
    whole = "\n".join([text, *(line for _, line in lines)])
    asked = next((a for a in sorted(addresses) if _asks(whole, a)), None)
    if asked is not None:
        yield _at(command, "script-asks-address", f"the check asks {asked}, which its holder answers for all members")
    killing = _first(lines, _KILLS)
    if killing:
        yield _at(command, "script-kills-keepalived", f"{path}, line {killing}, stops keepalived")
    starting = _first(lines, _STARTS)
    if starting:
        yield _at(command, "script-restarts-service", f"{path}, line {starting}, starts the service")
    passing = _always_passes(lines)
    if passing:
        yield _at(command, "script-always-passes", f"{path} exits with 0 in any case: {passing}")
    elif _never_fails(lines):
        message = f"{path} names no exit code but 0: keepalived cannot see that the service has failed"
        yield _at(command, "script-never-fails", message)


def _at(command: Statement, rule: str, message: str) -> Finding:
    return Finding(rule, RULES[rule].severity, command.at, message)


def _code(content: str) -> list[tuple[int, str]]:
    """The lines with their numbers, without comments and blank ones."""
    lines = ((number, re.sub(r"(^|\s)#.*", "", line).strip()) for number, line in enumerate(content.splitlines(), 1))
    return [(number, line) for number, line in lines if line]


def _asks(text: str, address: str) -> bool:
    """Whether a program that asks over the network has the address among its arguments."""
    mention = re.compile(rf"(?<![0-9.:a-fA-F]){re.escape(address)}(?![0-9.:a-fA-F]*[0-9a-fA-F])")
    return any(_ASKS.search(part) and mention.search(part) for part in re.split(r"[;|&\n]", text))


def _first(lines: list[tuple[int, str]], pattern: re.Pattern[str]) -> int:
    return next((number for number, line in lines if pattern.search(line)), 0)


def _always_passes(lines: list[tuple[int, str]]) -> str:
    """Why a script always exits with 0, if that is certain; else empty.

    Certain: the last line is `exit 0`, no other line exits, and nothing ends the script at an error (set -e).
    """
    if not lines or any(re.match(r"set\s+-\w*e|trap\b", line) for _, line in lines):
        return ""
    if len(lines) > 1 and re.fullmatch(r"exit\s+0;?", lines[-1][1]):
        others = [
            number for number, line in lines[:-1] if _EXITS.search(line) and not re.fullmatch(r"exit\s+0;?", line)
        ]
        return "" if others else f"line {lines[-1][0]} is exit 0, and no other line exits"
    return ""


def _never_fails(lines: list[tuple[int, str]]) -> bool:
    """Whether no line exits with a failure, and the last one hides what was before it."""
    if not lines or any(re.match(r"set\s+-\w*e|trap\b", line) for _, line in lines):
        return False
    failing = any(re.search(r"\b(?:exit|return)\s+(?!0\b)\S|\bexec\b|\bfalse\b", line) for _, line in lines)
    return not failing and re.match(r"fi\b|done\b|esac\b|echo\b|logger\b|exit\b", lines[-1][1]) is not None
