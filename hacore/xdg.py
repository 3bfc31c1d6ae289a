"""Folders of a user by the XDG base directory specification, version 0.8."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str]) -> Path:
    """hacore's folder for what it keeps between runs: `$XDG_STATE_HOME/hacore`, by default in ~/.local/state."""
    return _base(environ, "XDG_STATE_HOME", ".local/state") / "hacore"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """hacore's folder for what it can fetch again: `$XDG_CACHE_HOME/hacore`, by default in ~/.cache."""
    return _base(environ, "XDG_CACHE_HOME", ".cache") / "hacore"


def _base(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """The specification: a relative path is invalid and must be ignored."""
    given = environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path(environ.get("HOME") or Path.home()) / default
