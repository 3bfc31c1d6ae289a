"""The facts and the steps of machines in memory."""

# ruff: noqa: ARG002 - a kind is handed more than it needs

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..address import Address
from ..contract import Ask, Image, Output, Step
from .machine import Machine
from .world import World


def sha(text: str) -> str:
    """The hash of a text, in the form of an attr."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def script(*operations: Sequence[Any], **more: Any) -> Step:
    """A step of operations."""
    return Step(json.dumps(operations), **more)


@dataclass(frozen=True)
class Question:
    """A question to a machine in memory: `value` of a key, `unit`, or whether it `holds` a name."""

    name: str

    def command(self, asks: Sequence[Ask]) -> str:
        """Nothing for a shell."""
        return ":"

    def parse(self, stdout: bytes) -> Mapping[str, Any]:
        """Nothing from a shell."""
        return {}

    def answer(self, world: World, machine: Machine, ask: Ask) -> Any:
        """The answer; of a secret value only its hash."""
        if self.name == "holds":
            return world.holder(ask.arg) == machine.name
        if self.name == "unit":
            return machine.units.get(ask.arg)
        value = machine.data.get(ask.arg)
        if value is not None and ask.secret:
            return {**value, "text": "", "sha": sha(value.get("text", ""))}
        return value


VALUE = Question("value")
UNIT = Question("unit")
HOLDS = Question("holds")


def images(key_of: Mapping[Address, str], *, sensitive: bool = False, modes: tuple[int, ...] | None = None) -> Any:
    """A capture's parse: the printed values by their keys, None for missing ones; `modes` as in Image."""

    def parse(output: Output) -> dict[Address, Image]:
        found = json.loads(output.stdout or b"{}")
        return {
            address: Image(data=found.get(key), sensitive=sensitive, modes=modes) for address, key in key_of.items()
        }

    return parse
