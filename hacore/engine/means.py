"""The means of a command that works on hosts."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..contract import Provider
from ..events import Event, Listener, silent
from ..load.contained import all_contained
from ..transport import Password, Transport
from .connections import Connect, Hosts


def whoami() -> str:
    """The user and machine that a lock and a run name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in passwd, as under some container uids
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Means:
    """The kinds, the way to the hosts, and the user of a command.

    `connect` replaces SSH: hosts in memory, another transport. `password` is sudo's, for hosts that become
    root. `parallelism` bounds the execs that run at once. Once `stop` is set, nothing new is started.
    """

    providers: Mapping[str, Provider[Any]]
    listener: Listener = silent
    connect: Connect | None = None
    password: Password | None = None
    parallelism: int = 10
    user: str = ""  # who, unless it is the user of this process
    stop: asyncio.Event | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "providers", all_contained(self.providers))

    @property
    def who(self) -> str:
        """The user and machine that a lock and a run name; asked only then, since NSS may use sockets."""
        return self.user or whoami()

    def hosts(self, *, whole: bool = False) -> Hosts:
        """A pool without connections yet; `whole`: see `Hosts`."""
        return Hosts(
            Transport(listener=self.listener, password=self.password), self.listener, self.connect, whole=whole
        )

    def warn(self, message: str) -> None:
        """Report a warning to the user."""
        self.listener(Event("warning", message))
