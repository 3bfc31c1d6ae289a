"""The keepalived of a host: its configuration file, its version, and whether it is drained."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hacore.contract import Ask, Drained, quote

from .programs import ROOTS_OWN

HEADER = "# managed by hacore"
"""The beginning of each keepalived.conf that hacore writes."""

LIMIT = 256 * 1024
"""Bytes of the largest configuration that the probe returns as text."""

HIDE = r"s/\(\(^\|[[:space:]{#!]\)\(auth_pass\|key\|password\)[[:space:]][[:space:]]*\).*/\1(hidden)/"
"""A sed command that hides passwords: they never leave the host, not even those of a file not yet managed."""


_CONTENT = r"""
{ gsub(/"/, "") }
NF == 0 { next }
$1 == "{" { depth++; if (want) inside = depth; want = 0; next }
$1 == "}" { if (depth == inside) inside = 0; depth--; next }
{ want = 0 }
inside && depth == inside { print "address " $1; next }
$1 == "virtual_ipaddress" || $1 == "virtual_ipaddress_excluded" { want = 1 }
$1 == "vrrp_instance" && NF > 1 { print "instance " $2 }
$1 == "virtual_router_id" && NF > 1 { print "router_id " $2 }
$1 == "file" && $2 ~ /^\/var\/lib\/hacore\/drain\// { print "drain " $2 }
$1 == "virtual_server" && NF > 1 { print "server " $2 " " $3 }
"""
"""A program of awk for lines in which each brace stands alone: what the file serves."""


_OWN = r"\|".join(
    ["vrrp_[a-z_]*", "track_file", "track_process", "global_defs", "net_namespace", "namespace", "include[a-z]*"]
)
"""A basic regular expression for keywords of the file that hacore writes itself, or would have to read."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """An existing keepalived.conf: its hash (hex), mode (octal), owner, and what it serves.

    `instances`: their names; `addresses`: as written, of all instances, with excluded ones; `servers`: virtual servers
    as `ADDRESS PORT`, `fwmark N` or `group NAME`; `router_ids`: virtual router id by instance; `instance_of`: instance
    by address; `drains`: the files of operators' drains that it tracks. What the file includes is not read.
    `managed`: hacore has written it. `text`, with hidden passwords, is set only if the file differs from the desired
    one and may be shown.
    """

    sha256: str
    mode: str
    owner: str
    instances: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    router_ids: Mapping[str, int] = field(default_factory=dict)
    instance_of: Mapping[str, str] = field(default_factory=dict)
    managed: bool = False
    text: str | None = None
    drains: tuple[str, ...] = ()


class ConfigFact:
    """The file at the argument's path; no answer if it does not exist or is not a file."""

    name = "keepalived.config"

    def command(self, asks: Sequence[Ask]) -> str:
        """Four forks for each file: stat, sha256sum, sed and awk; two more for its text."""
        calls = (f"__k {quote(a.arg)} {quote(a.wanted)} {quote('no' if a.secret else 'yes')}" for a in asks)
        return f"""__k() {{
  [ -f "$1" ] || return 0
  sum=$(sha256sum <"$1") || return 0
  sum=${{sum%% *}}
  printf 'file %s %s %s\\n' "$sum" "$(stat -L -c '%a %U:%G %s' -- "$1")" "$1"
  first=; IFS= read -r first <"$1" || :
  case $first in {quote(HEADER)}*) echo managed ;; esac
  sed -e 's/[#!].*//' -e 's/[{{}}]/\\n&\\n/g' <"$1" | awk {quote(_CONTENT)}
  [ "$3" = yes ] && [ "$sum" != "$2" ] || return 0
  printf 'text '; head -c {LIMIT + 1} <"$1" | sed '{HIDE}' | base64 | tr -d '\\n'; echo
}}
{chr(10).join(calls)}"""

    def parse(self, stdout: bytes) -> Mapping[str, ConfigFile]:
        """Lines `file SHA256 MODE OWNER SIZE PATH`, each followed by the lines of its instances and its text."""
        found: dict[str, ConfigFile] = {}
        path, size = "", 0
        for line in stdout.decode("utf-8", "replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "file":
                sha256, mode, owner, length, path = rest.split(" ", 4)
                size = int(length)
                found[path] = ConfigFile(sha256, mode.zfill(4), owner)
            elif word == "managed" and path:
                found[path] = replace(found[path], managed=True)
            elif word == "instance" and path:
                found[path] = replace(found[path], instances=(*found[path].instances, rest))
            elif word == "router_id" and path and found[path].instances and rest.isdecimal():
                ids = {**found[path].router_ids, found[path].instances[-1]: int(rest)}
                found[path] = replace(found[path], router_ids=ids)
            elif word == "address" and path:
                now = found[path]
                known = {**now.instance_of, rest: now.instances[-1]} if now.instances else now.instance_of
                found[path] = replace(now, addresses=(*now.addresses, rest), instance_of=known)
            elif word == "drain" and path:
                found[path] = replace(found[path], drains=(*found[path].drains, rest.strip()))
            elif word == "server" and path:
                found[path] = replace(found[path], servers=(*found[path].servers, rest.strip()))
            elif word == "text" and path and size <= LIMIT:
                text = base64.b64decode(rest).decode("utf-8", "replace")
                found[path] = replace(found[path], text=text)
        return found


class IncludeFact:
    """What the files of the argument, an absolute pattern of `include`, have that hacore writes itself.

    The answer is (keyword, path) pairs: blocks of instances, sync groups, trackers and global_defs, and further
    includes, which are not followed. No answer if no file matches.
    """

    name = "keepalived.include"

    def command(self, asks: Sequence[Ask]) -> str:
        """Two forks for each file."""
        calls = "\n".join(f"__i {quote(a.arg)}" for a in asks)
        return f"""__i() {{
  IFS=
  for f in $1; do # the pattern expands, without being split
    [ -f "$f" ] && [ -r "$f" ] || continue
    printf 'file %s\\n' "$1"
    sed -n -e 's/[#!].*//' -e 's/^[[:space:]]*\\({_OWN}\\)\\([[:space:]{{].*\\)*$/\\1/p' <"$f" |
      while read -r word; do printf 'has %s %s\\n' "$word" "$f"; done
  done
  unset IFS
}}
{calls}"""

    def parse(self, stdout: bytes) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Lines `file PATTERN`, each followed by lines `has KEYWORD PATH`."""
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        pattern = ""
        for line in stdout.decode("utf-8", "replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "file":
                pattern = rest
                found.setdefault(pattern, ())
            elif word == "has" and pattern:
                keyword, _, path = rest.partition(" ")
                found[pattern] = (*found[pattern], (keyword, path))
        return found


class VersionFact:
    """The version of the keepalived at the argument's path: "2.2.7"; no answer if it does not exist.

    A stack names the path, and a plan asks for it: what somebody else than root could have put there is not run.
    """

    name = "keepalived.version"

    def command(self, asks: Sequence[Ask]) -> str:
        """keepalived prints its version to stderr."""
        names = " ".join(quote(a.arg) for a in asks)
        return (
            f'{ROOTS_OWN}for b in {names}; do roots_own "$b" && [ -x "$b" ] || continue; '
            'v=$("$b" -v 2>&1 | head -c 4096) || :\n'
            'printf \'%s %s\\n\' "$b" "${v%%)*}" | head -n 1; done'
        )

    def parse(self, stdout: bytes) -> Mapping[str, str]:
        """Lines `PATH Keepalived vX.Y.Z (...`."""
        lines = re.finditer(rb"(?m)^(\S+) \S+ v?(\d[\w.]*)", stdout)
        return {match[1].decode(): match[2].decode() for match in lines}


class DrainFact:
    """The content of the drain file at the argument's path: whether the host is drained."""

    name = "keepalived.drain"

    def command(self, asks: Sequence[Ask]) -> str:
        """No fork."""
        names = " ".join(quote(a.arg) for a in asks)
        return f'for f in {names}; do [ -r "$f" ] && read -r v <"$f" && printf \'%s %s\\n\' "${{v:-0}}" "$f"; done'

    def parse(self, stdout: bytes) -> Mapping[str, bool]:
        """Lines `NUMBER PATH`."""
        lines = (line.split(" ", 1) for line in stdout.decode("utf-8", "replace").splitlines() if " " in line)
        return {path: value not in ("", "0") for value, path in lines}


class MaintenanceFact:
    """The record of an operator's drain, PATH.json for the drain file at PATH; no answer if there is none.

    A record that cannot be read counts as one without an author: the host is drained all the same.
    """

    name = "keepalived.maintenance"

    def command(self, asks: Sequence[Ask]) -> str:
        """No fork."""
        names = " ".join(quote(a.arg) for a in asks)
        has = '[ -r "$f.json" ] && IFS= read -r v <"$f.json"'
        return f'for f in {names}; do {has} && printf \'%s\\t%s\\n\' "$f" "$v"; done'

    def parse(self, stdout: bytes) -> Mapping[str, Drained]:
        """Lines `PATH<tab>JSON`."""
        lines = (line.split("\t", 1) for line in stdout.decode("utf-8", "replace").splitlines() if "\t" in line)
        return {path: drained_from(text) for path, text in lines}


def drained_from(text: str) -> Drained:
    """The record of a drain, from the JSON that `drained_text` wrote."""
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return Drained()

    def seconds(name: str) -> float | None:
        value = data.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    by, reason = (str(data.get(name, "")) for name in ("by", "reason"))
    return Drained(by, seconds("since"), seconds("until"), reason, data.get("hard") is True)


def drained_text(order: Drained) -> str:
    """The record of a drain as one line of JSON."""
    data = {"by": order.by, "since": order.since, "until": order.until, "reason": order.reason, "hard": order.hard}
    return json.dumps(data) + "\n"


CONFIG = ConfigFact()
INCLUDE = IncludeFact()
VERSION = VersionFact()
DRAIN = DrainFact()
MAINTENANCE = MaintenanceFact()
