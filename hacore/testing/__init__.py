"""Test helpers: hosts in memory with kinds of their own, like a fake transport for an HTTP client;
and `ThisMachine`: this machine as a host, for the shell of real kinds.

    world = World("lb1", "lb2")
    world["lb1"].data["/etc/web.conf"] = {"text": "old"}
    world["lb2"].fail("set /etc/web.conf")
    request = Request(LoadRequest(file), Means(KINDS, connect=world.connect))
    result = await apply(request, approve=yes)

Plan, walk and state are real, only the hosts are not. For the tests of hacore itself
and of kinds of third parties. The engine does not import this package.
"""

from __future__ import annotations

from ..contract.former import renamed
from .kinds import KINDS
from .machine import Machine, StepFault
from .this_machine import ThisMachine
from .world import MemoryLink, World

__all__ = ["KINDS", "Machine", "MemoryLink", "StepFault", "ThisMachine", "World"]

__getattr__ = renamed(__name__, {"Here": "ThisMachine"})
