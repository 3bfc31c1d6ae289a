"""Test helpers: hosts that live in memory and the kinds to fill them, as a fake transport is for an HTTP client;
and `ThisMachine`, this machine as a host for the shell of real kinds.

    world = World("lb1", "lb2")
    world["lb1"].data["/etc/web.conf"] = {"text": "old"}
    world["lb2"].fail("set /etc/web.conf")
    request = Request(LoadRequest(file), Means(KINDS, connect=world.connect))
    result = await apply(request, approve=yes)

Plan, walk and state are the real ones; only the hosts are not. Made for the tests of hacore itself
and of kinds that third parties write. Nothing of the engine imports this package.
"""

from __future__ import annotations

from ..contract.former import renamed
from .kinds import KINDS
from .machine import Machine, StepFault
from .this_machine import ThisMachine
from .world import MemoryLink, World

__all__ = ["KINDS", "Machine", "MemoryLink", "StepFault", "ThisMachine", "World"]

__getattr__ = renamed(__name__, {"Here": "ThisMachine"})
