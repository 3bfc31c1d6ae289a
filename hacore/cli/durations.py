"""Durations on the command line: `90`, `90s`, `5m`, `1h`."""

from __future__ import annotations

import re

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """A number of seconds, minutes or hours; the value is in seconds, at least `least`."""

    name = "duration"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds. Usage errors say what would be right."""
        found = re.fullmatch(r"(\d+)([smh]?)", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no duration: write 90s, 5m or 1h", param, ctx)
        seconds = int(found[1]) * _UNITS[found[2]]
        if seconds < self.least:
            self.fail(f"{value} is too short: it takes {self.least}s or more", param, ctx)
        return seconds


__all__ = ["Duration"]
