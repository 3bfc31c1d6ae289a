"""What a stack is loaded from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


def _environ() -> Mapping[str, str]:
    return os.environ


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """A stack file and the values given to it.

    `variables` are the texts of --var, `env_name` names `env/NAME.yaml`, `state_url` overrides the stack's
    state, `environ` has HACORE_VAR_*, HACORE_STATE, HACORE_CACHE and what `env('…')` reads.

    `closed`: the stack may be a stranger's. `env('…')` without a default has no value, which is not reported; what
    depends on it is left out of the stack. A stack file or environment file that is a link out of its folder is an
    error.
    """

    file: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    var_files: Sequence[Path] = ()
    env_name: str | None = None
    state_url: str | None = None
    environ: Mapping[str, str] = field(default_factory=_environ)
    closed: bool = False
