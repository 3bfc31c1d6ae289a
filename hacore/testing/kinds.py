"""Kinds for machines in memory: small, each with one of the traits of real kinds.

thing    a value at a path: adopted and restored, secret, unknown, irreversible, disrupting, patient
pack     packages, aggregated over all resources of a host, several names shared
conf     a section of a file that is one task for all of its sections
daemon   loads values when it starts, reloads or restarts
gate     one of several hosts that serve together: guarded
shared   one instance over all hosts: exactly one of them must hold a name
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract import Provider
from .pairs import Gate, Shared
from .sharing import Conf, Pack
from .things import Daemon, Thing

KINDS: Mapping[str, Provider[Any]] = {
    provider.kind: provider for provider in (Thing(), Pack(), Conf(), Daemon(), Gate(), Shared())
}
