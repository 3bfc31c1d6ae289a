"""What a command asks of the engine."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract import Provider
from ..events import Listener, silent
from ..load.contained import all_contained
from ..plan import NO_SELECTION, Selection
from ..transport import Password
from .connections import Connect

if TYPE_CHECKING:
    from ..walk import OnFailure


def whoami() -> str:
    """The user and machine that a lock and a run name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in passwd, as under some container uids
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How to apply, as the user asked for it.

    `destroy`: roll back everything that the stack made. `resume`: continue the interrupted run. `on_failure`: roll the
    failed lane back, or halt. `allow_degraded`: apply to the other hosts when some cannot be reached. `take_over`:
    hosts that another state of the stack manages become this one's. `no_irreversible`: refuse a plan with a change
    that cannot be undone. `confirm_within`: seconds after which a changed host reverts automatically unless a new
    connection to it succeeds; 0: never.
    """

    destroy: bool = False
    resume: bool = False
    on_failure: OnFailure = "rollback"
    allow_degraded: bool = False
    take_over: bool = False
    no_irreversible: bool = False
    confirm_within: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """A stack file and its surroundings. `parallelism` bounds the commands that run at the same time.

    `password` is for sudo, on hosts that become root. `connect` replaces SSH: hosts in memory, another transport.
    `refresh` False: a plan compares with the state and contacts no host. `options`: how to apply.
    """

    file: Path
    providers: Mapping[str, Provider[Any]]
    variables: Mapping[str, str] = field(default_factory=dict)
    var_files: tuple[Path, ...] = ()
    env_name: str | None = None
    state_url: str | None = None
    listener: Listener = silent
    parallelism: int = 10
    who: str = field(default_factory=whoami)
    selection: Selection = NO_SELECTION
    refresh: bool = True
    connect: Connect | None = None
    password: Password | None = None
    options: ApplyOptions = field(default_factory=ApplyOptions)

    def __post_init__(self) -> None:
        object.__setattr__(self, "providers", all_contained(self.providers))


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """The state to roll back in, and how the user asked for it; neither stack nor variables are needed.

    `run`: roll back to before this run; None: the last applied one. `force`: also overwrite what was changed by hand
    since. `no_irreversible`: refuse a rollback that leaves something behind. The rest is as in `Request`.
    """

    state_url: str
    providers: Mapping[str, Provider[Any]]
    run: int | None = None
    force: bool = False
    no_irreversible: bool = False
    listener: Listener = silent
    parallelism: int = 10
    who: str = field(default_factory=whoami)
    connect: Connect | None = None
    password: Password | None = None


def state_url_of(file: Path, *, env_name: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The state of a stack, without evaluating its variables. Raises StackError for a file that cannot be read."""
    from ..load import state_url

    return state_url(file, env_name=env_name, environ=environ)
