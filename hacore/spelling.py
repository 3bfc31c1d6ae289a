"""Suggestions for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable


def closest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar to a wrong one; None when no name is similar."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(wrong, sorted(set(known)), n=1)), None)


def suggestion(wrong: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean X?`, or the text `otherwise` when no known name is similar."""
    found = closest(wrong, known)
    return otherwise if found is None else f"did you mean {found}?"
