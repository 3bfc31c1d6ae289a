"""The contract between the engine and the resource kinds.

A provider does no I/O. It is a set of pure functions over *views* (a spec together with the facts
of its hosts) and returns *steps* (POSIX sh text as data). Only the walker runs steps. A provider
imports this module and what it names, nothing else of the engine, and never another provider.

The way of one instance through a provider:

    resolve   spec + files of the stack's folder -> spec that needs no folder     (at load)
    validate  all members' specs                 -> mistakes                      (at load)
    claims    spec                               -> tokens it owns or uses on a host
    facts     spec                               -> questions for its host(s)     (one script per host)
    observe   view                               -> what is there, or None = absent
    desire    view                               -> what should be there
    prepare   work -> steps in scratch space only (download, compile)
    capture   work -> one read-only step whose parse gives the before-images
    apply     work -> steps        undo  work + images -> steps                   (mirror images)
    delete    work + origins -> steps, by default undo to the origins
    trigger   work -> steps that reload or restart
    guard     view -> how to take this host out of service and back

Where a step runs: as its own `/bin/sh` under `timeout`, with `set -eu`, stdin from /dev/null,
cwd `/`, `LC_ALL=C`, `umask 022`, PATH with the sbin folders, and as root (or the connection's user
without become). `$HACORE_WORK` is a private 0700 folder that holds the step's blobs by name and
vanishes afterwards; `$HACORE_HOME` (/var/lib/hacore) is hacore's persistent folder on the host.
Values reach shell text only through `quote`; secrets only as blobs, never as an argument of a
program (arguments are visible in the process list).
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from .address import Address
from .model import JSON, Action, Attrs, Disrupts, Host, Image, Unknown

__all__ = [
    "Action",
    "Address",
    "Ask",
    "Attrs",
    "Change",
    "Check",
    "Claim",
    "Desired",
    "Disrupts",
    "Fact",
    "Facts",
    "Guard",
    "Host",
    "HostFacts",
    "Image",
    "Mistake",
    "Observed",
    "Output",
    "Provider",
    "Source",
    "Spec",
    "StackFiles",
    "Step",
    "Trigger",
    "Unknown",
    "View",
    "Work",
    "quote",
]


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

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- facts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a host: a fact, its argument, and options for its command.

    `wanted` lets the host answer briefly when it already has what is wanted (a file's sha256: its
    content comes back only where the hash differs). `secret` forbids the host to return content.
    """

    fact: Fact[Any]
    arg: str
    wanted: str = ""
    secret: bool = False

    @property
    def id(self) -> tuple[str, str]:
        """What identifies the answer: fact name and argument."""
        return (self.fact.name, self.arg)


T_co = TypeVar("T_co", covariant=True)


class Fact(Protocol[T_co]):
    """A kind of question. All asks of one fact are one snippet in the host's probe script.

    `command` is POSIX sh that reads and never writes; it runs in a subshell with LC_ALL=C, PATH
    with sbin, `$HACORE_INIT` (systemd, sysv or none) and `$HACORE_PKG` (dpkg, rpm or none) set, its
    stdin is empty and its exit code is ignored. `parse` is pure: the snippet's stdout to a value
    per argument; an argument that is missing from the mapping was not answered.
    """

    @property
    def name(self) -> str:
        """Unique among all facts."""
        ...

    def command(self, asks: Sequence[Ask]) -> str:
        """The snippet that answers all of `asks`."""
        ...

    def parse(self, stdout: bytes) -> Mapping[str, T_co]:
        """The answers by argument."""
        ...


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What every probe tells of a host."""

    family: str = ""  # debian, redhat or ""
    os: str = ""  # PRETTY_NAME of /etc/os-release
    init: str = ""  # systemd, sysv or none
    packager: str = ""  # dpkg, rpm or none
    machine_id: str = ""
    boot_id: str = ""
    hostname: str = ""
    cpus: int = 1
    arch: str = ""  # uname -m
    uid: int = 0
    time: float = 0.0  # Unix time on the host, seconds


@dataclass(frozen=True, slots=True)
class Facts:
    """The answers of one host."""

    host: HostFacts = HostFacts()
    answers: Mapping[tuple[str, str], Any] = field(default_factory=dict)

    def get(self, fact: Fact[T_co], arg: str) -> T_co | None:
        """The answer to one question; None when the host did not answer it."""
        return self.answers.get((fact.name, arg))


# --- what a provider sees and says -----------------------------------------------------------------

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class View(Generic[S]):
    """One instance as its provider sees it.

    `members`: all hosts of the same resource, its own included, each with its spec and facts (empty
    Facts when that host is unreachable or at load). `companions`: all wanted instances of the kind
    that share this one's aggregate on its host, itself included, in address order.
    `foreign`: tokens that other resources own on this host.
    """

    address: Address
    spec: S
    host: Host | None
    facts: Facts = Facts()
    members: Mapping[str, tuple[S, Facts]] = field(default_factory=dict)
    companions: tuple[tuple[Address, S], ...] = ()
    foreign: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there. `attrs` are compared (the keys that are desired, too); `info` is only shown.

    `texts` holds the full text behind an attr (its name as key) for hunks in the plan; leave it out
    for what is sensitive.
    """

    attrs: Attrs
    info: Attrs = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Desired:
    """What should be there: only what the spec governs. A value may be `Unknown`.

    `attrs` None means: should be absent. `sensitive` names attrs whose value tells about a secret
    (a hash of a file with a password in it): state and plan keep an HMAC of them.
    """

    attrs: Attrs | None
    texts: Mapping[str, str] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()
    replace_on: frozenset[str] = frozenset()  # attrs whose change means replace
    irreversible: str = ""  # why this change could not be undone; shown as `!`
    effect: str = ""  # shown at the change: "start nginx"; triggers are added by the engine
    disrupts: Disrupts = "none"  # what applying the change itself does to the service of its host


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong with a spec: the field (dotted path in the body), and what would be right."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A token on a host, such as `path:/etc/x`, `unit:nginx`, `pkg:gcc`, `vrid:eth1/66`, `config:keepalived`.

    `own`: exclusively mine; two desired instances with it are an error. `share`: mine, but others
    of my aggregate may have it too. `use`: I need what owns or shares it to be done first (an
    automatic edge; nothing happens when nobody owns it). An owner of `path:/a` comes before
    whoever owns or uses `path:/a/b`.
    """

    token: str
    mode: Literal["own", "share", "use"] = "own"


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
    """One address's way from observed to desired, as a task gets it."""

    address: Address
    action: Action
    spec: S  # of the stack; for a delete: as recorded
    host: Host | None = None
    facts: Facts = Facts()
    recorded: Attrs | None = None
    observed: Attrs | None = None
    desired: Attrs | None = None
    view: View[S] | None = None


@dataclass(frozen=True, slots=True)
class Work(Generic[S]):
    """The changes of one task: one, or several that share an aggregate on one host.

    `images`: for `undo` the images of this run, for `delete` the origins. `wanted`: what the
    aggregate's companions want after this task (all of them: changed or not).
    """

    changes: tuple[Change[S], ...]
    images: Mapping[Address, Image] = field(default_factory=dict)
    wanted: tuple[tuple[Address, S], ...] = ()
    foreign: frozenset[str] = frozenset()
    facts: Facts = Facts()
    host: Host | None = None
    run: int = 0


# --- steps -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """What a step printed. `stdout` and `stderr` are bytes; `rc` is its exit code (124: deadline)."""

    rc: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.stdout.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Source:
    """Bulk that the controller gets, verifies, caches and streams.

    `url` is http(s) or file, `sha256` is in hex.
    """

    url: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Step:
    """A script that a task runs, as data. See the module's text for where it runs.

    `deadline` is in seconds and is enforced on the host; `detached` steps survive the connection.
    `parse` is pure; what a capture's parse returns must be a mapping of Address to Image. `tries`
    and `pause` (seconds) repeat a step that exits 75 (EX_TEMPFAIL: "not yet").
    """

    script: str
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)  # like blobs, by name in $HACORE_WORK
    what: str = ""  # shown while it runs: "building nginx 1.22.1"
    deadline: float = 120.0
    detached: bool = False
    disrupts: Disrupts = "none"
    tries: int = 1
    pause: float = 0.5
    parse: Callable[[Output], Any] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """An HTTP question about health: GET `http`, expect `status` (and `body` in the answer)."""

    http: str
    status: int = 200
    body: str = ""
    timeout: float = 3.0


@dataclass(frozen=True, slots=True)
class Guard:
    """How to take a host out of service before something there restarts, and back.

    `drain` asks it to let go; it is out of service once `clear(view after a re-probe)` is true.
    `group` names what is guarded: never are two hosts of one group out of service at once.
    """

    group: str
    drain: Step
    undrain: Step
    clear: Callable[[View[Any]], bool]
    patience: float = 30.0  # seconds until a host that does not let go fails the block


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
    """A resource kind. Subclasses MUST define kind, spec, facts, observe, desire; and capture, apply
    and undo unless they change nothing on hosts. Instances are stateless and shared.
    """

    kind: ClassVar[str]
    spec: ClassVar[type[Spec]]
    schema_version: ClassVar[int] = 1
    hosts: ClassVar[Literal["each", "together"]] = "each"
    """each: an instance per host. together: one instance without a host that looks at all of them."""

    # -- at load
    def resolve(self, spec: S, files: StackFiles) -> S:
        """The spec with everything taken in that lies in the stack's folder."""
        return spec

    def validate(self, members: Mapping[str, S], hosts: Mapping[str, Host]) -> Iterable[tuple[str, Mistake]]:
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

    def absent(self, spec: S) -> Image:
        """The image of "nothing is there": what `on_delete: remove` goes back to."""
        return Image(data=None)

    def trigger(self, work: Work[S], op: Literal["reload", "restart"]) -> Sequence[Step]:
        """Steps that make the running thing take its new configuration; nothing when it is not running."""
        return ()

    def loads(self, change: Change[S]) -> bool:
        """Whether applying this change starts the thing afresh, which swallows its pending triggers."""
        return False

    def patience(self, spec: S) -> float:
        """Seconds for which the re-probe after apply is repeated until it shows what is desired."""
        return 0.0


def attrs_of(value: Observed | None) -> JSON:
    """The attrs of an observation as JSON; None for absent."""
    return None if value is None else dict(value.attrs)
