"""What a kind finds on a host that runs already: resources in the words of a stack, and what it cannot take over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .facts import Ask, Facts

__all__ = ["Discover", "Discovered", "Discovery", "LeftOut", "Secret"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must be in no file, in place of the text in a body.

    `hint`: what its variable is called, in letters, digits and `_`. `value`: kept in memory, to compare it between
    hosts and to check the stack.
    """

    hint: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that the stack does not describe: `place` is a path of the host, with its line if known."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Discovered:
    """A resource of one host.

    `body`: its fields as plain data; a text is meant literally, a `Secret` becomes a variable, and `bytes` become a
    file of the stack's folder, of which the field is the name. `place`: a token for `links`, such as its path.
    `links`: by the name of a field, beginnings of places: the field lists the resources found there.
    """

    name: str
    body: Mapping[str, Any]
    place: str = ""
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Discovery:
    """All that a kind found on one host.

    `rivals`: other tools there that would write the same files, in words; the host is taken over only if that is asked
    for.
    """

    resources: tuple[Discovered, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discover:
    """How a kind finds its resources on one host: questions, and a pure function of the answers.

    The first plan of what it finds must adopt it: each field has the value that the host has.
    """

    asks: Sequence[Ask]
    find: Callable[[Facts], Discovery]
