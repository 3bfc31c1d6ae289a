"""The rules of lint: the name, how bad a finding is, and its text in docs/rules.md and `lint --explain`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .finding import Severity

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: what is wrong (`title`), what it does to a pair (`why`), and what to do (`fix`)."""

    severity: Severity
    title: str
    why: str
    fix: str


def _fault(title: str, why: str, fix: str) -> Rule:
    return Rule("fault", title, why, fix)


def _warning(title: str, why: str, fix: str) -> Rule:
    return Rule("warning", title, why, fix)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        # -- the text -----------------------------------------------------------------------------------------
        "quote-not-closed": _fault(
            "a quote does not end",
            "keepalived drops what follows the quote in that line.",
            'Close it with " in the same line.',
        ),
        "escape-lost": _fault(
            "an escaped # or !",
            "keepalived removes the backslash and reads its own copy once more: the rest of the line is a comment.",
            'Write the value in quotes ("), in which # and ! are text.',
        ),
        "block-not-closed": _fault(
            "a block has no }",
            "Everything up to the end of the file belongs to the block, also instances and scripts that follow it.",
            "Add the } where the block ends.",
        ),
        "unexpected-brace": _fault(
            "a { or } belongs to nothing",
            "keepalived ignores it, so what is around it belongs to another block than it seems.",
            "Remove it, or write the keyword that it should follow.",
        ),
        "no-name": _fault(
            "a block has no name",
            "keepalived skips the whole block.",
            "Write the name between the keyword and the {.",
        ),
        "line-too-long": _fault(
            "a line has more than 1023 bytes",
            "keepalived reads the rest as another line.",
            "Write several lines, or move a long command into a script.",
        ),
        "nul-byte": _fault("a NUL byte", "keepalived ignores the rest of the line.", "Remove it."),
        "byte-order-mark": _fault(
            "a byte order mark",
            "It becomes part of the first keyword, which keepalived then does not know.",
            "Save the file as UTF-8 without a byte order mark.",
        ),
        "typographic-quote": _fault(
            "a quote of a word processor",
            'To keepalived only " is a quote; others are part of the word.',
            'Write ".',
        ),
        "include-missing": _fault(
            "an include matches no file",
            "keepalived continues without it and exits with 0 in a test of the configuration, so its instances and "
            "scripts are missing silently.",
            "Correct the path, which is relative to the folder of the including file, or remove the line.",
        ),
        "include-loop": _fault("a file includes itself", "keepalived cannot read it.", "Remove one of the includes."),
        "bad-sequence": _fault(
            "a ~SEQ or ~LST that keepalived cannot read",
            "keepalived drops the line.",
            "~SEQ(NAME, START, STEP, END) TEXT, or ~LST(NAME, VALUE, ...) TEXT; see keepalived.conf(5).",
        ),
        "definition-too-long": _fault(
            "a definition becomes too long for a line",
            "A definition that contains itself never ends; a line has 1023 bytes at most.",
            "Write the value without the definition.",
        ),
        "too-many-lines": _fault(
            "sequences or definitions produce more than 100,000 lines",
            "keepalived would take minutes and much memory.",
            "Check the end of the sequence.",
        ),
        # -- keywords and values ------------------------------------------------------------------------------
        "misspelt-keyword": _fault(
            "a keyword that is almost one of keepalived",
            "keepalived logs it once and continues without the setting.",
            "Write the keyword that was meant.",
        ),
        "misplaced-keyword": _fault(
            "a keyword of another block",
            "keepalived ignores it here. Most often a } has closed the block too early, or one is missing.",
            "Move it to its block.",
        ),
        "unknown-keyword": _warning(
            "a keyword that keepalived does not know in this block",
            "keepalived ignores it. It may belong to another block, or to a version built with an addition.",
            "Move it to its block, or remove it.",
        ),
        "no-router-id": _fault(
            "an instance without virtual_router_id",
            "keepalived drops the instance.",
            "Set virtual_router_id, 1 to 255, the same on all members.",
        ),
        "not-a-number": _fault("a value that is no number", "keepalived takes the default.", "Write a number."),
        "out-of-range": _fault(
            "a number outside of its range",
            "keepalived takes the default or the nearest value, depending on its version.",
            "Write a number in the range.",
        ),
        "state-word": _fault(
            "a state that is neither MASTER nor BACKUP",
            "keepalived takes BACKUP without a word; `master` is not MASTER.",
            "Write MASTER or BACKUP in capitals.",
        ),
        "auth-type": _fault("an auth_type that does not exist", "keepalived ignores it.", "Write PASS or AH."),
        "address": _fault(
            "a virtual address that cannot be used",
            "keepalived drops it, and the members then disagree about the number of addresses.",
            "Write an address that hosts can have, once, all of one family.",
        ),
        "advert-interval": _warning(
            "an advert_int that keepalived rounds",
            "VRRP version 2 sends whole seconds, version 3 hundredths up to 40.95.",
            "Write a value that the version can send.",
        ),
        "priority-of-drain": _warning(
            "priority 1",
            "It is what keepalived uses for a member of which all trackers have failed: nothing is below it.",
            "Set 2 or more.",
        ),
        "preempt": _fault(
            "nopreempt or preempt_delay where keepalived ignores it",
            "With state MASTER or priority 255 a member that starts again takes the addresses at once.",
            "Set state BACKUP on all members, and a priority below 255.",
        ),
        "nopreempt-weight": _fault(
            "a weight with nopreempt",
            "With nopreempt a backup does not take over from a master with a lower priority: when the check fails, "
            "the addresses stay where nothing serves.",
            "Set weight 0, so that a failure is a FAULT.",
        ),
        "unicast-family": _fault(
            "unicast peers of the other family than the addresses",
            "keepalived sends the adverts of IPv6 addresses over IPv6 only, and those of IPv4 over IPv4.",
            "Use addresses of the same family, or multicast.",
        ),
        "password-length": _warning(
            "an auth_pass of more than 8 bytes",
            "keepalived uses the first 8 bytes (RFC 2338, section 5.3.6).",
            "Shorten it on all members.",
        ),
        "setting": _warning(
            "a setting that does not fit the others",
            "keepalived ignores it, or takes another value.",
            "See the finding.",
        ),
        # -- one file -----------------------------------------------------------------------------------------
        "name-twice": _fault("two instances of one name", "keepalived drops the second.", "Give each its own name."),
        "router-id-twice": _fault(
            "two instances with one virtual_router_id on one interface",
            "Each takes the adverts of the other for its own (RFC 5798, section 5.2.3).",
            "Give each instance its own number.",
        ),
        "address-twice": _fault(
            "one address in two instances",
            "The first of them that becomes backup removes the address, whatever the other one holds.",
            "Leave it in one of them.",
        ),
        "tracker-undefined": _fault(
            "a tracker that is not defined",
            "keepalived ignores the reference: nothing watches the service.",
            "Define it before the instance, or correct the name.",
        ),
        "tracker-order": _fault(
            "a tracker that is defined after its use",
            "keepalived reads from the top and ignores the reference: nothing watches the service.",
            "Move the definition before the first instance.",
        ),
        "tracker-unused": _warning(
            "a tracker that no instance uses",
            "It is not run, or changes nothing.",
            "Name it in track_script, track_file or track_process of the instance, or remove it.",
        ),
        "script-security": _warning(
            "scripts without enable_script_security",
            "keepalived runs them as root, also when another user can write them.",
            "Set enable_script_security and script_user in global_defs.",
        ),
        "script-user": _warning(
            "enable_script_security without script_user",
            "Scripts run as keepalived_script; on hosts without this user keepalived drops them.",
            "Set script_user in global_defs, or user in the script.",
        ),
        # -- scripts ------------------------------------------------------------------------------------------
        "script-asks-address": _fault(
            "a check that asks the virtual address",
            "The holder answers it, so it passes and fails on all members together and moves nothing.",
            "Ask 127.0.0.1 or the host's own address.",
        ),
        "script-always-passes": _fault(
            "a check that always exits with 0",
            "only the exit code counts: the check can never fail.",
            "Exit with 1 when the service does not serve.",
        ),
        "script-never-fails": _warning(
            "a check that names no failing exit code",
            "Only the exit code counts. A script that ends with an if, a loop or a message exits with the "
            "code of that command, which is 0 nearly always.",
            "Exit with 1 when the service does not serve.",
        ),
        "script-kills-keepalived": _warning(
            "a check that stops keepalived",
            "The member leaves for good: nothing starts keepalived again when the service is back.",
            "Exit with 1 instead, and let the weight or FAULT move the address.",
        ),
        "script-restarts-service": _warning(
            "a check that starts or restarts the service",
            "It races with systemd and with upgrades, and runs in keepalived's own group of processes.",
            "Only report; let systemd restart the service (Restart=on-failure).",
        ),
        # -- the pair -----------------------------------------------------------------------------------------
        "members-differ": _fault(
            "members disagree about what adverts carry",
            "Each drops the adverts of the other and becomes master: both hold the address.",
            "Give all members the same virtual_router_id, version, advert_int, authentication and addresses.",
        ),
        "unicast-peers": _fault(
            "a member is not among the peers of another",
            "It gets no adverts from it and becomes master, too.",
            "Name each member's unicast_src_ip in unicast_peer of the others.",
        ),
        "equal-priority": _warning(
            "members of equal priority",
            "The one that starts first keeps the address; if both become master, the higher source address wins.",
            "Give each member its own priority.",
        ),
        "two-masters": _warning(
            "state MASTER on several members",
            "Both send adverts at their start, and the address moves twice.",
            "Set MASTER on one member, or BACKUP on all.",
        ),
        "priority-order": _fault(
            "the preferred member does not win",
            "After its trackers' weights are added, another member has the higher priority.",
            "Give the preferred member a priority that is higher with all weights added.",
        ),
        "weight-moves-nothing": _fault(
            "a failure does not move the address",
            "The failed member still has a higher priority than the next one, or an equal one.",
            "Set a weight that is larger than the distance of the priorities, or 0 (FAULT).",
        ),
        "preempt-differs": _fault(
            "nopreempt on some members only",
            "Whether the address moves back depends on which member failed.",
            "Set nopreempt on all members, or on none.",
        ),
        "router-name-twice": _warning(
            "one router_id on several members",
            "Their mails and SNMP traps look the same. It has no effect on VRRP.",
            "Give each member its own router_id.",
        ),
        "address-of-member": _fault(
            "a virtual address that is a member's own address",
            "keepalived removes it from that member when it becomes backup, and the host cannot be reached.",
            "Choose a free address.",
        ),
        "not-paired": _warning(
            "an instance that no other file has",
            "Without a second member nothing takes over.",
            "Give lint the file of the other member, or remove the instance.",
        ),
    }
)
