"""Evaluates single expressions against a loaded stack, as one of its resource bodies would: for `hacore console`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..address import Address
from ..errors import ExpressionError, UsageError
from ..secrets import Secrets, masked
from .instances import Instances
from .problems import Problems, masker, suggest
from .references import ResourceReferences
from .stack import Position, Stack
from .values import LEARN, NAMES, Run
from .world import World
from .yaml_nodes import Node

_NAMES = frozenset(NAMES) - {"each"}
_CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The value of an expression, plain JSON without secrets. `sensitive`: it uses one, and is not given (None)."""

    value: Any
    sensitive: bool


@dataclass(frozen=True, slots=True)
class Evaluator:
    """A loaded stack with what its expressions see."""

    stack: Stack
    world: World
    instances: Instances

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets known so far: those of the stack, and what `env()` returned since."""
        return frozenset(self.world.secrets)

    def host(self, name: str | None) -> str:
        """A host of the stack by its name, the first one without a name; raises UsageError for an unknown one."""
        if name is None:
            return next(iter(self.world.hosts))
        if name not in self.world.hosts:
            raise UsageError(f"unknown host {name!r}: {suggest(name, self.world.hosts, 'hosts')}")
        return name

    def evaluate(self, text: str, host: str) -> Evaluated:
        """Evaluate an expression, with or without `{{ }}`, as in a resource on `host`; raises ExpressionError.

        No error quotes a secret, and what the stack has in clear of one is masked. `var` alone has all variables, of
        which the sensitive ones are masked.
        """
        if text.strip() == "var":
            return Evaluated(masked(self.stack.variables, self.stack.sensitive_variables), sensitive=False)
        source = self.world.expressions.source(text)
        problems = Problems()
        world = replace(self.world, problems=problems)
        references = ResourceReferences(self.instances, host, Address(_CONSOLE, _CONSOLE))
        run = references.run = Run(self._scope(host, references), world.fail(_CONSOLE))
        node = Node(source, Position(_CONSOLE, 1, 1), text=source)
        compiled = world.compiler(_NAMES, _CONSOLE, "in the console")
        value = compiled.value(node)
        found = value.get(run)
        if problems:
            mask = masker(self.secrets)
            raise ExpressionError("; ".join(mask(problem.message) for problem in problems.error().problems))
        if run.broken:
            raise ExpressionError("the expression depends on a value that is not known")
        if value.tainted or run.tainted:
            return Evaluated(None, sensitive=True)
        return Evaluated(Secrets(self.secrets).scrub_data(found), sensitive=False)

    def _scope(self, host: str, references: ResourceReferences) -> Mapping[str, Any]:
        """The names on a host. A sensitive result is not shown at all, so its parts are not learned as secrets."""
        scope = {**self.world.scope(host), "resource": references}
        del scope[LEARN]
        return scope
