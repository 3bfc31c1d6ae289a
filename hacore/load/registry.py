"""Resource kinds by entry point: the same door for ours and for those of third parties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..contract import Provider

GROUP = "hacore.providers"


def load_providers(points: Iterable[EntryPoint] | None = None) -> Mapping[str, Provider[Any]]:
    """The installed kinds by name.

    `points` stands in for the entry points of the environment. Raises UsageError that names the
    distribution of a plugin that does not load, and for a kind that two distributions bring.
    """
    from ..contract import Provider, Spec

    found: dict[str, Provider[Any]] = {}
    origins: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP) if points is None else points, key=lambda p: (p.name, p.value)):
        origin = point.dist.name if point.dist is not None else point.value
        who = f"cannot load the resource kind {point.name!r} of {origin}"
        try:
            provider = point.load()
        except Exception as error:
            raise UsageError(f"{who}: {type(error).__name__}: {error}") from error
        if not isinstance(provider, Provider):
            raise UsageError(f"{who}: {point.value} is no Provider")
        if getattr(provider, "kind", None) != point.name or not issubclass(getattr(provider, "spec", object), Spec):
            raise UsageError(f"{who}: its provider must have kind = {point.name!r} and a Spec class as spec")
        if point.name in found:
            raise UsageError(f"{who}: {origins[point.name]} brings that kind too; uninstall one of them")
        found[point.name] = provider
        origins[point.name] = origin
    return found
