"""The provider itself, and the folder that its `resolve` may read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol

from ..address import Address
from ..model import Found, Host, Image, Lifecycle
from .claims import Claim
from .facts import Ask
from .steps import Check, Guard, Step
from .views import NO_RULES, Change, Desired, Effect, Mistake, Network, Observed, S, Spec, Trigger, View, Work


class StackFiles(Protocol):
    """The stack's folder, and the place of the body in it, as `resolve` may use them.

    Nothing outside the folder can be read.
    """

    @property
    def name(self) -> str:
        """The resource's name, with `["key"]` for an instance of a for_each."""
        ...

    @property
    def folder(self) -> Path:
        """The stack's folder, absolute: for `file://` URLs of a Source."""
        ...

    @property
    def host(self) -> Host:
        """The host the instance is for (the first one of a resource without a host)."""
        ...

    @property
    def members(self) -> Sequence[Host]:
        """All hosts of the resource, its own included."""
        ...

    def resource(self, kind: str, name: str) -> Spec | None:
        """The resolved spec of another resource on this host (else on its first host); None: there is none."""
        ...

    def read(self, path: str) -> bytes:
        """The bytes of a file, `path` relative to the stack's folder."""
        ...

    def render(self, path: str, extra: Mapping[str, Any]) -> tuple[str, bool]:
        """A template's text with `extra` as more variables, and whether it names anything sensitive."""
        ...

    def fetch(self, url: str, sha256: str) -> bytes | None:
        """A URL's bytes from the controller's cache when they are there already; never the network."""
        ...

    @property
    def sensitive(self) -> bool:
        """Whether the body itself names anything sensitive (outside of templates)."""
        ...


class Provider(ABC, Generic[S]):
    """A resource kind. Subclasses MUST define api, kind, spec, facts, observe, desire; and capture, apply
    and undo unless they change nothing on hosts. Instances are stateless and shared.
    """

    api: ClassVar[int]
    """The version of this contract that the kind is written for: `api = 2`. Each provider says it itself."""
    kind: ClassVar[str]
    spec: ClassVar[type[Spec]]
    schema_version: ClassVar[int] = 1
    hosts: ClassVar[Literal["each", "together"]] = "each"
    """each: an instance per host. together: one instance without a host that looks at all of them."""
    plain: ClassVar[tuple[str, ...]] = ()
    """Fields whose text the state must keep, because drift or an undo needs it: they may name nothing sensitive."""
    whole: ClassVar[bool] = False
    """An aggregate is one thing that is written whole, such as a file of sections: one task has all of its changes,
    deletes too, and none is made without the others. Else it has a task for each level, as a package manager does."""

    # -- at load
    def resolve(self, spec: S, files: StackFiles) -> S:
        """The spec with everything taken in that lies in the stack's folder."""
        return spec

    def validate(
        self, members: Mapping[str, S], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Mistakes of a resource over all its members: (host name, mistake). No facts yet."""
        return ()

    def claims(self, spec: S) -> Sequence[Claim]:
        """Tokens on its host."""
        return ()

    def needs(self, spec: S) -> Sequence[str]:
        """Addresses or selectors (`kind.name`) that the spec itself names; more edges."""
        return ()

    def triggers(self, spec: S, address: Address) -> Sequence[Trigger]:
        """What makes this instance reload or restart. Its own address means: after its own change."""
        return ()

    def aggregate(self, spec: S) -> str | None:
        """A name shared by instances on a host that must be one task."""
        return None

    def daemon(self, spec: S) -> str:
        """What reloads or restarts when `triggers` say so, as plans name it; "": the resource's name."""
        return ""

    def network(self, spec: S) -> Network | None:
        """What it has to do with its host's network, for labs of twins; None: nothing."""
        return None

    def recorded(self, spec: S) -> S:
        """The spec as the state keeps it: without bulk. Enough to watch, delete and undo."""
        return spec

    # -- at plan
    @abstractmethod
    def facts(self, spec: S) -> Sequence[Ask]:
        """Questions for the host, or for each member of a resource without a host."""

    @abstractmethod
    def observe(self, view: View[S]) -> Observed | None:
        """What is there; None when nothing is."""

    @abstractmethod
    def desire(self, view: View[S]) -> Desired:
        """What should be there."""

    def examine(self, view: View[S]) -> Iterable[Mistake]:
        """What is wrong with it beside all that is wanted on its host, and on its members as they are now.

        `hacore validate` asks, too, without any facts.
        """
        return ()

    def invalidates(self, change: Change[S]) -> Sequence[str]:
        """Tokens whose facts this change makes stale (`unit:nginx`, `path:/x`): who uses them is ensured."""
        return ()

    def exclusive(self, spec: S) -> str | None:
        """A name of which only one task may run at a time on a host: `apt`."""
        return None

    def guard(self, view: View[S]) -> Guard | None:
        """How to take this host out of service, if this kind can; None otherwise."""
        return None

    def checks(self, spec: S) -> Sequence[Check]:
        """Health questions that the controller asks around a run."""
        return ()

    # -- at apply: data for the walker
    def prepare(self, work: Work[S]) -> Sequence[Step]:
        """Long work in scratch space only, before anything is captured: downloads, builds."""
        return ()

    def capture(self, work: Work[S]) -> Step | None:
        """One read-only step; its parse returns Mapping[Address, Image] for all changes of the work."""
        return None

    def apply(self, work: Work[S]) -> Sequence[Step]:
        """Steps that make it so; safe to repeat. Deletes in a mixed aggregate are among the changes."""
        return ()

    def undo(self, work: Work[S]) -> Sequence[Step]:
        """Steps that bring the images back; safe to repeat, also when apply never ran."""
        return ()

    def delete(self, work: Work[S]) -> Sequence[Step]:
        """Steps for a task of deletes only: back to the origins (images in `work`)."""
        return self.undo(work)

    def absent(self, spec: S, found: Found) -> Image:
        """The image of "nothing is there": what `on_delete: remove` goes back to.

        `found`: what was there when hacore first saw it. `absent` means that hacore made it; a kind may leave
        alone what it did not make (a user who was there), with an image that says so.
        """
        return Image(data=None)

    def delete_effect(self, view: View[S], found: Found) -> Effect:
        """What a delete does on the host. Not asked where nothing is touched: what hacore only adopted stays."""
        made = type(self)
        if made.undo is Provider.undo and made.delete is Provider.delete:
            return Effect()
        return Effect("remove what hacore made" if view.removed(found) else "restore what was found before hacore")

    def delete_irreversible(self, spec: S) -> str:
        """Why a delete of this instance takes nothing back; shown as `!`."""
        return ""

    def trigger(self, work: Work[S], op: Literal["reload", "restart"]) -> Sequence[Step]:
        """Steps that make the running thing take its new configuration; nothing when it is not running.

        `work.sources` says what pulled it. The spec does not: a source may have left the stack. When a run
        is undone the spec is the recorded one, with an HMAC in place of each secret: what names the thing
        belongs into `plain`.
        """
        return ()

    def loads(self, change: Change[S]) -> bool:
        """Whether applying this change starts the thing afresh, which swallows its pending triggers."""
        return False

    def patience(self, spec: S) -> float:
        """Seconds for which the re-probe after apply is repeated until it shows what is desired."""
        return 0.0
