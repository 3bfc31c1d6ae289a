"""Loading: reads a stack file, its variables and its folder into a Stack, or reports all mistakes at once."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .find import find_stack
from .registry import load_providers
from .request import LoadRequest
from .stack import Bystander, Instance, Need, Position, Stack

if TYPE_CHECKING:
    from ..contract import Provider
    from .evaluator import Evaluator

__all__ = [
    "Bystander",
    "Instance",
    "LoadRequest",
    "Need",
    "Position",
    "Stack",
    "find_stack",
    "load",
    "load_evaluator",
    "load_providers",
    "stack_schema",
    "state_url",
]


def load(request: LoadRequest, providers: Mapping[str, Provider[Any]]) -> Stack:
    """Load a stack file. Only the stack's folder, `var_files` and the download cache are read.

    Raises StackError with all mistakes (file, line, column, address, the mistake and its correction),
    UsageError for files that do not exist.
    """
    from .loader import load_stack  # Jinja2 and the YAML parser are not needed to start up

    with _without_collection():
        return load_stack(request, providers)


def load_evaluator(request: LoadRequest, providers: Mapping[str, Provider[Any]]) -> Evaluator:
    """Load a stack file to evaluate more expressions against it; raises as `load`."""
    from .loader import load_evaluator as make

    with _without_collection():
        return make(request, providers)


def state_url(file: Path, *, env_name: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The state URL of a stack, without its variables and resources; for `drift`.

    Raises StackError for a file that is not a stack, UsageError for one that cannot be read.
    """
    from .outline import state_url as find_state

    return find_state(file, env_name, environ)


def stack_schema(providers: Mapping[str, Provider[Any]]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a stack file with the bodies of these kinds."""
    from .schema import stack_schema as make

    return make(providers)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the cyclic garbage collector: loading keeps most of its objects, and scanning them is half its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
