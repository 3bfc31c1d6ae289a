"""Walk: run the tasks of a plan, forwards and backwards, and write down each move."""

from .board import Board, Node, OnFailure
from .context import Context
from .health import ask_all
from .hostlock import Holder, acquire, release
from .walker import Walker, nodes_of

__all__ = ["Board", "Context", "Holder", "Node", "OnFailure", "Walker", "acquire", "ask_all", "nodes_of", "release"]
