"""The names in expressions: variables, hosts, groups, files and the environment; and which of them are secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..address import Address
from ..expressions import BrokenError, Expressions, NoSuchNameError, Path
from ..model import Host
from .files import Folder
from .problems import Problems
from .values import LEARN, Compiler
from .variables import Variables


@dataclass(frozen=True, slots=True)
class World:
    """The stack before its resources. Values from `env` are added to `secrets`.

    `secret` has the patterns of sensitive paths: `("var", "password")`, `("host", "vars", "token")`.
    """

    expressions: Expressions
    problems: Problems
    folder: Folder
    environ: Mapping[str, str]
    variables: Variables
    secrets: set[str]
    hosts: Mapping[str, Host] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    views: Mapping[str, Any] = field(default_factory=dict)
    secret: frozenset[Path] = frozenset()
    seen: Mapping[str, Any] = field(default_factory=dict)
    unread: set[str] | None = None  # of a closed request: the variables of the environment that were not read

    def compiler(
        self, names: frozenset[str], address: str, place: str, also: frozenset[Path] = frozenset()
    ) -> Compiler:
        """A compiler for a position with the allowed `names`; `also` are more patterns of sensitive paths."""
        return Compiler(
            self.expressions,
            self.problems,
            frozenset(self.variables.values),
            names,
            self.secret | also,
            address,
            place,
        )

    def scope(self, host: str | None = None, each: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The names of an evaluation, for a host and an item of a for_each."""
        scope = {
            **self.seen,
            "var": self.variables.values,
            "file": self.folder.content,
            "env": self.env,
            LEARN: self.secrets.add,
        }
        if host is not None:
            scope["host"] = self.views[host]
        if each is not None:
            scope["each"] = each
        return scope

    def env(self, name: str, default: str | None = None) -> str:
        """The result of `env('…')`; it counts as a secret."""
        if self.unread is not None:
            if default is None:
                self.unread.add(name)
                raise BrokenError(name)  # what depends on it is not checked
            return default
        value = self.environ.get(name, default)
        if value is None:
            raise NoSuchNameError(f"the environment variable {name} is not set")
        if name in self.environ and value:
            self.secrets.add(value)
        return value

    def with_hosts(
        self,
        hosts: Mapping[str, Host],
        groups: Mapping[str, tuple[str, ...]],
        views: Mapping[str, Any],
        secret: frozenset[Path],
    ) -> World:
        """This world with its hosts."""
        named = {"all": list(hosts), **{name: list(members) for name, members in groups.items()}}
        seen = {"hosts": views, "groups": named}
        return replace(self, hosts=hosts, groups=groups, views=views, seen=seen, secret=self.secret | secret)

    def fail(self, address: Address | str) -> Callable[[Any, str], None]:
        """The function that a Run calls for a mistake."""
        return lambda node, message: self.problems.add(node.position, message, str(address))
