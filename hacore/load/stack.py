"""What `load` makes of a stack file: a Stack of Instances, every expression evaluated.

Nothing here knows a host's facts: the whole stack is known before the first connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..address import Address

if TYPE_CHECKING:  # completion in a shell reads stacks without what comes with these
    from ..contract import Spec
    from ..model import Host, Lifecycle


def _lifecycle() -> Lifecycle:
    from ..model import Lifecycle

    return Lifecycle()


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Need:
    """An edge as written: `selector` must be done before. Resolved to instances by `graph`."""

    selector: Address
    position: Position
    why: str = "needs"  # needs, reload_on, restart_on, instance, reference


@dataclass(frozen=True, slots=True)
class Instance:
    """One resource instance that the stack wants: its spec is evaluated, resolved and valid.

    `host` is None for kinds that look at all their hosts together; `hosts` then has all of them.
    `sensitive` holds the dotted paths of the spec's fields that tell a secret. `files` are those of
    the stack's folder that the spec took in as they are: sources and patches, not templates.
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
    """A machine that twins and rehearsals bring to life, and that is never planned."""

    name: str
    address: str
    port: int = 80
    status: int = 200
    body: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack file, loaded.

    `switched_off`: addresses whose `when` is false. `secrets`: the sensitive strings themselves, for
    redaction of whatever is shown. `digest` names the loaded content. `variables` are the values that
    it was loaded with, `sensitive_variables` the names of those that are secret.
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
