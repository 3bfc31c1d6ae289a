"""Every error that hacore raises, in one tree.

    HacoreError
    ├── UsageError              the command line is wrong (exit 64)
    ├── StackError              one or more mistakes in a stack file; carries Problems
    ├── ExpressionError         a template or an expression that does not evaluate
    ├── TransportError          cannot reach or run on a host
    │   ├── UnreachableError    no connection: the host may be fine, we do not know
    │   │   ├── RestartedError  the host is there again and has forgotten the run's lock
    │   │   └── HostKeyError    the host's key is unknown or has changed
    │   ├── DeadlineError       a command outlived its deadline on the host
    │   └── FloodError          a command printed more than is read
    ├── ProbeError              a host answered, but not in the form that was asked for
    ├── ProviderError           a kind raised, or returned what the contract does not allow
    ├── DoubtError              a host does not tell what came of a task
    ├── StepError               a step failed on a host
    │   └── FencedError         the host's lock is not ours any more (exit 75 there)
    ├── PlanError               no plan can be made (cycles, claims, prevent_destroy)
    ├── StalePlanError          the plan rests on something that has changed
    ├── StoreError              the state cannot be read or written
    │   ├── DisconnectedError   the connection to the state's server was lost
    │   ├── ImageError          a before-image cannot be read; the rest of the state can
    │   ├── SerialError         another process wrote the state
    │   └── LockedError         somebody else holds the lock
    ├── RunError                a run ended with failures
    ├── Cancelled               the user did not say yes
    └── LabError                twins cannot be made or reached

Messages are lowercase and say "cannot X: why"; they carry data only where a caller inspects it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HacoreError(Exception):
    """The root: a fault that is the world's or the user's, never a bug of hacore's own."""


class UsageError(HacoreError):
    """The command line asks for something that does not exist or does not fit together."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a stack file: where, of which address, what is wrong and what would be right."""

    file: str
    line: int
    column: int
    message: str
    address: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        who = f"{self.address}: " if self.address else ""
        return f"{where}{who}{self.message}"


class StackError(HacoreError):
    """A stack file with mistakes; `problems` lists all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(p) for p in self.problems))


class ExpressionError(HacoreError):
    """An expression or a template that cannot be evaluated."""


class TransportError(HacoreError):
    """A host cannot be reached or a command cannot be run there."""


class UnreachableError(TransportError):
    """No connection to the host. What is on it is unknown, which is not the same as absent."""


class RestartedError(UnreachableError):
    """A host that was lost and reached again had forgotten our lock: what was sent to it may have run or not."""


class HostKeyError(UnreachableError):
    """The host's key is unknown or differs from the known one."""


class DeadlineError(TransportError):
    """A command did not end within its deadline."""


class FloodError(TransportError):
    """A command printed more than its limit; it was stopped."""


class ProbeError(HacoreError):
    """A host answered a probe in a form that cannot be read."""


class ProviderError(HacoreError):
    """A kind is at fault: `brief` names method, kind and package; `addresses` whom it was asked about, if known.

    `spec` is what it was asked about where no address is known.
    """

    def __init__(self, brief: str, addresses: Sequence[object] = (), spec: object = None) -> None:
        names = ", ".join(str(address) for address in addresses)
        super().__init__(f"cannot go on with {names}: {brief}" if names else brief)
        self.brief = brief
        self.addresses = tuple(addresses)
        self.spec = spec


class DoubtError(HacoreError):
    """A host was asked again and does not tell what came of a task: that is no reason to undo it."""


class StepError(HacoreError):
    """A step failed on a host; `output` is what it printed."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class FencedError(StepError):
    """The host's lock carries another run's token, or is `gone`: nothing more may be done there."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class PlanError(HacoreError):
    """No plan can be made."""


class StalePlanError(PlanError):
    """A saved or shown plan rests on facts that are no longer so; `changed` names the addresses."""

    def __init__(self, message: str, changed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.changed = tuple(changed)


class StoreError(HacoreError):
    """The state cannot be read or written."""


class DisconnectedError(StoreError):
    """The connection to the state's server was lost."""


class ImageError(StoreError):
    """A before-image cannot be read: it is pruned or damaged, or the key that encrypted it is lost."""


class SerialError(StoreError):
    """The state moved under us: another writer committed."""


class LockedError(StoreError):
    """Another run holds the lock of the state or of a host."""


class RunError(HacoreError):
    """A run ended with failures."""


class Cancelled(HacoreError):  # noqa: N818 - the user's word, not a fault
    """The user did not say yes."""


class LabError(HacoreError):
    """Twins cannot be made, reached or taken down."""
