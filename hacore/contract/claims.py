"""Claims: what an instance has on its host, as tokens. A token is `TYPE:VALUE`.

What follows from a token's type is said here, once, for all kinds: the engine compares tokens and asks their types,
and knows no prefix itself. A type that is not listed is compared, and nothing more; a kind may use types of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Mode = Literal["own", "share", "use"]


@dataclass(frozen=True, slots=True)
class TokenType:
    """What a type of token means.

    `words`: what people call it. `contains`: values are absolute paths, and what has `/a` comes before what has
    `/a/b`. `leaves`: with a claim of these modes something stays behind on the host once nobody claims the token any
    more, so an instance that names another one instead has moved. `whole`: what a stack shares of it among its own
    resources no other stack may have.
    """

    name: str
    words: str
    contains: bool = False
    leaves: frozenset[str] = frozenset()
    whole: bool = False


_TYPES = {
    of.name: of
    for of in (
        TokenType("path", "the path", contains=True, leaves=frozenset(("own",))),
        TokenType("unit", "the unit", leaves=frozenset(("own",))),
        TokenType("pkg", "the package", leaves=frozenset(("own", "share"))),
        TokenType("config", "config", whole=True),
        TokenType("vrid", "the virtual router id"),
    )
}


def token_type(token: str) -> TokenType:
    """The type of a token."""
    name = token.partition(":")[0]
    return _TYPES.get(name) or TokenType(name, name)


def token_value(token: str) -> str:
    """A token without its type."""
    return token.partition(":")[2]


def containers(token: str) -> Iterator[str]:
    """The tokens that contain this one, the nearest first."""
    of, value = token_type(token), token_value(token)
    if not of.contains or not value.startswith("/"):
        return
    while value := value.rpartition("/")[0]:
        yield f"{of.name}:{value}"


def spoken(token: str) -> str:
    """A token in words."""
    return f"{token_type(token).words} {token_value(token)}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A token on a host, such as `path:/etc/x`, `unit:nginx`, `pkg:gcc`, `user:acme`, `group:acme`,
    `vrid:eth1/66`, `config:keepalived`.

    `own`: exclusively mine; two desired instances with it are an error. `share`: mine, but others
    of my aggregate may have it too. `use`: I need what owns or shares it to be done first (an
    automatic edge; nothing happens when nobody owns it). An owner of `path:/a` comes before
    whoever owns or uses `path:/a/b`.
    """

    token: str
    mode: Mode = "own"

    @property
    def type(self) -> TokenType:
        """What the token's type means."""
        return token_type(self.token)

    @property
    def value(self) -> str:
        """The token without its type."""
        return token_value(self.token)


def account_claims(user: str | None = "", group: str | None = "") -> tuple[Claim, ...]:
    """The uses of the accounts that a spec names: what makes `user:NAME` or `group:NAME` is done first."""
    named = ((f"user:{user}", user), (f"group:{group}", group))
    return tuple(Claim(token, "use") for token, name in named if name)
