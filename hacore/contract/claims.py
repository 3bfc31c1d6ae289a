"""Claims: what an instance owns, shares or uses on its host, as tokens. A token is `TYPE:VALUE`.

The meaning of each type is defined here, once, for all kinds: the engine compares tokens and asks for their type, and
has no list of prefixes itself. A kind may use its own types: their tokens are only compared, and a change of one is
an update.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Mode = Literal["own", "share", "use"]


@dataclass(frozen=True, slots=True)
class TokenType:
    """The meaning of a type of token.

    `words`: its name in messages. `contains`: values are absolute paths, and the owner of `/a` is applied before the
    owner of `/a/b`. `leaves`: a token that is claimed in one of these modes leaves something on the host when the
    claim ends, so an instance with another token has moved and must be replaced. `whole`: resources of one stack may
    share it, resources of two stacks may not.
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
        TokenType("user", "the user", leaves=frozenset(("own",))),
        TokenType("group", "the group", leaves=frozenset(("own",))),
        TokenType("config", "config", whole=True),
        TokenType("vrid", "the virtual router id"),
        TokenType("vip", "the virtual address"),
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

    `own`: exclusive; two desired instances with it are an error. `share`: owned together with others
    of the same aggregate. `use`: depends on the owner, which is applied first (an
    automatic edge; without an owner there is no edge). The owner of `path:/a` is applied before
    the owners and users of `path:/a/b`.

    An instance that no longer owns its `path`, `unit`, `pkg`, `user` or `group` is replaced: what it left is restored
    or removed. A token of any other type is only compared: it excludes others, and a change of it is an update.
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
    """Claims on the accounts that a spec names: the owner of `user:NAME` or `group:NAME` is applied first."""
    named = ((f"user:{user}", user), (f"group:{group}", group))
    return tuple(Claim(token, "use") for token, name in named if name)
