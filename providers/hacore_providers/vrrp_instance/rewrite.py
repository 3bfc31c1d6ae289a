"""What replacing a keepalived.conf that hacore does not manage changes besides its form.

The statements of both files are compared without their order, comments, quotes and blanks, and without values that
keepalived takes anyhow. What hacore adds to each file, the trackers for the drain, is named and not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from hacore.contract import View

from ..facts.keepalived import CONFIG
from ..keepalived import Statement, read
from .companions import any_hidden, companions
from .config_text import masked, render
from .spec import VrrpInstanceSpec

SHOWN = 3
"""Statements of each kind that the effect has in words; the difference shows all of them."""

_DRAIN = "hacore_drain"
_DEFAULTS = frozenset(("state BACKUP", "priority 100", "advert_int 1", "version 2"))
_SAME = {"track_file": "vrrp_track_file", "lb_algo": "lvs_sched", "lb_kind": "lvs_method"}
_SECRET = ("auth_pass", "password", "key")

Line = tuple[tuple[str, ...], str]  # the heads of the blocks around a statement, and its words


def rewritten(view: View[VrrpInstanceSpec]) -> str:
    """The words for the effect of the first write; empty if hacore manages the file, or its text is not known."""
    found = view.facts.get(CONFIG, view.spec.config)
    if found is None or found.managed or found.text is None or any_hidden(view):
        return ""
    before = Counter(_lines(read(found.text.encode(), view.spec.config).statements))
    after = Counter(_lines(read(masked(render(companions(view))).encode(), view.spec.config).statements))
    removed, added = list((before - after).elements()), list((after - before).elements())
    if not removed and not added:
        return f"rewrite {view.spec.config}: formatting only, with trackers for the drain"
    words = [f"{verb} {_some(lines)}" for verb, lines in (("removes", removed), ("adds", added)) if lines]
    return f"rewrite {view.spec.config}: besides formatting, {' and '.join(words)}, with trackers for the drain"


def _some(lines: list[Line]) -> str:
    shown = [f"{text} ({' '.join(heads)})" if heads else text for heads, text in lines[:SHOWN]]
    more = len(lines) - SHOWN
    return ", ".join([*shown, f"{more} more"] if more > 0 else shown)


def _lines(statements: Iterable[Statement], heads: tuple[str, ...] = ()) -> Iterator[Line]:
    for statement in statements:
        text = _text(statement)
        if _DRAIN in text:
            continue
        if statement.block is None:
            if not (heads and text in _DEFAULTS):
                yield heads, text
        elif inner := list(_lines(statement.block, (*heads, text))):
            yield from inner
        elif not any(_DRAIN in _text(one) for one in statement.block):
            yield heads, text  # an empty block counts, too: PING_CHECK { }


def _text(statement: Statement) -> str:
    """The words of a statement in one form."""
    keyword = statement.keyword
    if keyword in _SECRET:
        return keyword
    values = [_value(word) for value in statement.values for word in value.split()]
    return " ".join([_SAME.get(keyword, keyword) if statement.values else _value(keyword), *values])


def _value(word: str) -> str:
    """A number without superfluous digits, an address without the length that it has anyhow."""
    try:
        number = float(word)
    except ValueError:
        return word.removesuffix("/32").removesuffix("/128")
    return str(int(number)) if number == int(number) else str(number)


__all__ = ["SHOWN", "rewritten"]
