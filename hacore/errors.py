"""Every error that hacore raises, in one tree.

    HacoreError
    ├── UsageError              the command line is wrong (exit 64)
    ├── InputError              a file named on the command line cannot be read
    ├── StackError              one or more mistakes in a stack file; carries Problems
    ├── ExpressionError         a template or an expression cannot be evaluated
    ├── TransportError          cannot reach or run on a host
    │   ├── UnreachableError    no connection: the state of the host is not known
    │   │   ├── RestartedError  the host is reachable again, without the run's lock
    │   │   └── HostKeyError    the host's key is unknown or has changed
    │   ├── DeadlineError       a command did not end within its deadline
    │   └── FloodError          a command printed more than its limit
    ├── ProbeError              a host answered a probe in an unexpected form
    ├── ProviderError           a kind raised an error, or broke its contract
    ├── DoubtError              the result of a task cannot be determined
    ├── StepError               a step failed on a host
    │   └── FencedError         this run no longer holds the host's lock (exit 75)
    ├── PlanError               planning is not possible (cycles, claims, prevent_destroy)
    ├── StalePlanError          something that the plan depends on has changed
    ├── StoreError              the state cannot be read or written
    │   ├── DisconnectedError   the connection to the state's server is lost
    │   ├── ImageError          a before-image cannot be read
    │   ├── SerialError         another process changed the state
    │   └── LockedError         another run holds the lock
    ├── RunError                a run ended with failures
    ├── Cancelled               the user did not answer yes
    └── LabError                twins cannot be created or reached

Messages are lowercase, "cannot X: why"; they carry data only where a caller inspects it. `code` is what `--json`
prints: a part of the public format, independent of the name of the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class HacoreError(Exception):
    """The root: an error caused by the environment or the user, never by a bug in hacore."""

    code: ClassVar[str] = "HacoreError"


class UsageError(HacoreError):
    """The command line names something that does not exist, or combines options that exclude each other."""

    code: ClassVar[str] = "UsageError"


class InputError(HacoreError):
    """A file that the command line names cannot be read, or is of another kind."""

    code: ClassVar[str] = "InputError"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a stack file: place, address, what is wrong and what would be right."""

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

    code: ClassVar[str] = "StackError"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(p) for p in self.problems))


class ExpressionError(HacoreError):
    """An expression or a template that cannot be evaluated."""

    code: ClassVar[str] = "ExpressionError"


class TransportError(HacoreError):
    """A host cannot be reached, or a command cannot be run on it."""

    code: ClassVar[str] = "TransportError"


class UnreachableError(TransportError):
    """No connection to the host. Its resources are unknown, which is not the same as absent."""

    code: ClassVar[str] = "UnreachableError"


class RestartedError(UnreachableError):
    """A host was reached again without the run's lock (it rebooted): the last command may have run or not."""

    code: ClassVar[str] = "RestartedError"


class HostKeyError(UnreachableError):
    """The host's key is unknown or differs from the known one."""

    code: ClassVar[str] = "HostKeyError"


class DeadlineError(TransportError):
    """A command did not end within its deadline."""

    code: ClassVar[str] = "DeadlineError"


class FloodError(TransportError):
    """A command printed more than its limit; it was stopped."""

    code: ClassVar[str] = "FloodError"


class ProbeError(HacoreError):
    """A host answered a probe in a form that cannot be read."""

    code: ClassVar[str] = "ProbeError"


class ProviderError(HacoreError):
    """A kind failed: `brief` names method, kind and package; `addresses` the resources in question, if known.

    `spec` identifies the resource where no address is known.
    """

    code: ClassVar[str] = "ProviderError"

    def __init__(self, brief: str, addresses: Sequence[object] = (), spec: object = None) -> None:
        names = ", ".join(str(address) for address in addresses)
        super().__init__(f"cannot continue with {names}: {brief}" if names else brief)
        self.brief = brief
        self.addresses = tuple(addresses)
        self.spec = spec


class DoubtError(HacoreError):
    """The result of a task could not be determined, even on a second probe: the task is not undone for that."""

    code: ClassVar[str] = "DoubtError"


class StepError(HacoreError):
    """A step failed on a host; `output` is its output."""

    code: ClassVar[str] = "StepError"

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class FencedError(StepError):
    """The host's lock belongs to another run, or is missing (`gone`): this run must not continue there."""

    code: ClassVar[str] = "FencedError"

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class PlanError(HacoreError):
    """Planning is not possible."""

    code: ClassVar[str] = "PlanError"


class StalePlanError(PlanError):
    """Facts that a saved or shown plan depends on have changed; `changed` names the addresses."""

    code: ClassVar[str] = "StalePlanError"

    def __init__(self, message: str, changed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.changed = tuple(changed)


class StoreError(HacoreError):
    """The state cannot be read or written."""

    code: ClassVar[str] = "StoreError"


class DisconnectedError(StoreError):
    """The connection to the state's server was lost."""

    code: ClassVar[str] = "DisconnectedError"


class ImageError(StoreError):
    """A before-image cannot be read: it was pruned, is damaged, or its key is lost."""

    code: ClassVar[str] = "ImageError"


class SerialError(StoreError):
    """Another writer changed the state during the run."""

    code: ClassVar[str] = "SerialError"


class LockedError(StoreError):
    """Another run holds the lock of the state or of a host."""

    code: ClassVar[str] = "LockedError"


class RunError(HacoreError):
    """A run ended with failures."""

    code: ClassVar[str] = "RunError"


class Cancelled(HacoreError):  # noqa: N818 - a decision of the user, not an error
    """The user did not answer yes."""

    code: ClassVar[str] = "Cancelled"


class LabError(HacoreError):
    """Twins cannot be created, reached or destroyed."""

    code: ClassVar[str] = "LabError"
