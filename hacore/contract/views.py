"""What a provider sees, and what it says about it: values."""

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
    """The one way for a value into shell text: quoted for POSIX sh. NUL is refused, sh cannot hold it."""
    text = str(value)
    if "\0" in text:
        raise ValueError("cannot pass a NUL character to a shell")
    return shlex.quote(text)


class Spec(BaseModel):
    """Base of what the user writes in a resource's body, after the common keys are taken off.

    Models check shapes (types, unknown keys). Rules over values belong into `Provider.validate`:
    a spec that comes back from the state has its secrets replaced and must still load.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # most kinds are not in most stacks


S = TypeVar("S", bound=Spec)
NO_RULES = Lifecycle()
"""The lifecycle of a block that gives none."""


@dataclass(frozen=True, slots=True)
class View(Generic[S]):
    """One instance as its provider sees it.

    `members`: all hosts of the same resource, its own included, each with its spec and facts (empty
    Facts when that host is unreachable or at load). `companions`: all wanted instances of the kind
    that share this one's aggregate on its host, itself included, in address order. `lifecycle`: the rules
    of its block, or as recorded.
    """

    address: Address
    spec: S
    host: Host | None
    facts: Facts = field(default_factory=Facts)
    members: Mapping[str, tuple[S, Facts]] = field(default_factory=dict)
    companions: tuple[tuple[Address, S], ...] = ()
    lifecycle: Lifecycle = NO_RULES

    def removed(self, found: Found) -> bool:
        """Whether a delete leaves nothing there: hacore made it (`found` absent), or `on_delete: remove` says so."""
        return found == "absent" or self.lifecycle.on_delete == "remove"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one health question came to, in words. `good` None: nobody was asked."""

    question: str
    good: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Health:
    """How something is that several hosts serve together, and one at a time: who holds `address`, and its checks.

    `plan`, `status` and `drift` show it; anything but exactly one holder, and a check that fails, is unhealthy.
    """

    address: str
    holders: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there. `attrs` are compared (the keys that are desired, too); `info` is only shown.

    `texts` holds the full text behind an attr (its name as key) for hunks in the plan; leave it out
    for what is sensitive. `absent`: nothing is there, and the attrs say how that was seen; as long as
    nothing is recorded that is the same as None. `health`: of an instance without a host.
    """

    attrs: Attrs
    info: Attrs = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    absent: bool = False
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """What an instance has to do with its host's network: twins are given such an interface, labs spare the addresses.

    `interface`: what it is bound to; "" leaves that open. `addresses`: those that it brings up, with or without a
    prefix length.
    """

    interface: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What a delete or a replace does to its host: `text` is shown in the plan ("stop nginx", "remove /etc/x").

    `disrupts`: what it does to the service of its host; where hosts are guarded, one that restarts is drained first.
    """

    text: str = ""
    disrupts: Disrupts = "none"


@dataclass(frozen=True, slots=True)
class Desired:
    """What should be there: only what the spec governs. A value may be `Unknown`.

    `attrs` None means: should be absent. `sensitive` names attrs whose value tells about a secret
    (a hash of a file with a password in it): state and plan keep an HMAC of them.
    """

    attrs: Attrs | None
    texts: Mapping[str, str] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()
    replace_on: frozenset[str] = frozenset()  # attrs whose change means replace; a changed `own` claim does anyway
    irreversible: str = ""  # why this change could not be undone; shown as `!`
    effect: str = ""  # shown at the change: "start nginx"; triggers are added by the engine
    disrupts: Disrupts = "none"  # what applying the change itself does to the service of its host
    replace_effect: Effect | None = None  # in place of `effect` and `disrupts` when it is replaced


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong with a spec: the field (dotted path in the body), and what would be right.

    Two ways to say it, and the message's wording decides nothing:

        Mistake("names", "there is no name in it: list one")    names: there is no name in it: list one
        Mistake.where("priority", "is 300: it must be <= 255")  priority is 300: it must be <= 255

    `warning`: it can be lived with; it is said with the plan and stops nothing. `joined`: what `where` sets.
    """

    field: str
    message: str
    warning: bool = False
    joined: bool = False

    @classmethod
    def where(cls, field: str, predicate: str, *, warning: bool = False) -> Mistake:
        """A mistake whose sentence has the field as its subject: `predicate` begins with a verb."""
        return cls(field, predicate, warning, joined=True)

    def __str__(self) -> str:
        """The field and what is said of it."""
        if not self.field:
            return self.message
        return f"{self.field}{'' if self.joined else ':'} {self.message}"


@dataclass(frozen=True, slots=True)
class Trigger:
    """This instance must reload or restart when `source` (an address or selector text) has changed.

    With `attrs` only a change of one of those attributes of the source counts.
    """

    source: str
    op: Literal["reload", "restart"]
    attrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """One address's way from observed to desired, as a task gets it.

    `recorded`, `observed` and `desired` are attrs: what the last run left, what the plan found, what it wants.
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


@dataclass(frozen=True, slots=True)
class Work(Generic[S]):
    """The changes of one task: one, or several that share an aggregate on one host.

    `images`: for `undo` the images of this run, for `delete` the origins. `wanted`: what the
    aggregate's companions want after this task (all of them: changed or not). `foreign`: tokens
    that other resources own or share on this host. `sources`: for a trigger, what pulled it; the
    address of the change itself where that was its own change. Empty: not known, anything may have.
    """

    changes: tuple[Change[S], ...]
    images: Mapping[Address, Image] = field(default_factory=dict)
    wanted: tuple[tuple[Address, S], ...] = ()
    foreign: Set[str] = frozenset()
    facts: Facts = field(default_factory=Facts)
    host: Host | None = None
    run: int = 0
    sources: tuple[Address, ...] = ()
