"""The selection of a plan: `--target`, `--exclude` and `--replace`, as the user wrote them.

An address without a host selects all instances, one without a key all of a for_each. What a target
or an exclusion includes beyond that is in `targets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..address import Address
from ..errors import UsageError
from ..spelling import suggestion


@dataclass(frozen=True, slots=True)
class Selection:
    """The selectors of --target and --exclude; without any of them a plan is about everything, and the object is false.

    `replaces`: those of --replace. They add a reason to change, and leave nothing out.
    """

    targets: tuple[Address, ...] = ()
    excludes: tuple[Address, ...] = ()
    replaces: tuple[Address, ...] = ()

    @classmethod
    def parse(cls, targets: Sequence[str], excludes: Sequence[str], replaces: Sequence[str] = ()) -> Selection:
        """Read the texts of the options; raises UsageError for an invalid address."""
        return cls(*(tuple(Address.parse(text) for text in texts) for texts in (targets, excludes, replaces)))

    @classmethod
    def of_options(cls, options: Mapping[str, Any]) -> Selection:
        """The selection from `options`."""
        return cls.parse(options.get("targets", ()), options.get("excludes", ()), options.get("replaces", ()))

    def options(self) -> dict[str, list[str]]:
        """What a run's record and a saved plan keep."""
        found = {"targets": self.targets, "excludes": self.excludes, "replaces": self.replaces}
        return {name: [str(one) for one in chosen] for name, chosen in found.items() if chosen}

    def __bool__(self) -> bool:
        return bool(self.targets or self.excludes)

    def aimed(self, address: Address) -> bool:
        """Whether a target names it; without targets everything is."""
        return not self.targets or any(target.selects(address) for target in self.targets)

    def excluded(self, address: Address) -> bool:
        """Whether an exclusion names it."""
        return any(exclude.selects(address) for exclude in self.excludes)

    def replaced(self, address: Address) -> bool:
        """Whether --replace names it."""
        return any(one.selects(address) for one in self.replaces)

    def check(self, known: Iterable[Address]) -> None:
        """Raise UsageError for a selector that covers nothing there is, with what may be meant."""
        addresses = set(known)
        named = (("--target", self.targets), ("--exclude", self.excludes), ("--replace", self.replaces))
        for word, selectors in named:
            for selector in selectors:
                if not any(selector.selects(address) for address in addresses):
                    raise UsageError(f"cannot find {word} {selector}: {_hint(selector, addresses)}")
        lost = [a for a in addresses if self.targets and self.aimed(a) and self.excluded(a)]
        if lost and all(self.excluded(a) for a in addresses if self.aimed(a)):
            raise UsageError(f"cannot both target and exclude {min(lost)}: nothing is left")


NO_SELECTION = Selection()
"""Everything."""


def _hint(selector: Address, addresses: set[Address]) -> str:
    forms = {
        str(form)
        for a in addresses
        for form in (a, a.at(None), Address(a.kind, a.name), Address(a.kind, a.name, host=a.host))
    }
    hint = suggestion(str(selector), forms, "`hacore state list` and `hacore graph` show the addresses")
    return f"neither the stack nor the state has it; {hint}"
