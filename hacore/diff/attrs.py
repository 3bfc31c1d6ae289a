"""Comparison of attrs: only the keys that are desired count."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import Attrs, Unknown


@dataclass(frozen=True, slots=True)
class AttrChange:
    """One attribute's way from `before` to `after`; `path` is what the user reads: `directories[0].mode`.

    `hunks` are the lines of a unified diff where the attribute stands for a text. `sensitive` values
    are never shown: only that they changed, and hunks of a text in which the secret is masked.
    """

    path: str
    before: Any = None
    after: Any = None
    hunks: tuple[str, ...] = ()
    sensitive: bool = False

    @property
    def unknown(self) -> bool:
        """Whether the new value is known only after apply."""
        return isinstance(self.after, Unknown)


def same(before: Attrs | None, after: Attrs | None, ignore: Collection[str] = ()) -> bool:
    """Whether `before` has all that `after` wants. None is absent and equals only absent."""
    if before is None or after is None:
        return before is None and after is None
    return all(
        not isinstance(value, Unknown) and key in before and before[key] == value
        for key, value in after.items()
        if key not in ignore
    )


def compare(
    before: Attrs | None,
    after: Attrs | None,
    *,
    before_texts: Mapping[str, str] | None = None,
    after_texts: Mapping[str, str] | None = None,
    sensitive: Collection[str] = (),
    masked: Collection[str] = (),
    ignore: Collection[str] = (),
) -> tuple[AttrChange, ...]:
    """The attributes that differ, in the order of `after`; for an absent side all of the other one's."""
    if after is None:
        return tuple(AttrChange(key, before=_shown(key, value, sensitive)) for key, value in (before or {}).items())
    changes: list[AttrChange] = []
    for key, value in after.items():
        if key in ignore:
            continue
        old = None if before is None else before.get(key)
        if before is not None and key in before and not isinstance(value, Unknown) and old == value:
            continue
        if key in sensitive:
            lines = _hunks(key, before_texts, after_texts, known=before is None or old is None) if key in masked else ()
            values = _shown(key, old, sensitive), _shown(key, value, sensitive)
            changes.append(AttrChange(key, *values, lines, sensitive=True))
        elif after_texts and key in after_texts:
            lines = _hunks(key, before_texts, after_texts, known=before is None or old is None)
            changes.append(AttrChange(key, old, value, lines))
        else:
            changes.extend(_explain(key, old, value))
    return tuple(changes)


def _hunks(
    key: str, before: Mapping[str, str] | None, after: Mapping[str, str] | None, *, known: bool
) -> tuple[str, ...]:
    return hunks((before or {}).get(key), after[key], known=known) if after and key in after else ()


def _shown(key: str, value: Any, sensitive: Collection[str]) -> Any:
    return "(sensitive)" if key in sensitive and value is not None else value


def _explain(key: str, old: Any, new: Any) -> Iterator[AttrChange]:
    """Go into structures of one kind; everything else is one change of the whole value."""
    if not (isinstance(old, dict) and isinstance(new, dict)) and not (isinstance(old, list) and isinstance(new, list)):
        yield AttrChange(key, old, new)
        return
    from deepdiff import DeepDiff

    delta = DeepDiff(old, new, view="tree", verbose_level=2)
    leaves = [item for group in delta.values() for item in group]
    for leaf in sorted(leaves, key=lambda item: str(item.path())):
        path = str(leaf.path(root="")).replace("['", ".").replace("']", "")
        yield AttrChange(f"{key}{path}", _present(leaf.t1), _present(leaf.t2))


def _present(value: Any) -> Any:
    return None if type(value).__name__ == "NotPresent" else value


def _lines(text: str) -> list[str]:
    """The lines of a text, as the kernel and daemons see them: a carriage return is a part of its line."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def hunks(before: str | None, after: str, *, known: bool = False) -> tuple[str, ...]:
    """A unified diff with 3 lines of context, without its file header.

    `before` None: nothing was there (`known`), or its text is not at hand, and there is nothing to show.
    """
    if before is None and not known:
        return ()
    old, new = _lines(before or ""), _lines(after)
    if not old:  # most of a first plan: no need to search for what the two have in common
        count = "" if len(new) == 1 else f",{len(new)}"
        lines = [f"@@ -0,0 +1{count} @@", *(f"+{line}" for line in new)] if new else []
    else:
        lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
    if before is not None and before.endswith("\n") != after.endswith("\n"):
        side = "new" if before.endswith("\n") else "old"
        lines.append(f"\\ no newline at end of the {side} file")
    return tuple(lines)
