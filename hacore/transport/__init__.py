"""Transport: POSIX sh text onto a host and its output back, over SSH or on this machine.

    Transport   one connection per host, made when it is first asked for, kept, shared
    Session     a way onto one host; `run` is exactly one exec
    Limits      what one exec may take, in seconds and bytes
    Password    sudo's, for hosts where the way to root asks for one

asyncssh is imported by this package alone, and only once an ssh host is asked for: importing
`hacore.transport` costs next to nothing.
"""

from __future__ import annotations

from .become import Password
from .limits import Limits
from .pool import Transport
from .session import Session

__all__ = ["Limits", "Password", "Session", "Transport"]
