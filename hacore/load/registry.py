"""Resource kinds by entry point, the same for built-in kinds and those of third parties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..contract import Provider

GROUP = "hacore.providers"


class InstalledKinds(Mapping[str, "Provider[Any]"]):
    """The installed kinds by name, and the reasons why some of them cannot be used.

    A broken package, or one for another version of hacore, affects only the stacks that use its kinds.
    """

    def __init__(self, kinds: Mapping[str, Provider[Any]], refused: Mapping[str, str]) -> None:
        self._kinds = dict(kinds)
        self.refused: Mapping[str, str] = MappingProxyType(dict(refused))

    def __getitem__(self, kind: str) -> Provider[Any]:
        return self._kinds[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def load_providers(points: Iterable[EntryPoint] | None = None) -> InstalledKinds:
    """The installed kinds by name.

    `points` replaces the entry points of the environment. Raises nothing: a kind that cannot be loaded, or
    that two packages provide, is in `refused` with an error that names the package.
    """
    found: dict[str, Provider[Any]] = {}
    refused: dict[str, str] = {}
    origins: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP) if points is None else points, key=lambda p: (p.name, p.value)):
        kind, origin = point.name, package_of(point)
        prefix = f"cannot load the kind {kind!r} of {origin} (entry point {point.value})"
        if kind in origins:
            refused[kind] = f"{prefix}: {origins[kind]} provides that kind as well; uninstall one of them"
            found.pop(kind, None)
            continue
        origins[kind] = origin
        provider, fault = _loaded(point)
        if provider is None:
            refused[kind] = f"{prefix}: {fault}"
        else:
            found[kind] = provider
    return InstalledKinds(found, refused)


def _loaded(point: EntryPoint) -> tuple[Provider[Any] | None, str]:
    """The provider, or why it cannot be used."""
    from .contained import contained
    from .vetting import fault_of

    try:
        provider = point.load()
        fault = fault_of(provider, point.name, point.value)
    except (Exception, SystemExit) as error:  # a foreign module can raise anything at import
        return None, f"{type(error).__name__}: {error}"
    return (None, fault) if fault else (contained(provider, package_of(point)), "")


def package_of(point: EntryPoint) -> str:
    """The distribution of an entry point with its version; without one its module."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.module


def why_missing(providers: Mapping[str, Provider[Any]], kind: str) -> str:
    """Why a kind has no provider: it was refused, or it is not installed."""
    refused: Mapping[str, str] = getattr(providers, "refused", {})
    return refused.get(kind) or f"no provider for the kind {kind!r} is installed"


__all__ = ["GROUP", "InstalledKinds", "load_providers", "package_of", "why_missing"]
