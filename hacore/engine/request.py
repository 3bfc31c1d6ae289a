"""What a command asks of the engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..load.request import LoadRequest
from ..plan import NO_SELECTION, Selection
from .means import Means

if TYPE_CHECKING:
    from ..walk import OnFailure


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How a plan is applied.

    `allow_degraded`: also when a host is unreachable. `take_over`: hosts that another state of the stack
    manages become this state's. `no_irreversible`: refuse a plan with an irreversible change.
    `confirm_within`: seconds after which a touched host reverts automatically unless a new connection
    confirms the change; 0: never.
    """

    on_failure: OnFailure = "rollback"
    allow_degraded: bool = False
    take_over: bool = False
    no_irreversible: bool = False
    confirm_within: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """A stack and what to do with it. `refresh` False: a plan compares with the state and connects to no host."""

    load: LoadRequest
    means: Means
    selection: Selection = NO_SELECTION
    refresh: bool = True
    options: ApplyOptions = ApplyOptions()


def state_url_of(file: Path, *, env_name: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The state of a stack, without evaluating its variables. Raises StackError for a file that cannot be read."""
    from ..load import state_url

    return state_url(file, env_name=env_name, environ=environ)
