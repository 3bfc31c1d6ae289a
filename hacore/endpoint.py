"""Valid addresses of hosts, login names and paths of keys.

Address and login name become arguments of ssh, of a ProxyCommand and of a `Match exec` of ssh_config(5), where
a shell expands them: `%h`, `%n` and `%r`. The rules are those of ssh(1) (`valid_hostname` and `valid_ruser`
since OpenSSH 9.6, CVE-2023-51385), as allowed characters. They apply to hosts of stack files, environments,
saved plans and states.
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
    """Return `text` if it is a valid address of a host; raises ValueError with the correction.

    A host name or an alias of ssh_config, an IPv4 address, or an IPv6 address, with or without brackets and
    zone (RFC 4007).
    """
    if not text or len(text) > _LONGEST:
        raise ValueError(f"must be a host name or an IP address of 1 to {_LONGEST} characters")
    if ":" in text or "%" in text:
        return _ipv6(text)
    if not _HOST_NAME.match(text):
        raise ValueError(
            f"{text!r} is not a host name or an IP address: a name consists of letters, digits, '_', '.' and "
            "'-', and does not begin with '-'"
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
            "write the port as connection.port"
        ) from None
    if percent and not _ZONE.match(zone):
        raise ValueError(
            f"{text!r} has an invalid zone: write the name of an interface after the %, as in fe80::1%eth0"
        )
    return text


def check_user(text: str) -> str:
    """Return `text` if it is a valid login name; raises ValueError with the correction."""
    if len(text) > _LONGEST or not _USER.match(text) or text.endswith("\\"):
        raise ValueError(
            f"{text!r} is not a user name: it consists of letters, digits and '_.@+:%-', a '\\' between domain "
            "and name, and does not begin with '-'"
        )
    return text


def check_key_file(text: str) -> str:
    """Return `text` if it is a valid path of a key: not an option, and without line breaks."""
    if not text or text.startswith("-") or not text.isprintable():
        raise ValueError(f"{text!r} is not a path: it consists of printable characters and does not begin with '-'")
    return text


HostAddress = Annotated[str, AfterValidator(check_address)]
"""The address of a host; see `check_address`."""

LoginName = Annotated[str, AfterValidator(check_user)]
"""A user to log in as; see `check_user`."""

KeyFile = Annotated[str, AfterValidator(check_key_file)]
"""The path of a private key on the controller."""
