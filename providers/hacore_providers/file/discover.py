"""The files of a pair that somebody made by hand, as resources of a new stack."""

from __future__ import annotations

import re

from hacore.contract import Ask, Discover, Discovered, Discovery, Facts, LeftOut

from ..facts.hand_made import HAND_MADE, HandMade

__all__ = ["DISCOVER"]

_PLACES = {
    "/etc/nginx": "package:nginx",
    "/usr/local/nginx/conf": "",
    "/etc/haproxy": "package:haproxy",
    "/etc/systemd/system/nginx.service.d": "package:nginx",
    "/etc/systemd/system/haproxy.service.d": "package:haproxy",
    "/etc/systemd/system/keepalived.service.d": "package:keepalived",
    "scripts:/etc/keepalived/keepalived.conf": "",
}
"""Where the files of a pair are, and the packages that they need."""

_SECRET = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY|(?m:^[^\s:#]+:(?:\$(?:apr1|2[aby]|5|6|y)\$|\{SSHA?\}))")
"""A private key, or hashes of passwords as htpasswd(1) writes them."""
_PASSWORD = re.compile(
    rb"(?im)^[ \t]*(?:stats[ \t]+auth|user[ \t]+\S+[ \t]+(?:insecure-)?password|"
    rb"(?:export[ \t]+)?\w*(?:password|passwd|secret|token|api_?key)\w*[ \t]*=[ \t]*[^\s$])"
)
_BUILT = frozenset({"win-utf", "koi-utf", "koi-win"})  # installed by nginx's own `make install`


def _find(facts: Facts) -> Discovery:
    """The files of one host; what may hold a secret is named and not taken."""
    found: dict[str, Discovered] = {}
    left: list[LeftOut] = []
    for place, package in _PLACES.items():
        for file in facts.get(HAND_MADE, place) or ():
            name = file.path.rpartition("/")[2]
            if name in _BUILT or name.endswith(".default") or "/modules-enabled/" in file.path:
                continue
            why = file.why or _withheld(file)
            if why:
                left.append(LeftOut(file.path, why))
                continue
            links = {"needs": (package,)} if package else {}
            found.setdefault(file.path, Discovered(_name(file.path), _body(file), file.path, links))
    return Discovery(tuple(found.values()), tuple(left))


def _withheld(file: HandMade) -> str:
    if _SECRET.search(file.content):
        return "it contains a private key or hashes of passwords: keep it out of the stack, or use a sensitive variable"
    if match := _PASSWORD.search(file.content):
        line = file.content.count(b"\n", 0, match.start()) + 1
        return f"line {line} may contain a password: use a template with a sensitive variable"
    return ""


def _body(file: HandMade) -> dict[str, object]:
    if file.link_to:
        return {"path": file.path, "link_to": file.link_to}
    mode = file.mode.rjust(4, "0")
    return {"path": file.path, "source": file.content, "mode": mode, "owner": file.owner, "group": file.group}


def _name(path: str) -> str:
    """A name that no other path has: the path without its first slash, as far as names allow."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", path.removeprefix("/").replace("/", "-")).strip("-.") or "file"


DISCOVER = Discover(tuple(Ask(HAND_MADE, place) for place in _PLACES), _find)
