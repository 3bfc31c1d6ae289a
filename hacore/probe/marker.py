"""The marker of a managed host: the state that manages it, and the claims of that stack there.

One file with one line of JSON for each stack, `stacks/LINEAGE.HOST.json` in hacore's folder on the host.
Every plan's probe reads all of them; a run writes its own under the host's lock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..address import NAME, Address
from ..contract import Ask, quote
from ..contract.claims import token_type
from ..errors import FencedError, TransportError
from ..model import JSON
from ..printable import one_line
from . import HostLink
from .folders import FOLDERS
from .lock import LOCKING
from .script import FENCED, PRELUDE

_COMMAND = r"""
for marker in "$HACORE_HOME"/stacks/*.json; do [ -r "$marker" ] && cat "$marker"; done
"""


@dataclass(frozen=True, slots=True)
class Marker:
    """A stack that manages a host, as recorded on that host.

    `env` is the stack's environment, empty without one; stack and env together name a state. `host` is
    the host's name in the stack. `serial` and `when` (Unix time in seconds) are those of the last write.
    `claims` maps `own DIGEST` or `share DIGEST` of each claimed token to the address that claims it.
    """

    stack: str
    env: str
    host: str
    lineage: str
    serial: int
    who: str
    when: float
    claims: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.lineage}.{self.host}.json"

    @property
    def title(self) -> str:
        """The stack's name for people."""
        return f"{self.stack} (env {self.env})" if self.env else self.stack

    def text(self) -> str:
        """The line of the file."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    def to_json(self) -> dict[str, JSON]:
        """The marker as JSON, on a host and in a saved plan; `from_json` reverses it."""
        return {
            "stack": self.stack,
            "env": self.env,
            "host": self.host,
            "lineage": self.lineage,
            "serial": self.serial,
            "who": self.who,
            "when": self.when,
            "claims": dict(self.claims),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Marker:
        """A marker from `to_json`; raises KeyError, TypeError, AttributeError or ValueError when invalid.

        Texts that are shown to people are those of a host, which may be captured: they become one printable line.
        """
        return cls(
            stack=one_line(str(data["stack"])),
            env=one_line(str(data["env"])),
            host=str(data["host"]),
            lineage=str(data["lineage"]),
            serial=int(data["serial"]),
            who=one_line(str(data["who"])),
            when=float(data["when"]),
            claims={str(mark): str(address) for mark, address in data["claims"].items()},
        )


def claim_marks(claims: Iterable[tuple[Address, Iterable[str]]]) -> dict[str, str]:
    """The claims of a marker, from addresses with claims in the form of a row (`own path:/x`).

    Tokens become digests, because a path may contain a secret.
    """
    found: dict[str, str] = {}
    for address, stored in sorted(claims, key=lambda item: item[0]):
        for claim in stored:
            mode, _, token = claim.partition(" ")
            found.setdefault(
                f"{'own' if token_type(token).whole else mode} {token_digest(token)}", str(address.at(None))
            )
    return dict(sorted(found.items()))


def token_digest(token: str) -> str:
    """The digest of a claimed token in a marker."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


class _Markers:
    """All markers of a host; the answer's argument is empty."""

    name = "markers"

    def command(self, asks: Sequence[Ask]) -> str:  # noqa: ARG002 - as every fact
        """The snippet; it needs no argument."""
        return _COMMAND

    def parse(self, stdout: bytes) -> Mapping[str, tuple[Marker, ...]]:
        """A line for each marker; raises ValueError for one that cannot be read."""
        return {"": tuple(_read(line) for line in stdout.decode("utf-8", "replace").splitlines() if line)}


def _read(line: str) -> Marker:
    try:
        marker = Marker.from_json(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("a file in hacore's folder stacks/ on the host is not a marker of hacore: remove it") from None
    if not (NAME.match(marker.lineage) and NAME.match(marker.host)):  # they make a file's name
        raise ValueError("a marker in hacore's folder stacks/ on the host has an invalid name: remove it")
    return marker


MARKERS = _Markers()
ASK_MARKERS = Ask(MARKERS, "")


def marking(marker: Marker) -> str:
    """Shell text that writes a marker: whole or not at all, readable for its owner only."""
    return f"""{FOLDERS}
__folder "$HACORE_HOME" 0755 && __folder "$HACORE_HOME/stacks" 0700 || exit 1
mark=$(mktemp "$HACORE_HOME/stacks/.new.XXXXXXXX") || exit 1
printf '%s\\n' {quote(marker.text())} >"$mark" || {{ rm -f "$mark"; exit 1; }}
mv -f "$mark" "$HACORE_HOME/stacks/"{quote(marker.file)} || exit 1
"""


def unmarking(markers: Iterable[Marker]) -> str:
    """Shell text that removes markers, and hacore's folders with the last of them."""
    lines = [f'rm -f "$HACORE_HOME/stacks/"{quote(marker.file)} || exit 1\n' for marker in markers]
    return "".join([*lines, 'rmdir "$HACORE_HOME/stacks" "$HACORE_HOME" 2>/dev/null || :\n'])


async def write(link: HostLink, token: str, text: str) -> None:
    """Run text of `marking` and `unmarking` under the host's lock `token`. Raises FencedError, TransportError."""
    output = await link.shell(
        f"""{PRELUDE}{LOCKING}
__write() {{
now=; [ -r "$HACORE_RUN/lock" ] && read -r now <"$HACORE_RUN/lock"
[ "$now" = {quote(token)} ] || exit {FENCED}
{text}
}}
__exclusive __write
"""
    )
    at = f"{link.host.name}@{link.host.address}"
    if output.rc == FENCED:
        raise FencedError(f"cannot mark {at}: the host's lock is held by another run; nothing was changed there")
    if output.rc != 0:
        detail = output.stderr.decode("utf-8", "replace").strip()
        raise TransportError(f"cannot mark {at}: {detail or f'exit code {output.rc}'}")
