"""The values that all parts share: hosts, actions, rows of the state, images, runs and tasks.

Values only: frozen, without I/O. All that is stored or shown as JSON is JSON here already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .address import Address
from .endpoint import HostAddress, KeyFile, LoginName

JSON = Any  # a JSON value: a recursive alias costs mypy more than it finds
Attrs = Mapping[str, Any]
Disrupts = Literal["none", "reload", "restart"]


def strongest(*disrupts: Disrupts) -> Disrupts:
    """The strongest disruption of a service: restart before reload before none."""
    return max(disrupts, key=("none", "reload", "restart").index, default="none")


class Action(Enum):
    """The action of a plan on one address; the value is the symbol in its text."""

    CREATE = "+"
    UPDATE = "~"
    REPLACE = "-/+"
    DELETE = "-"
    ADOPT = "="
    NOOP = " "
    FORGET = "."

    @property
    def word(self) -> str:
        """The action's name in JSON, in states and plans: `create`, `update`, ..."""
        return _WORDS[self]


_WORDS = {  # on disk: independent of the members' names
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.ADOPT: "adopt",
    Action.NOOP: "noop",
    Action.FORGET: "forget",
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is known only after apply. It equals nothing, itself included, and is never stored."""

    reason: str

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return "(known after apply)"


class Connection(BaseModel):
    """Settings of the connection to a host. Defaults are those of ssh_config, then of ssh."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transport: Literal["ssh", "local"] = "ssh"
    user: LoginName | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    become: Literal["none", "sudo"] = "none"
    identity_file: KeyFile | None = None
    connect_timeout: float = Field(default=10.0, gt=0, description="seconds until a host counts as unreachable")
    reconnect_timeout: float = Field(
        default=120.0, ge=0, description="seconds for which a run tries to reconnect to a lost host"
    )


TwinSystem = Literal["debian", "debian13", "sysvinit", "redhat"]
"""Systems of twins: Debian of this machine's release; Debian 13; Debian without systemd; Red Hat's name with dnf."""


class TwinBody(BaseModel):
    """The host's twin in a lab. Plans and the host itself do not depend on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    os: TwinSystem = Field(default="debian", description="the system of the host's twin in a lab")


class Host(BaseModel):
    """A machine of the stack: its name there, its network address, groups and variables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: HostAddress  # ssh_config may name a jump host by its address alone
    address: HostAddress
    groups: tuple[str, ...] = ()
    vars: dict[str, Any] = Field(default_factory=dict)
    connection: Connection = Connection()
    twin: TwinBody = Field(default=TwinBody(), exclude=True)  # not recorded

    @property
    def refusal(self) -> str:
        """Why a connection to this host is refused; empty for each validated host."""
        by = self.connection
        try:
            Connection(
                transport=by.transport,
                user=by.user,
                port=by.port,
                become=by.become,
                identity_file=by.identity_file,
                connect_timeout=by.connect_timeout,
                reconnect_timeout=by.reconnect_timeout,
            )
            Host(name=self.name, address=self.address)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(step) for step in first["loc"])
            at = ascii(f"{self.name}@{self.address}")[1:-1]  # any text, shown in one line
            return f"cannot reach {at}: {field}: {first['msg'].removeprefix('Value error, ')}"
        return ""


class Lifecycle(BaseModel):
    """Rules for an instance that stay in force after its block is removed from the stack file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prevent_destroy: bool = False
    ignore_changes: tuple[str, ...] = ()
    on_delete: Literal["restore", "remove", "keep"] = "restore"
    keep_on_failure: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """A before-image: JSON data and byte blobs, sufficient for `undo` to restore the previous state.

    `run` is the number of the run that captured it (0: not stored yet); of two origins of one shared resource
    the older one is the true origin. `modes` are the modes of the files of which it has the content, with 0 for one
    below a folder that not everybody may enter: the engine encrypts the image unless all of them can be read by
    everybody. None: they are not known. They are not stored.
    """

    data: JSON = None
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    sensitive: bool = False
    run: int = 0
    modes: tuple[int, ...] | None = field(default=None, compare=False)


Found = Literal["absent", "same", "different"]


@dataclass(frozen=True, slots=True)
class Row:
    """The record of one instance in the state, sufficient for drift, delete and rollback without its stack."""

    address: Address
    spec: JSON
    schema_version: int
    attrs: JSON
    info: JSON = field(default_factory=dict)
    sensitive: tuple[str, ...] = ()  # attrs stored as a keyed HMAC
    needs: tuple[str, ...] = ()  # addresses
    claims: tuple[str, ...] = ()  # exclusive tokens
    hosts: tuple[str, ...] = ()  # one, or all members of a resource without a host
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    loaded: Mapping[str, str | None] = field(
        default_factory=dict
    )  # source address -> mark, see `loaded_mark` and `pending_mark`
    origin: int | None = None  # id of the stored first before-image
    found: Found = "absent"  # its state when hacore first observed it
    tainted: bool = False
    run: int = 0


class Status(Enum):
    """The status of a task of a run. The walker defines the transitions."""

    DO = "do"
    DOING = "doing"
    DONE = "done"
    UNDO = "undo"
    UNDOING = "undoing"
    UNDONE = "undone"
    HOLD = "hold"
    ERROR = "error"

    @property
    def final(self) -> bool:
        """Whether it is the last status of a task in this run."""
        return self in (Status.DONE, Status.UNDONE, Status.HOLD, Status.ERROR)


class Op(Enum):
    """The type of a task in the execution graph."""

    CHANGE = "change"  # create, update, replace, delete, adopt: a provider's apply or delete
    RESTORE = "restore"  # of a rollback: an older image is restored by the provider's undo
    ENSURE = "ensure"  # a no-op now, downstream of a task that invalidates it
    TRIGGER = "trigger"  # reload or restart a consumer
    DRAIN = "drain"
    VERIFY = "verify"
    UNDRAIN = "undrain"


def canonical(value: JSON) -> str:
    """JSON in a canonical form, for digests and comparisons."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def loaded_mark(attrs: JSON, keys: Sequence[str] = ()) -> str:
    """The mark of a consumer that has loaded a source with these attrs; with `keys` only those attrs count.

    A mark names its attrs, so it can be compared without the trigger.
    """
    part = {key: attrs.get(key) for key in keys} if keys and attrs is not None else attrs
    return f"{','.join(keys)}:{digest(part)}" if keys else digest(part)


def pending_mark(mark: str | None) -> str | None:
    """The mark of a consumer with a pending reload or restart; the source that it loaded last is kept in it."""
    return mark if is_pending(mark) else f"?{mark}"


def is_pending(mark: str | None) -> bool:
    """Whether a mark is pending; None: the source that was loaded last is not known."""
    return mark is None or mark.startswith("?")


def last_loaded_mark(mark: str | None) -> str | None:
    """The mark of the source that was loaded last."""
    return mark.removeprefix("?") if mark is not None else None


def marked_keys(mark: str | None) -> tuple[str, ...]:
    """The attrs that a mark names; none: all."""
    keys = (last_loaded_mark(mark) or "").rpartition(":")[0]
    return tuple(keys.split(",")) if keys else ()


def has_loaded(mark: str | None, attrs: JSON) -> bool:
    """Whether a mark records these attrs as loaded; a pending one never does."""
    return mark is not None and mark == loaded_mark(attrs, marked_keys(mark))


def has_loaded_deleted(mark: str | None) -> bool:
    """Whether the consumer of a deleted source still has it loaded: its reload or restart is pending."""
    return is_pending(mark) and last_loaded_mark(mark) not in (None, loaded_mark(None, marked_keys(mark)))


def digest(value: JSON) -> str:
    """A short stable digest of a JSON value: the first 16 bytes of its SHA-256, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]
