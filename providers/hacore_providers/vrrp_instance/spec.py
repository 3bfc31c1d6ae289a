"""The fields of a `vrrp_instance`: models of the VRRP keywords of keepalived.conf(5) that hacore supports.

Models check shapes only; ranges and rules are in check_member.py and check_pair.py, so that every recorded spec
can be read from the state.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import SkipJsonSchema

from hacore.contract import Spec

BINARY = "/usr/sbin/keepalived"
CONFIG = "/etc/keepalived/keepalived.conf"
OWNER = 255
"""The priority of an address owner (RFC 5798, section 5.2.4), which always serves the address."""

_BYTE: dict[str, JsonValue] = {"minimum": 1, "maximum": 255}  # for editors; check_member.py has the rule

MAINTENANCE = "/var/lib/hacore/drain"
"""The folder of the drains of operators: keepalived drops a tracker in a folder that does not exist."""

DRAIN_WEIGHT = -253
"""The weight of a drained member: lowers every priority to the lowest one, 1 (keepalived clamps it there)."""


class Part(BaseModel):
    """Base of the mappings inside a body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Authentication(Part):
    """`authentication`: protects against misconfigured neighbours, not against attackers (it is sent in clear)."""

    type: Literal["PASS", "AH"] = Field(default="PASS", description="auth_type")
    password: str = Field(description="auth_pass; keepalived uses 8 bytes of it")


class VirtualAddress(Part):
    """An entry of `virtual_ipaddress`."""

    address: str = Field(description="IP address; default prefix length: /32, /128 for IPv6")
    dev: str | None = Field(default=None, description="interface of the address; default: the instance's")
    label: str | None = Field(default=None, description="IFNAME:TEXT, at most 15 characters")
    scope: Literal["site", "link", "host", "nowhere", "global"] | None = Field(
        default=None, description="as in ip-address(8)"
    )


class TrackScript(Part):
    """A `vrrp_script`: exit code 0 means healthy."""

    script: str = Field(description="absolute path and arguments")
    interval: float = Field(default=1, description="seconds between two runs")
    timeout: float | None = Field(default=None, description="seconds after which a run counts as failed")
    weight: int = Field(default=0, description="0: a failure puts the instance into FAULT")
    rise: int | None = Field(default=None, description="successes in a row until it is healthy")
    fall: int | None = Field(default=None, description="failures in a row until it has failed")
    user: str | None = Field(default=None, description="USER [GROUP] that runs it; default: script_user of globals")


class TrackFile(Part):
    """A `vrrp_track_file`: the number in the file times the weight is added to the priority."""

    file: str = Field(description="absolute path")
    weight: int = Field(default=1, description="factor for the number; 0: any number but 0 is a FAULT")
    init_file: int | None = Field(default=None, description="number to write if the file does not exist")


class TrackProcess(Part):
    """A `vrrp_track_process`. It does not work in network namespaces and containers."""

    process: str = Field(description="name of the program, with its arguments if needed")
    weight: int = Field(default=0, description="0: a missing process puts the instance into FAULT")
    quorum: int | None = Field(default=None, description="number of processes that must run; default: 1")
    delay: float | None = Field(default=None, description="seconds before a missing process counts as failed")


class TrackInterface(Part):
    """An entry of `track_interface`."""

    weight: int = Field(default=0, description="0: a link that is down puts the instance into FAULT")


class Notify(Part):
    """Scripts that keepalived runs after a change of the instance's state."""

    master: str | None = Field(default=None, description="notify_master: absolute path and arguments")
    backup: str | None = Field(default=None, description="notify_backup")
    fault: str | None = Field(default=None, description="notify_fault")
    stop: str | None = Field(default=None, description="notify_stop")
    any: str | None = Field(default=None, description="notify: after every change, with the new state as an argument")

    def scripts(self) -> dict[str, str]:
        """Keyword of keepalived.conf to command, for those that are given."""
        given = {"notify": self.any} | {f"notify_{k}": getattr(self, k) for k in ("master", "backup", "fault", "stop")}
        return {keyword: script for keyword, script in given.items() if script}


class Unicast(Part):
    """Adverts to named peers instead of multicast."""

    peers: tuple[str, ...] = Field(default=(), description="IP addresses; a member's own one is omitted")


class VrrpInstanceSpec(Spec):
    """A VRRP instance of keepalived on its members, and their keepalived.conf.

    `name`, `sensitive`, `password_only` and `promote_secondaries` are set at load: from the resource's name, from the
    secrets in the body, and from the host's address.
    """

    interface: str = Field(description="interface of the adverts and the addresses")
    virtual_router_id: int = Field(
        description="1 to 255, the same on all members, unique in their network", json_schema_extra=_BYTE
    )
    priority: int = Field(
        default=100,
        description="1 to 254, 255 for the owner of the address; the highest one becomes master",
        json_schema_extra=_BYTE,
    )
    state: Literal["MASTER", "BACKUP"] | None = Field(default=None, description="initial state; default: BACKUP")
    version: Literal[2, 3] | None = Field(
        default=None, description="version of VRRP; default: 2, or 3 with IPv6 addresses"
    )
    advert_interval: float = Field(default=1, description="seconds between adverts; whole ones with version 2")
    authentication: Authentication | None = Field(default=None, description="version 2 only")
    preempt: bool | None = Field(
        default=None, description="false: a member that starts again leaves the addresses at their holder"
    )
    preempt_delay: float | None = Field(default=None, description="seconds, 0 to 1000")
    unicast: bool | Unicast = Field(
        default=False,
        description="send adverts to the other members' addresses, or to {peers: [...]}, instead of multicast",
    )
    unicast_src_ip: str | None = Field(
        default=None, description="source of unicast adverts; default: the host's address"
    )
    addresses: tuple[str | VirtualAddress, ...] = Field(description="the virtual addresses, all of one family")
    track_scripts: dict[str, TrackScript] = Field(default_factory=dict, description="scripts to watch, by name")
    track_files: dict[str, TrackFile] = Field(default_factory=dict, description="files with a number to watch, by name")
    track_processes: dict[str, TrackProcess] = Field(default_factory=dict, description="processes to watch, by name")
    track_interfaces: dict[str, TrackInterface] = Field(
        default_factory=dict, description="additional interfaces to watch, by their name"
    )
    sync_group: str | None = Field(
        default=None,
        description="name of a vrrp_sync_group: the instances of this name on a host are MASTER together, or none is",
    )
    notify: Notify = Field(default=Notify(), description="scripts to run after a change of state")
    router_id: str | None = Field(default=None, description="router_id of the host in global_defs; one word")
    globals: dict[str, Any] = Field(default_factory=dict, description="keywords of global_defs")
    extra: tuple[str, ...] | str = Field(default=(), description="raw lines for the vrrp_instance block")
    raw_before: tuple[str, ...] | str = Field(
        default=(), description="raw lines of the file before trackers and instances, such as static_routes"
    )
    raw_after: tuple[str, ...] | str = Field(
        default=(), description="raw lines of the file after the instances, such as virtual_server blocks"
    )
    replace_existing: tuple[str, ...] = Field(
        default=(),
        description="instances, addresses and virtual servers of a keepalived.conf not yet managed that may be "
        "removed, and addresses that another machine still has",
    )
    config: str = Field(default=CONFIG, description="path of keepalived.conf; hacore owns the whole file")
    binary: str = Field(default=BINARY, description="program that tests the new file before it is installed")
    service: str = Field(default="keepalived", description="unit to reload")
    name: SkipJsonSchema[str] = Field(
        default="", description="keepalived's name of the instance; default: the resource's name"
    )
    promote_secondaries: SkipJsonSchema[bool] = Field(
        default=False, description="whether an address is in a network in which its host has no other one"
    )
    sensitive: SkipJsonSchema[bool] = Field(default=False, description="never show the file's content")
    password_only: SkipJsonSchema[bool] = Field(
        default=False,
        description="only the password is sensitive: the content is shown with the password masked",
    )

    @property
    def vips(self) -> tuple[VirtualAddress, ...]:
        """The addresses, each in its long form."""
        return tuple(VirtualAddress(address=a) if isinstance(a, str) else a for a in self.addresses)

    @property
    def nopreempt(self) -> bool:
        """Whether a member that starts again leaves the addresses at their holder."""
        return self.preempt is False

    @property
    def role(self) -> Literal["MASTER", "BACKUP"]:
        """`state`; default as keepalived's own: MASTER for an address owner, else BACKUP."""
        return self.state or ("MASTER" if self.priority == OWNER else "BACKUP")

    @property
    def drain_weight(self) -> int:
        """The weight of the drain tracker. 0, that is FAULT, if keepalived would ignore a lower priority.

        It ignores weights of the members of a sync group (acassen/keepalived#2105).
        """
        return 0 if self.nopreempt or self.priority == OWNER or self.sync_group is not None else DRAIN_WEIGHT

    @property
    def drain_file(self) -> str:
        """The path of the drain file, which contains 1 while the host is drained.

        In /run itself: at its start keepalived drops a tracker in a missing folder, and only /run always exists
        after a boot. The file must not be replaced by a rename: keepalived (2.2.7) watches the file, not the name.
        """
        return f"/run/hacore-drain.{self.name}"

    @property
    def maintenance_file(self) -> str:
        """The path of the drain file of `hacore drain`: an operator's drain survives a restart of the host."""
        return f"{MAINTENANCE}/{self.name}"

    @property
    def peers(self) -> tuple[str, ...]:
        """The unicast peers without the member itself; empty with multicast."""
        named = self.unicast.peers if isinstance(self.unicast, Unicast) else ()
        return tuple(dict.fromkeys(p for p in named if p != self.unicast_src_ip))

    @property
    def extra_keywords(self) -> tuple[str, ...]:
        """The first words of the raw lines outside of blocks."""
        depth, found = 0, []
        for line in self.extra_lines:
            words = re.sub(r"[#!].*", "", line).replace("{", " { ").replace("}", " } ").split()
            if words and depth == 0 and words[0] not in ("{", "}"):
                found.append(words[0])
            depth += words.count("{") - words.count("}")
        return tuple(found)

    @property
    def extra_lines(self) -> tuple[str, ...]:
        """The raw lines, one by one."""
        return _lines(self.extra)

    @property
    def lines_before(self) -> tuple[str, ...]:
        """The raw lines before trackers and instances."""
        return _lines(self.raw_before)

    @property
    def lines_after(self) -> tuple[str, ...]:
        """The raw lines after the instances."""
        return _lines(self.raw_after)


def _lines(raw: tuple[str, ...] | str) -> tuple[str, ...]:
    """The lines with text. An entry of a list may have several of them."""
    entries = [raw] if isinstance(raw, str) else raw
    return tuple(line.rstrip() for entry in entries for line in (entry.splitlines() or [""]) if line.strip())


def instance_name(resource: str) -> str:
    """keepalived's name for a resource: VI_a for `VI["a"]`, because its parser ends a name at a space or a brace."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", resource).strip("_")
