"""The provider itself, and the folder that its `resolve` may read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol

from ..address import Address
from ..model import Found, Host, Image, Lifecycle
from .claims import Claim
from .discovery import Discover
from .facts import Ask
from .fail_over import FailOver
from .maintenance import Drained, Maintenance
from .serving import Daemon, Held, Served
from .steps import Check, Guard, Source, Step
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
        """The host of the instance (of a resource without a host: its first one)."""
        ...

    @property
    def members(self) -> Sequence[Host]:
        """All hosts of the resource, this one included."""
        ...

    def resource(self, kind: str, name: str) -> Spec | None:
        """The resolved spec of another resource on this host (else on its first host); None if it does not exist."""
        ...

    def read(self, path: str) -> bytes:
        """The bytes of a file, `path` relative to the stack's folder."""
        ...

    def source(self, path: str, above: int = 0) -> Source | None:
        """A file as the Source of a step, hashed but not kept in memory; None if it has at most `above` bytes."""
        ...

    def render(self, path: str, extra: Mapping[str, Any]) -> tuple[str, bool]:
        """A template's text with `extra` as more variables, and whether it names anything sensitive."""
        ...

    def fetch(self, url: str, sha256: str) -> bytes | None:
        """A URL's bytes from the controller's cache, None if they are not cached; never from the network."""
        ...

    @property
    def sensitive(self) -> bool:
        """Whether the body itself names anything sensitive (outside of templates)."""
        ...

    @property
    def sensitive_fields(self) -> Collection[str]:
        """The dotted paths of the body with sensitive values, such as `authentication.password`."""
        ...


class Provider(ABC, Generic[S]):
    """A resource kind. Subclasses MUST define api, kind, spec, facts, observe, desire; and capture, apply
    and undo unless they change nothing on hosts. Instances are stateless and shared.
    """

    api: ClassVar[int]
    """The version of this contract that the kind is written for: `api = 2`. Each provider declares it itself."""
    kind: ClassVar[str]
    spec: ClassVar[type[Spec]]
    schema_version: ClassVar[int] = 1
    hosts: ClassVar[Literal["each", "together"]] = "each"
    """each: one instance per host. together: one instance, without a host, over all of them."""
    plain: ClassVar[tuple[str, ...]] = ()
    """Fields that the state keeps as text, because drift or an undo needs them: they must not name a secret."""
    arguments: ClassVar[Mapping[str, str]] = {}
    """Fields that become arguments of programs on the host, which all of its users can read (proc(5), cmdline): they
    must not name a secret. By their name, what to do in place of it, as the end of a sentence."""
    confidential: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By the name of a boolean field: the fields of which the text is a secret where it is true."""
    whole: ClassVar[bool] = False
    """True: an aggregate is written as a whole, such as a file of sections: one task has all of its changes, deletes
    included. False: an aggregate has a task for each level of the graph, as packages do."""

    discover: ClassVar[Discover | None] = None
    """How `init --from` finds its resources on a host that runs already; None: it finds none by itself."""

    # -- at load
    def resolve(self, spec: S, files: StackFiles) -> S:
        """The spec with the content of all files of the stack's folder that it names."""
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
        """Addresses or selectors (`kind.name`) that the spec itself names: more edges."""
        return ()

    def triggers(self, spec: S, address: Address) -> Sequence[Trigger]:
        """The sources that make this instance reload or restart. Its own address: after its own change."""
        return ()

    def aggregate(self, spec: S) -> str | None:
        """A name: the instances of a host with the same one are applied by one task. None: a task of its own."""
        return None

    def daemon(self, spec: S) -> str:
        """The name of the daemon that `triggers` reload or restart, as plans show it; "": the resource's name."""
        return ""

    def network(self, spec: S) -> Network | None:
        """The interface and addresses that it uses, for the twins of a lab; None: it uses none."""
        return None

    def recorded(self, spec: S) -> S:
        """The spec as the state keeps it: without bulk, but enough for drift, delete and undo."""
        return spec

    # -- at plan
    @abstractmethod
    def facts(self, spec: S) -> Sequence[Ask]:
        """Questions for the host, or for each member of a resource without a host."""

    @abstractmethod
    def observe(self, view: View[S]) -> Observed | None:
        """The current state; None if the resource does not exist."""

    @abstractmethod
    def desire(self, view: View[S]) -> Desired:
        """The desired state."""

    def examine(self, view: View[S]) -> Iterable[Mistake]:
        """Mistakes that need the companions on its host, or the facts of its members.

        `hacore validate` asks as well, without facts.
        """
        return ()

    def examine_all(
        self, views: Mapping[Address, View[S]], contents: Mapping[tuple[str, str], bytes]
    ) -> Iterable[tuple[Address, Mistake]]:
        """Mistakes that only all instances of the kind together reveal, on all hosts of the stack.

        `contents`: by host and path, the files of the stack of which the content is known. Asked like `examine`.
        """
        return ()

    def contents(self, spec: S) -> Mapping[str, bytes]:
        """The files that it writes on its host, by path, as far as their content is known at load."""
        return {}

    def invalidates(self, change: Change[S]) -> Sequence[str]:
        """Tokens of the facts that this change makes stale (`unit:nginx`, `path:/x`): their users are checked again."""
        return ()

    def exclusive(self, spec: S) -> str | None:
        """A name such as `apt`: of the tasks with the same one, a host runs one at a time."""
        return None

    def agreement(self, spec: S) -> Mapping[str, Hashable]:
        """What this member and the others of its resource must have alike at every moment, by a name for messages.

        An apply that lacks a host, or a rollback, is refused if it would change one member and leave another that
        agreed with it. A secret in a recorded spec is its HMAC: compare it, and nothing else.
        """
        return {}

    def guard(self, view: View[S]) -> Guard | None:
        """How to drain this host; None if this kind cannot."""
        return None

    def maintenance(self, view: View[S], order: Drained, units: Sequence[str] = ()) -> Maintenance | None:
        """How an operator drains this host until further notice; None if this kind cannot.

        `order` is kept on the host. If it has an end, the host undrains itself then, and later if `units`, or what the
        resource itself checks, do not run at that time.
        """
        return None

    def fail_over(self, view: View[S]) -> FailOver | None:
        """How the addresses of the resource move when this host fails, by its configuration; None: they do not."""
        return None

    def checks(self, spec: S) -> Sequence[Check]:
        """Health questions that the controller asks around a run."""
        return ()

    # -- for status and drift
    def serving_facts(self, spec: S) -> Sequence[Ask]:
        """The questions of `served` and `daemons`, besides those of `facts`: a plan does not ask them."""
        return ()

    def served(self, view: View[S]) -> Sequence[Served]:
        """The addresses that the hosts of the resource serve together; from one of its instances is enough."""
        return ()

    def daemons(self, view: View[S]) -> Sequence[Daemon]:
        """The daemons on its host that serving needs."""
        return ()

    def held(self, view: View[S]) -> Held | None:
        """The addresses of its host, by `facts`, for a desired instance; None: the kind has none, or no answer.

        After each set of reloads and restarts exactly one host holds each address that one host held before, unless
        the desired configuration no longer has it.
        """
        return None

    # -- at apply: data for the walker
    def prepare(self, work: Work[S]) -> Sequence[Step]:
        """Long work in scratch space only, before the capture: downloads, builds."""
        return ()

    def capture(self, work: Work[S]) -> Step | None:
        """One read-only step; its parse returns Mapping[Address, Image] for all changes of the work."""
        return None

    def apply(self, work: Work[S]) -> Sequence[Step]:
        """Steps to the desired state; safe to repeat. The changes of a mixed aggregate may include deletes."""
        return ()

    def undo(self, work: Work[S]) -> Sequence[Step]:
        """Steps that restore the images; safe to repeat, also if apply never ran."""
        return ()

    def delete(self, work: Work[S]) -> Sequence[Step]:
        """Steps for a task of deletes only: restore the origins (images in `work`)."""
        return self.undo(work)

    def absent(self, spec: S, found: Found) -> Image:
        """The image of "does not exist", which `on_delete: remove` restores.

        `found`: the state that hacore found first. `absent`: hacore created the resource. A kind may keep a resource
        that existed before (a user account, for example) by an image that means this.
        """
        return Image(data=None)

    def delete_effect(self, view: View[S], found: Found) -> Effect:
        """The effect of a delete on the host. Not asked for an adopted resource, which a delete does not touch."""
        made = type(self)
        if made.undo is Provider.undo and made.delete is Provider.delete:
            return Effect()
        return Effect("remove the managed resource" if view.removed(found) else "restore the original state")

    def delete_irreversible(self, spec: S) -> str:
        """Why a delete of this instance is irreversible; shown with `!`. Empty: it is reversible."""
        return ""

    def trigger(self, work: Work[S], op: Literal["reload", "restart"]) -> Sequence[Step]:
        """Steps that make the running daemon load its new configuration; no effect if it is not running.

        `work.sources` names the sources that pulled the trigger; they may have left the stack, so the spec cannot
        name them. When a run is undone the spec is the recorded one, with an HMAC in place of each secret: the
        fields that name the daemon belong into `plain`.
        """
        return ()

    def loads(self, change: Change[S]) -> bool:
        """Whether this change starts the daemon, which makes its pending triggers unnecessary."""
        return False

    def patience(self, spec: S) -> float:
        """Seconds for which the probe after an apply is repeated until it shows the desired state."""
        return 0.0
