"""Transport: runs POSIX sh scripts on hosts, over SSH or on this machine.

    Transport   one connection per host, opened at first use, kept and shared
    Session     a connection to one host; `run` is exactly one exec
    Limits      limits of one exec, in seconds and bytes
    Payload     bulk data that follows a script on stdin
    Password    the password of sudo, for hosts that ask for it

Only this package imports asyncssh, and only for the first ssh host: importing `hacore.transport` is cheap.
"""

from __future__ import annotations

from .become import Password
from .limits import Limits
from .payload import Content, Payload
from .pool import Transport
from .session import Session

__all__ = ["Content", "Limits", "Password", "Payload", "Session", "Transport"]
