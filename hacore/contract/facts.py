"""Questions to hosts and their answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a host: a fact, its argument, and options for its command.

    `arg` is a string, also where it encodes several values: the key of the answer in the mapping that `parse` returns.

    `wanted` lets the host answer briefly when it is already in the desired state (a file's sha256: the host
    sends the content only if the hash differs). `secret`: the host must not send content.
    """

    fact: Fact[Any]
    arg: str
    wanted: str = ""
    secret: bool = False

    @property
    def id(self) -> tuple[str, str]:
        """The key of the answer: fact name and argument."""
        return (self.fact.name, self.arg)


T_co = TypeVar("T_co", covariant=True)


class Fact(Protocol[T_co]):
    """A type of question. All asks of one fact are one snippet in the host's probe script.

    `command` is POSIX sh that reads and never writes; it runs in a subshell with LC_ALL=C, PATH
    with sbin, `$HACORE_INIT` (systemd, sysv or none) and `$HACORE_PKG` (dpkg, rpm or none) set, its
    stdin is empty and its exit code is ignored. `parse` is pure: the snippet's stdout to a value
    per argument; an argument that is missing from the mapping has no answer.

    A snippet that does not end within 60 seconds is stopped on the host, and the resources that ask for
    the fact are not asked. A fact that may take longer has an attribute `deadline`: seconds, or a
    function of the asks that gives them.
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
    """The facts that every probe of a host returns."""

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
    """The answers of one host. `failed`: name of each fact that has no answer, and the reason."""

    host: HostFacts = HostFacts()
    answers: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    def get(self, fact: Fact[T_co], arg: str) -> T_co | None:
        """The answer to one question; None if there is none."""
        return self.answers.get((fact.name, arg))

    def unanswered(self, asks: Iterable[Ask]) -> str:
        """Why some of these questions have no answer; empty if all were asked."""
        names = dict.fromkeys(ask.fact.name for ask in asks) if self.failed else {}
        return "; ".join(self.failed[name] for name in names if name in self.failed)
