"""A loaded stack file: a Stack of Instances, with all expressions evaluated.

Nothing here depends on facts of hosts: the whole stack is known before the first connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..address import Address

if TYPE_CHECKING:  # shell completion reads stacks without these imports
    from ..contract import Spec
    from ..model import Host, Lifecycle


def _lifecycle() -> Lifecycle:
    from ..model import Lifecycle

    return Lifecycle()


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A position in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Need:
    """An edge of the stack file: `selector` is applied before. `graph` resolves it to instances."""

    selector: Address
    position: Position
    why: str = "needs"  # needs, reload_on, restart_on, instance, reference


@dataclass(frozen=True, slots=True)
class Instance:
    """One resource instance of the stack: its spec is evaluated, resolved and valid.

    `host` is None for kinds over all their hosts together; `hosts` then has all of them. `sensitive` has the
    dotted paths of the spec's fields that contain a secret. `files` are the files of the stack's folder of
    which the content is part of the spec: sources and patches, not templates.
    """

    address: Address
    spec: Spec
    host: str | None
    hosts: tuple[str, ...]
    position: Position
    needs: tuple[Need, ...] = ()
    lifecycle: Lifecycle = field(default_factory=_lifecycle)
    sensitive: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bystander:
    """A machine that exists only in labs and rehearsals; never planned."""

    name: str
    address: str
    port: int = 80
    status: int = 200
    body: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack file, loaded.

    `switched_off`: addresses with a false `when`. `secrets`: the sensitive strings, for redaction of all
    output. `digest` identifies the loaded content. `variables` are the values that it was loaded with,
    `sensitive_variables` the names of the secret ones. `unread`: variables of the environment that a closed request
    did not read; what depends on them is missing.
    """

    name: str
    folder: Path
    file: Path
    state: str  # SQLAlchemy URL
    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    instances: Mapping[Address, Instance]
    switched_off: frozenset[Address] = frozenset()
    bystanders: tuple[Bystander, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    sensitive_outputs: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    digest: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    sensitive_variables: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
