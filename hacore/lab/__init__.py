"""Twins of a stack's hosts on this machine: real systemd, real sshd, the hosts' addresses, a network of their own.

A lab needs root on Linux with systemd-nspawn; `check_prerequisites` lists what is missing. Nothing here prints.
"""

from __future__ import annotations

from hacore.lab.lab import Lab, LabInfo
from hacore.lab.model import Bystander, LabSpec, Twin
from hacore.lab.system import check_prerequisites

__all__ = ["Bystander", "Lab", "LabInfo", "LabSpec", "Twin", "check_prerequisites"]
