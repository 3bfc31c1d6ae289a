"""Walk: run the tasks of a plan, forwards and backwards, and write down each move."""

from .arming import Timer
from .board import Board, OnFailure
from .context import Context, Relock, never
from .health import ask_all
from .hostlock import Holder, acquire, release
from .marks import marking, unmarking
from .marks import write as write_marks
from .nodes import Node, nodes_of
from .walker import Walker

__all__ = [
    "Board",
    "Context",
    "Holder",
    "Node",
    "OnFailure",
    "Relock",
    "Timer",
    "Walker",
    "acquire",
    "ask_all",
    "marking",
    "never",
    "nodes_of",
    "release",
    "unmarking",
    "write_marks",
]
