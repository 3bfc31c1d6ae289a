"""The differences between two sets of attrs, and their explanation.

Equality is decided first and by plain comparison; deepdiff (about 1 ms a call, and the only place
that imports it) explains only what does differ and has structure.
"""

from .attrs import AttrChange, compare, hunks, same

__all__ = ["AttrChange", "compare", "hunks", "same"]
