"""The values that a provider gets and returns."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from ..address import Address
from ..model import Action, Attrs, Disrupts, Found, Host, Image, Lifecycle
from .facts import Facts


def quote(value: object) -> str:
    """A value quoted for POSIX sh: the only way into shell text. Raises ValueError for NUL, which sh cannot hold."""
    text = str(value)
    if "\0" in text:
        raise ValueError("cannot pass a NUL character to a shell")
    return shlex.quote(text)


class Spec(BaseModel):
    """Base of the body of a resource, without the common keys.

    Models check shapes (types, unknown keys). Rules over values belong into `Provider.validate`:
    a spec that is read from the state has its secrets replaced and must still load.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # most kinds are not in most stacks


S = TypeVar("S", bound=Spec)
NO_RULES = Lifecycle()
"""The lifecycle of a block that gives none."""


@dataclass(frozen=True, slots=True)
class View(Generic[S]):
    """One instance with the facts of its hosts.

    `members`: all hosts of the resource, this one included, each with its spec and facts (empty
    Facts for a host that is unreachable, and at load). `companions`: all desired instances of the kind
    with the same aggregate on this host, this one included, in address order. `lifecycle`: the rules
    of its block, or the recorded ones. `needs`: what its block names in `needs` and what the graph adds from other
    fields, as texts of addresses; empty for a recorded instance.
    """

    address: Address
    spec: S
    host: Host | None
    facts: Facts = field(default_factory=Facts)
    members: Mapping[str, tuple[S, Facts]] = field(default_factory=dict)
    companions: tuple[tuple[Address, S], ...] = ()
    lifecycle: Lifecycle = NO_RULES
    needs: tuple[str, ...] = ()

    def removed(self, found: Found) -> bool:
        """Whether a delete removes it: hacore created it (`found` absent), or `on_delete: remove` is set."""
        return found == "absent" or self.lifecycle.on_delete == "remove"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one health check, in words. `good`: passed or failed; None: not asked."""

    question: str
    good: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Health:
    """The health of an address that one of several hosts serves: its holders and its checks.

    `plan`, `status` and `drift` show it. Healthy is exactly one holder, and no failing check.
    """

    address: str
    holders: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """The current state. `attrs` are compared, as far as the same keys are desired; `info` is only shown.

    `texts`: the full text behind an attr, by the attr's name, for hunks in the plan; never of a secret.
    `absent`: the resource does not exist, and the attrs show why; without a recorded state that is
    the same as None. `health`: of an instance without a host.
    """

    attrs: Attrs
    info: Attrs = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    absent: bool = False
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The part of its host's network that an instance uses: twins get the interface, a lab reserves the addresses.

    `interface`: the interface that it is bound to; "": any. `addresses`: those that it adds, with or without a prefix
    length.
    """

    interface: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a delete or a replace on its host: the plan shows `text` ("stop nginx", "remove /etc/x").

    `disrupts`: its effect on the service of the host; a guarded host is drained before a restart.
    """

    text: str = ""
    disrupts: Disrupts = "none"


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state: only what the spec governs. A value may be `Unknown`.

    `attrs` None: should be absent. `sensitive` names attrs that reveal something of a secret (the hash of
    a file with a password in it): state and plan keep an HMAC of them. `masked` names those of them of which
    the texts have no secret, because it is masked in both: their differences are shown. Of an effect such as
    `install 2 packages (+ 2 dependencies: a, b)` the names are shown by `plan --verbose` and in JSON.
    """

    attrs: Attrs | None
    texts: Mapping[str, str] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()
    replace_on: frozenset[str] = frozenset()  # a change of these needs a replace, as some claims do (Claim)
    irreversible: str = ""  # why this change cannot be undone; shown with `!`
    effect: str = ""  # shown at the change: "start nginx"; triggers are added by the engine
    disrupts: Disrupts = "none"  # the effect of the change itself on the service of its host
    replace_effect: Effect | None = None  # in place of `effect` and `disrupts` for a replace


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in a spec: the field (dotted path in the body), what is wrong, and what would be right.

    Two forms; nothing depends on the wording of the message:

        Mistake("names", "is empty: list one name")             names: is empty: list one name
        Mistake.where("priority", "is 300: it must be <= 255")  priority is 300: it must be <= 255

    `warning`: shown with the plan, which can be applied all the same. `joined`: set by `where`.
    """

    field: str
    message: str
    warning: bool = False
    joined: bool = False

    @classmethod
    def where(cls, field: str, predicate: str, *, warning: bool = False) -> Mistake:
        """A mistake written as one sentence with the field as its subject: `predicate` begins with a verb."""
        return cls(field, predicate, warning, joined=True)

    def __str__(self) -> str:
        """The field and the message."""
        if not self.field:
            return self.message
        return f"{self.field}{'' if self.joined else ':'} {self.message}"


@dataclass(frozen=True, slots=True)
class Trigger:
    """This instance must reload or restart after a change of `source` (the text of an address or selector).

    With `attrs`, only after a change of one of these attributes of the source.
    """

    source: str
    op: Literal["reload", "restart"]
    attrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """The change of one address from observed to desired, as a task gets it.

    `recorded`, `observed` and `desired` are attrs: of the last run, of the plan's probe, of the stack. `sealed`: the
    desired attrs of which some are sensitive, as the state keeps them: an HMAC, with the key of the state, in place of
    each sensitive one. For `prepare` and `apply` of a kind that keeps such a value on its host; when `observe` returns
    the HMAC it is compared as the value.
    """

    address: Address
    action: Action
    spec: S  # of the stack; for a delete: as recorded
    host: Host | None = None
    facts: Facts = field(default_factory=Facts)
    recorded: Attrs | None = None
    observed: Attrs | None = None
    desired: Attrs | None = None
    view: View[S] | None = None
    sealed: Attrs = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work(Generic[S]):
    """The changes of one task: one, or several that share an aggregate on one host.

    `images`: for `undo` the images of this run, for `delete` the origins. `wanted`: the specs of all
    companions in the aggregate after this task, changed or not. `foreign`: tokens that other
    resources own or share on this host. `sources`: for a trigger, the addresses that pulled it, the
    instance's own after its own change. Empty: not known, it may be any.
    """

    changes: tuple[Change[S], ...]
    images: Mapping[Address, Image] = field(default_factory=dict)
    wanted: tuple[tuple[Address, S], ...] = ()
    foreign: Set[str] = frozenset()
    facts: Facts = field(default_factory=Facts)
    host: Host | None = None
    run: int = 0
    sources: tuple[Address, ...] = ()
