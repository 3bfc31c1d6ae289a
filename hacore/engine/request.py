"""What a command asks of the engine."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contract import Provider
from ..events import Listener, silent
from ..load.contained import all_contained
from ..plan import NO_SELECTION, Selection
from ..transport import Password
from .connections import Connect


def whoami() -> str:
    """The user and machine that a lock and a run name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in passwd, as under some container uids
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Request:
    """A stack file and what surrounds it. `parallelism` bounds the execs that run at once.

    `password` is sudo's, for hosts that become root. `connect` takes the place of SSH: hosts in memory,
    another transport. `refresh` False: a plan compares with
    what is recorded and asks no host. `take_over`: hosts that another state of the stack manages become this one's.
    `no_irreversible`: refuse a plan with a change that could not be undone. `confirm_within`: seconds after
    which a touched host puts itself back unless a new connection to it could be made; 0: it does not.
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
    take_over: bool = False
    no_irreversible: bool = False
    confirm_within: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "providers", all_contained(self.providers))


def state_url_of(file: Path, *, env_name: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The state of a stack, without evaluating its variables. Raises StackError for a file that cannot be read."""
    from ..load import state_url

    return state_url(file, env_name=env_name, environ=environ)
