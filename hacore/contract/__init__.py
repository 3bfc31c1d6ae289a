"""The contract between the engine and the resource kinds.

A provider does no I/O. It is a set of pure functions over *views* (a spec together with the facts
of its hosts) and returns *steps* (POSIX sh text as data). Only the walker runs steps. A provider
imports this module and the names in it, nothing else of the engine, and never another provider.

The methods of a provider, in the order of their calls:

    resolve   spec + files of the stack's folder -> spec that needs no folder     (at load)
    validate  all members' specs                 -> mistakes                      (at load)
    claims    spec                               -> tokens it owns or uses on a host
    facts     spec                               -> questions for its host(s)     (one script per host)
    observe   view                               -> the current state, or None = absent
    examine   view                               -> mistakes that only facts and companions reveal
    examine_all  all views of the kind           -> mistakes that only they together reveal
    desire    view                               -> the desired state
    prepare   work -> steps in scratch space only (download, compile)
    capture   work -> one read-only step; its parse returns the before-images
    apply     work -> steps        undo  work + images -> steps                   (mirror images)
    delete    work + origins -> steps, by default undo to the origins
    trigger   work -> steps that reload or restart
    guard     view -> how to drain and undrain this host
    maintenance  view, order -> how an operator drains this host for longer       (drain, undrain, move, roll)
    fail_over  view -> how its addresses move when this host fails                (drill)
    served    view -> the addresses that its hosts serve together                 (status and drift)
    daemons   view -> the daemons of its host                                     (status and drift)
    held      view -> the addresses that must stay held around reloads            (apply)
    discover  facts -> what a host has already, as resources                      (init --from)

Where a step runs: as its own `/bin/sh` under `timeout`, with `set -eu`, stdin from /dev/null,
cwd `/`, `LC_ALL=C`, `umask 022`, PATH with the sbin folders, and as root (or the connection's user
without become). `$HACORE_WORK` is a private 0700 folder that holds the step's blobs by name and
vanishes afterwards; `$HACORE_HOME` (/var/lib/hacore) is hacore's persistent folder on the host.
A step writes only to paths that no other user can redirect: `SAFE_PATH` is shell text that defines
`safe_path PATH...`, which fails the step otherwise, and `safe_owner PATH OWNER` for an entry that is given away.
Values reach shell text only through `quote`; secrets only as blobs, never as an argument of a
program (arguments are visible in the process list).
"""

from __future__ import annotations

from ..address import Address
from ..errors import InputError, UsageError
from ..model import Action, Attrs, Disrupts, Found, Host, Image, Lifecycle, Unknown
from ..spelling import suggestion
from .claims import Claim, TokenType, account_claims
from .commands import Command, CommandOption, CommandResult
from .discovery import Discover, Discovered, Discovery, LeftOut, Secret
from .facts import Ask, Fact, Facts, HostFacts
from .fail_over import Budget, FailOver, Partition
from .maintenance import Drained, Maintenance
from .provider import Provider, StackFiles
from .safepath import SAFE_PATH
from .serving import VERDICTS, Daemon, Held, Member, Served, VerdictWord
from .steps import Check, Guard, Output, Source, Step
from .views import (
    NO_RULES,
    Change,
    Desired,
    Effect,
    Health,
    Mistake,
    Network,
    Observed,
    Spec,
    Trigger,
    Verdict,
    View,
    Work,
    quote,
)

__all__ = [
    "NO_RULES",
    "SAFE_PATH",
    "VERDICTS",
    "Action",
    "Address",
    "Ask",
    "Attrs",
    "Budget",
    "Change",
    "Check",
    "Claim",
    "Command",
    "CommandOption",
    "CommandResult",
    "Daemon",
    "Desired",
    "Discover",
    "Discovered",
    "Discovery",
    "Disrupts",
    "Drained",
    "Effect",
    "Fact",
    "Facts",
    "FailOver",
    "Found",
    "Guard",
    "Health",
    "Held",
    "Host",
    "HostFacts",
    "Image",
    "InputError",
    "LeftOut",
    "Lifecycle",
    "Maintenance",
    "Member",
    "Mistake",
    "Network",
    "Observed",
    "Output",
    "Partition",
    "Provider",
    "Secret",
    "Served",
    "Source",
    "Spec",
    "StackFiles",
    "Step",
    "TokenType",
    "Trigger",
    "Unknown",
    "UsageError",
    "Verdict",
    "VerdictWord",
    "View",
    "Work",
    "account_claims",
    "quote",
    "suggestion",
]
