"""Attributes of a change, line by line: the previous and the new value."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from ..diff import AttrChange
from .style import Name, Style
from .values import LINES, show, show_lines
from .words import clean, count, cut

_HUNK_LINES = 400
_WIDEST_LINE = 500  # a line of a minified file can have megabytes
Mode = Literal["create", "delete", "update", "drift"]
COLOURS: dict[str, Name] = {"+": "green", "-": "red", "~": "yellow", "-/+": "red", "=": "cyan", ".": "dim", "!": "red"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its indent; `mark` is its symbol, or empty."""

    mark: str
    text: str
    depth: int = 0

    def render(self, indent: int, style: Style) -> str:
        """The line with indent and colour."""
        mark = style(COLOURS[self.mark], self.mark) if self.mark in COLOURS else self.mark or " "
        body = style(COLOURS[self.mark], self.text) if self.depth and self.mark in COLOURS else self.text
        return f"{' ' * (indent + 4 * self.depth)}{mark} {body}".rstrip()


def attr_lines(changes: Sequence[AttrChange], mode: Mode, *, replacing: Collection[str] = ()) -> list[Line]:
    """All attributes, with `=` in one column. `replacing`: attributes that cannot change in place."""
    width = max((len(c.path) for c in changes if not c.hunks), default=0)
    lines: list[Line] = []
    for change in changes:
        forces = "  # forces replacement" if root(change.path) in replacing else ""
        mark = _mark(change, mode)
        if change.hunks:
            lines.append(Line(mark, f"{change.path}:{forces}"))
            lines += _hunk_lines(change.hunks, mode)
            continue
        first, *rest = _values(change, mode)
        lines.append(Line(mark, f"{change.path:<{width}} = {first}{forces}"))
        lines += [Line("", text, 1) for text in rest]
    return lines


def root(path: str) -> str:
    """The attribute at the beginning of a path: `directories[0].mode` -> `directories`."""
    return path.partition("[")[0].partition(".")[0]


def _mark(change: AttrChange, mode: Mode) -> str:
    if mode in ("create", "delete"):
        return "+" if mode == "create" else "-"
    if change.sensitive or change.hunks or mode == "drift":
        return "~"
    if change.before is None and not change.unknown:
        return "+"
    return "-" if change.after is None else "~"


def _values(change: AttrChange, mode: Mode) -> list[str]:
    if change.sensitive:
        return ["(sensitive, changed)" if mode in ("update", "drift") else "(sensitive)"]
    if mode == "delete":
        return show_lines(change.before)
    if mode == "create":
        return show_lines(change.after)
    mark = _mark(change, mode)
    if mark in "+-":
        return show_lines(change.after if mark == "+" else change.before)
    return [f"{show(change.before)} -> {show(change.after)}"]


def _hunk_lines(hunks: Sequence[str], mode: Mode) -> list[Line]:
    """The lines of a unified diff; for a new text only its first lines, without hunk headers."""
    if mode == "create":
        text = [clean(line[1:])[:_WIDEST_LINE] for line in hunks if line.startswith("+")]
        return [
            Line("" if line.startswith("… ") and i == LINES else "+", line, 1)
            for i, line in enumerate(cut(text, LINES))
        ]
    lines = []
    for hunk in hunks[:_HUNK_LINES]:
        mark = hunk[:1] if hunk[:1] in ("+", "-") else ""
        lines.append(Line(mark, clean(hunk[1:] if mark or hunk.startswith(" ") else hunk)[:_WIDEST_LINE], 1))
    if len(hunks) > _HUNK_LINES:
        lines.append(Line("", f"… {count(len(hunks) - _HUNK_LINES, 'more line')} (all of them: --json)", 1))
    return lines
