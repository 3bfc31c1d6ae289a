"""Asking hosts: all questions of a host in one POSIX sh script and one exec; and running steps there."""

from .host import BASE
from .link import Batch, Frame, HostLink, Result, SessionLink
from .script import frames, probe_script, read_probe, steps_script

__all__ = [
    "BASE",
    "Batch",
    "Frame",
    "HostLink",
    "Result",
    "SessionLink",
    "frames",
    "probe_script",
    "read_probe",
    "steps_script",
]
