"""Walk: run the tasks of a plan, forwards and backwards, and record each move."""

from ..probe.marker import marking, unmarking
from ..probe.marker import write as write_marks
from .board import Board, OnFailure
from .context import Context, Relock, never
from .health import ask_all
from .held import HeldAddresses, held_before
from .held_check import await_moves, lost_addresses
from .hostlock import Holder, acquire, release
from .nodes import Node, nodes_of
from .timer import Timer
from .walker import Walker

__all__ = [
    "Board",
    "Context",
    "HeldAddresses",
    "Holder",
    "Node",
    "OnFailure",
    "Relock",
    "Timer",
    "Walker",
    "acquire",
    "ask_all",
    "await_moves",
    "held_before",
    "lost_addresses",
    "marking",
    "never",
    "nodes_of",
    "release",
    "unmarking",
    "write_marks",
]
