"""The files of a new stack, as text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..address import NAME
from ..errors import UsageError

_INTERFACE = re.compile(r"[A-Za-z0-9_.:-]{1,15}\Z")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*\Z")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_HIGHEST = 110  # priority of the first member; the others are one lower each


@dataclass(frozen=True, slots=True)
class NewHost:
    """A host of a new stack."""

    name: str
    address: str
    interface: str


@dataclass(frozen=True, slots=True)
class NewStack:
    """A new stack; `vip` is empty for one without a virtual address."""

    name: str
    hosts: tuple[NewHost, ...]
    vip: str
    packages: tuple[str, ...]
    user: str = "root"

    @property
    def web(self) -> bool:
        """Whether it serves HTTP."""
        return "nginx" in self.packages


def host_of(text: str, interface: str) -> NewHost:
    """NAME=ADDRESS or NAME=ADDRESS,INTERFACE; raises UsageError."""
    name, _, rest = text.partition("=")
    address, _, own = rest.partition(",")
    own = own or interface
    if not NAME.match(name) or not address:
        raise UsageError(f"cannot use the host {text!r}: write NAME=ADDRESS, or NAME=ADDRESS,INTERFACE")
    if not _INTERFACE.match(own):
        raise UsageError(f"cannot use the interface {own!r}: a name has at most 15 letters, digits, - . _ and :")
    return NewHost(name, ip_of(address, f"the host {name}"), own)


def ip_of(text: str, owner: str) -> str:
    """An IPv4 address without a prefix length; raises UsageError."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise UsageError(f"cannot use {text!r} as the address of {owner}: write an IPv4 address") from error


def checked(stack: NewStack) -> NewStack:
    """The stack, if it is valid; raises UsageError."""
    if not NAME.match(stack.name):
        raise UsageError(f"cannot name a stack {stack.name!r}: letters, digits, _ . and - only, not - or . first")
    for package in stack.packages:
        if not _PACKAGE.match(package):
            raise UsageError(f"cannot use {package!r} as a package: a name has letters, digits and + . _ -")
    if not _USER.match(stack.user):
        raise UsageError(f"cannot log in as {stack.user!r}: a user name has letters, digits and _ . -")
    names, addresses = [h.name for h in stack.hosts], [h.address for h in stack.hosts]
    for what, values in (("name", names), ("address", [*addresses, *([stack.vip] if stack.vip else [])])):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise UsageError(f"cannot use the {what} {twice[0]} twice: each host, and the virtual address, has its own")
    if stack.vip and len(stack.hosts) < 2:
        raise UsageError("cannot move a virtual address with one host: give two hosts, or no --vip")
    return stack


def files_of(stack: NewStack) -> dict[str, str]:
    """File name to content, in the stack's folder."""
    files = {"stack.yaml": _stack(stack)}
    if stack.web:
        files["nginx.conf.j2"] = _NGINX
    return files


def _stack(stack: NewStack) -> str:
    parts = [f"stack: {stack.name}", _variables(stack), _hosts(stack), "resources:"]
    parts.append(_packages(stack.packages, pair=bool(stack.vip)))
    if stack.web:
        parts.append(_CONF)
    services = [_NGINX_SERVICE] if stack.web else []
    if stack.vip:
        after = ", needs: [service.nginx]" if stack.web else ""
        services.append(f"    keepalived: {{running: true, enabled: true{after}}}")
    if services:
        parts.append("\n".join(["  service:", *services]))
    if stack.vip:
        parts.append(_vrrp(stack))
    return "\n\n".join(part for part in parts if part).replace("resources:\n\n", "resources:\n") + "\n"


def _variables(stack: NewStack) -> str:
    if not stack.vip:
        return ""
    return f'variables:\n  vip: {{type: string, default: {stack.vip}, description: "the address that clients use"}}'


def _hosts(stack: NewStack) -> str:
    become = "" if stack.user == "root" else ", become: sudo"
    lines = [f"connection: {{user: {stack.user}{become}}}", "", "hosts:"]
    for index, host in enumerate(stack.hosts):
        own = f"interface: {host.interface}" + (f", priority: {_HIGHEST - index}" if stack.vip else "")
        lines.append(f"  {host.name}: {{address: {host.address}, vars: {{{own}}}}}")
    return "\n".join(lines)


def _packages(packages: Sequence[str], *, pair: bool) -> str:
    names = dict.fromkeys([*packages, *(["keepalived"] if pair else [])])
    return "\n".join(["  package:", *(f"    {name}: {{}}" for name in names)])


_CONF = """\
  file:
    nginx.conf:
      path: /etc/nginx/nginx.conf
      template: nginx.conf.j2
      mode: "0644"
      validate: nginx -t -q -c %s # if this fails, the old file stays in place
      needs: [package.nginx]"""

_NGINX_SERVICE = "    nginx: {running: true, enabled: true, reload_on: [file.nginx.conf]}"


def _vrrp(stack: NewStack) -> str:
    # two pairs in one network hardly have the same last byte in their addresses
    number = int(stack.vip.rpartition(".")[2]) or 51
    watch = ""
    if stack.web:
        down = -len(stack.hosts) - 1
        watch = (
            f"\n      track_scripts: # a host owner nginx is down ranks below all others\n"
            f'        nginx: {{script: "/usr/bin/pgrep -x nginx", user: root, '
            f"interval: 2, weight: {down}, rise: 2, fall: 2}}"
        )
    needs = "package.keepalived" + (", package.nginx" if stack.web else "")
    checks = ', checks: [{http: "http://{{ var.vip }}/"}]' if stack.web else ""
    return f"""\
  vrrp_instance:
    VI_1:
      members: [{", ".join(host.name for host in stack.hosts)}]
      interface: "{{{{ host.vars.interface }}}}"
      priority: "{{{{ host.vars.priority }}}}" # the highest holds the address
      virtual_router_id: {number} # must be unique in this network
      addresses: ["{{{{ var.vip }}}}"]{watch}
      needs: [{needs}]

  vip:
    front: {{instance: VI_1{checks}, needs: [service.keepalived]}}"""


_NGINX = """\
# Written by hacore for {{ host.name }}: `hacore drift` reports manual changes.
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    access_log off;
    server {
        listen 80 default_server;
        location / {
            add_header X-Served-By $hostname always;
            default_type text/plain;
            return 200 "it works\\n";
        }
    }
}
"""
