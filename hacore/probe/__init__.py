"""Probing hosts, with all questions of a host in one POSIX sh script and one exec, and running steps there."""

from .host import BASE
from .link import Batch, Frame, HostLink, Result, SessionLink
from .marker import ASK_MARKERS, MARKERS, Marker, claim_marks, token_digest
from .script import frames, probe_script, read_probe, steps_script

__all__ = [
    "ASK_MARKERS",
    "BASE",
    "MARKERS",
    "Batch",
    "Frame",
    "HostLink",
    "Marker",
    "Result",
    "SessionLink",
    "claim_marks",
    "frames",
    "probe_script",
    "read_probe",
    "steps_script",
    "token_digest",
]
