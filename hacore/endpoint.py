"""What may be the address of a host and the user who logs in there.

Both become arguments of ssh, of a ProxyCommand and of a `Match exec` of ssh_config(5), where a shell reads
them: `%h`, `%n` and `%r`. The rules are those of ssh(1) (`valid_hostname` and `valid_ruser` since OpenSSH
9.6, CVE-2023-51385), as lists of what is allowed. They hold wherever a host comes from: a stack file, an
environment, a saved plan, a state.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["HostAddress", "KeyFile", "LoginName", "check_address", "check_key_file", "check_user"]

_HOST_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*\Z")
_ZONE = re.compile(r"[A-Za-z0-9_.-]+\Z")
_USER = re.compile(r"[A-Za-z0-9_.@+:%\\][A-Za-z0-9_.@+:%\\-]*\Z")
_LONGEST = 255
"""Characters of a host name (RFC 1035, 2.3.4); of a user name as well."""


def check_address(text: str) -> str:
    """`text`, if it can be the address of a host; raises ValueError with what would be right.

    A host name or an alias of ssh_config, an IPv4 address, or an IPv6 address, in brackets or not, with
    a zone where it needs one (RFC 4007).
    """
    if not text or len(text) > _LONGEST:
        raise ValueError(f"must be a host name or an IP address of 1 to {_LONGEST} characters")
    if ":" in text or "%" in text:
        return _ipv6(text)
    if not _HOST_NAME.match(text):
        raise ValueError(
            f"{text!r} is not a host name or an IP address: a name has letters, digits, '_', '.' and '-', "
            "and does not begin with '-'"
        )
    return text


def _ipv6(text: str) -> str:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    bare, percent, zone = inner.partition("%")
    try:
        ipaddress.IPv6Address(bare)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IPv6 address: write it as 2001:db8::1 or fe80::1%eth0; "
            "the port goes to connection.port"
        ) from None
    if percent and not _ZONE.match(zone):
        raise ValueError(f"{text!r} has no valid zone: write the name of an interface after the %, as in fe80::1%eth0")
    return text


def check_user(text: str) -> str:
    """`text`, if it can be a user to log in as; raises ValueError with what would be right."""
    if len(text) > _LONGEST or not _USER.match(text) or text.endswith("\\"):
        raise ValueError(
            f"{text!r} is not a user name: it has letters, digits and '_.@+:%-', a '\\' between domain and name, "
            "and does not begin with '-'"
        )
    return text


def check_key_file(text: str) -> str:
    """`text`, if it can be the path of a key: no option of a program, nothing that ends a line."""
    if not text or text.startswith("-") or not text.isprintable():
        raise ValueError(f"{text!r} is not a path: it has printable characters only and does not begin with '-'")
    return text


HostAddress = Annotated[str, AfterValidator(check_address)]
"""The address of a host; see `check_address`."""

LoginName = Annotated[str, AfterValidator(check_user)]
"""A user to log in as; see `check_user`."""

KeyFile = Annotated[str, AfterValidator(check_key_file)]
"""The path of a private key on the controller."""
