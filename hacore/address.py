"""Addresses: how a user, a plan and the state name one resource instance.

Grammar: `kind.name["key"]@host`. The kind ends at the first dot, the host starts after the last
`@` outside brackets, the key is a JSON string. An address without host or key is a *selector*: for all
instances (without host) or all keys of a for_each (without key).
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field, replace

from .errors import UsageError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
KIND = re.compile(r"[a-z][a-z0-9_]*\Z")
_SHAPE = re.compile(
    r"""(?P<kind>[a-z][a-z0-9_]*)\.
        (?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)
        (?:\[(?P<key>"(?:[^"\\]|\\.)*")\])?
        (?:@(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*))?\Z""",
    re.VERBOSE | re.DOTALL,
)


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Address:
    """One resource instance, or a selector of several; compared by kind, name, key, host."""

    kind: str
    name: str
    key: str | None = None
    host: str | None = None
    _hash: int = field(init=False, repr=False, compare=False)  # used fifty times in a plan

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.kind, self.name, self.key, self.host)))

    def __hash__(self) -> int:
        return self._hash

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address from its text; raises UsageError that shows the correct form."""
        match = _SHAPE.match(text)
        if match is None:
            raise UsageError(f'cannot read address {text!r}: write it as kind.name, kind.name["key"] or kind.name@host')
        key = json.loads(match["key"]) if match["key"] else None
        return cls(match["kind"], match["name"], key, match["host"])

    def __str__(self) -> str:
        key = "" if self.key is None else f"[{json.dumps(self.key, ensure_ascii=False)}]"
        host = "" if self.host is None else f"@{self.host}"
        return f"{self.kind}.{self.name}{key}{host}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Address):
            return NotImplemented
        return self._order() < other._order()

    def _order(self) -> tuple[str, str, str, str]:
        return (self.kind, self.name, self.key or "", self.host or "")

    @property
    def resource(self) -> str:
        """`kind.name`: the block in the stack file that this instance comes from."""
        return f"{self.kind}.{self.name}"

    def at(self, host: str | None) -> Address:
        """The same resource on another host."""
        return replace(self, host=host)

    def selects(self, other: Address) -> bool:
        """Whether this selector covers `other`: a missing part matches all."""
        return (
            (self.kind, self.name) == (other.kind, other.name)
            and self.key in (None, other.key)
            and self.host in (None, other.host)
        )
