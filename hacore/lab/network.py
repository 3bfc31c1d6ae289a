"""The lab's network: a namespace with a bridge and a gateway address, and a way out for the twins' package manager.

Addresses are translated twice on the way out: in the lab to the link's address, on the machine to its own. So the
network of a lab may be one that the machine itself is in.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from hacore import proc
from hacore.disk import replace_file
from hacore.errors import LabError
from hacore.lab.model import Names, gateway, link_network, parse_address, subnet
from hacore.lab.system import Process, attempt, kill_all, locked, run, wait_until

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
SHARED = Path("/var/lib/hacore/forwarding")
"""The labs that need IP forwarding on the machine, and the setting before the first of them."""


class Network:
    """The network of one lab."""

    def __init__(self, names: Names, addresses: Sequence[str], reserved: Sequence[str]) -> None:
        self.names = names
        self.subnet = subnet(addresses)
        self.gateway = gateway(self.subnet, [*addresses, *reserved])
        self._elsewhere = {a for a in map(parse_address, reserved) if a not in self.subnet}

    @property
    def path(self) -> Path:
        """The file of the namespace."""
        return Path("/run/netns") / self.names.namespace

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The argv that runs `argv` in the lab's network, with the machine's files and cgroups."""
        return ["nsenter", f"--net={self.path}", *argv]

    def up(self) -> None:
        """Create the namespace, its bridge and its way out."""
        names = self.names
        run(["ip", "netns", "add", names.namespace], "create a lab's network")
        self._sysctl(self.path, "net/ipv4/ip_forward", "1")
        # VRRP is multicast: with snooping the bridge forgets the listeners when there is no querier, and both nodes
        # become master.
        self._ip(f"link add {names.bridge} type bridge mcast_snooping 0 forward_delay 0 stp_state 0")
        self._ip(f"address add {self.gateway}/{self.subnet.prefixlen} dev {names.bridge}")
        self._ip(f"link set {names.bridge} up")
        self._ip("link set lo up")
        for address in self._elsewhere:
            self._ip(f"route add {address}/32 dev {names.bridge}")
        self._open_way_out()

    def attach(self, port: str, seconds: float = 15) -> bool:
        """Put a port on the bridge as soon as it exists; False if it does not appear within `seconds`."""

        def attached() -> bool:
            argv = ["ip", "-n", self.names.namespace, "link", "set", port, "master", self.names.bridge, "up"]
            return attempt(argv).returncode == 0

        return wait_until(attached, seconds)

    def detach(self, port: str) -> None:
        """Delete a port, if it exists: the kernel removes a dead twin's port only later."""
        attempt(["ip", "-n", self.names.namespace, "link", "delete", port])

    def up_bystander(self, index: int, address: str) -> None:
        """Create a namespace for a bystander's address and connect it."""
        space, port = self.names.bystander(index), self.names.bystander_port(index)
        run(["ip", "netns", "add", space], "create a bystander's network")
        self._ip(f"link add {port} type veth peer name eth0 netns {space}")
        for words in (
            f"address add {address}/{self.subnet.prefixlen} dev eth0",
            "link set eth0 up",
            "link set lo up",
            f"route add default via {self.gateway}",
        ):
            run(["ip", "-n", space, *words.split()], "create a bystander's network")
        self.attach(port)

    def has_bystander(self, index: int) -> bool:
        """Whether the namespace of a bystander's address exists."""
        return Path("/run/netns", self.names.bystander(index)).exists()

    def bystander_inside(self, index: int, argv: Sequence[str]) -> list[str]:
        """The argv that runs `argv` in a bystander's namespace."""
        return ["nsenter", f"--net=/run/netns/{self.names.bystander(index)}", *argv]

    def exists(self) -> bool:
        """Whether the namespace exists."""
        return self.path.exists()

    def down(self) -> None:
        """Remove everything that exists of the network."""
        spaces = sorted(Path("/run/netns").glob(f"{self.names.namespace}*"))
        self._end_guests(spaces)
        _close_rules(self.names.namespace)
        attempt(["ip", "link", "delete", self.names.namespace])
        for space in spaces:
            if attempt(["ip", "netns", "delete", space.name]).returncode != 0 and space.exists():
                space.unlink()  # from before a restart of the machine: a plain file, not a namespace
        self._release_forwarding()

    def _end_guests(self, spaces: Sequence[Path]) -> None:
        """Stop the processes that `exec` started inside, except this one."""
        own = _ancestors(os.getpid())
        found: list[Process] = []
        for space in spaces:
            for word in attempt(["ip", "netns", "pids", space.name]).stdout.split():
                process = Process.of(int(word))
                if process is not None and process.pid not in own:
                    found.append(process)
        for process in found:
            process.signal(signal.SIGTERM)
        if not wait_until(lambda: not any(p.alive() for p in found), 2):
            kill_all(found)

    def _ip(self, words: str) -> None:
        run(["ip", "-n", self.names.namespace, *words.split()], "create a lab's network")

    @staticmethod
    def _sysctl(space: Path, name: str, value: str) -> None:
        run(["nsenter", f"--net={space}", "sh", "-c", f"echo {value} > /proc/sys/{name}"], "create a lab's network")

    def _open_way_out(self) -> None:
        names = self.names
        with locked(SHARED):
            link = link_network(names.digest, [self.subnet, *_machine_networks()])
            ours, theirs = list(link.hosts())
            run(
                [
                    "ip",
                    "link",
                    "add",
                    names.namespace,
                    "type",
                    "veth",
                    "peer",
                    "name",
                    names.uplink,
                    "netns",
                    names.namespace,
                ],
                "link the lab to the machine",
            )
            run(["ip", "address", "add", f"{ours}/30", "dev", names.namespace], "link the lab to the machine")
            run(["ip", "link", "set", names.namespace, "mtu", _machine_mtu(), "up"], "link the lab to the machine")
            self._ip(f"address add {theirs}/30 dev {names.uplink}")
            self._ip(f"link set {names.uplink} mtu {_machine_mtu()} up")
            self._ip(f"route add default via {ours}")
            # Inside: all outgoing packets get the link's address. The rules are deleted with the namespace.
            _open_rules(names.namespace, names.uplink, link, outgoing=names.uplink, space=self.path)
            _open_rules(names.namespace, names.namespace, link, outgoing=None, space=None)
            self._need_forwarding()

    def _need_forwarding(self) -> None:
        before = SHARED / "before"
        for user in SHARED.glob("hl-*"):  # of labs that ended with a restart
            if user.name != self.names.namespace and not Path("/sys/class/net", user.name).exists():
                user.unlink()
        if not before.exists() or not any(SHARED.glob("hl-*")):
            replace_file(before, FORWARDING.read_bytes())
        (SHARED / self.names.namespace).touch()
        if FORWARDING.read_text().strip() != "1":
            FORWARDING.write_text("1\n")

    def _release_forwarding(self) -> None:
        if not SHARED.exists():
            return
        with locked(SHARED):
            (SHARED / self.names.namespace).unlink(missing_ok=True)
            before = SHARED / "before"
            if before.exists() and not any(SHARED.glob("hl-*")):
                if FORWARDING.read_text() != before.read_text():
                    FORWARDING.write_text(before.read_text())
                before.unlink()
            for folder in (SHARED, SHARED.parent):
                with contextlib.suppress(OSError):  # not empty: in use
                    folder.rmdir()


def _ancestors(pid: int) -> set[int]:
    """A process and its ancestors."""
    found = set()
    while pid > 0:
        found.add(pid)
        known = proc.stat(pid)
        pid = 0 if known is None else known.parent
    return found


def _machine_networks() -> list[ipaddress.IPv4Network]:
    """Every network in which this machine has a route or an address, except the default route."""
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"], "read this machine's routes"))
    found = []
    for route in routes:
        with contextlib.suppress(ValueError):
            found.append(ipaddress.IPv4Network(route["dst"], strict=False))
    return [n for n in found if n.prefixlen > 0]


def _machine_mtu() -> str:
    """The MTU, in bytes, of the machine's default route: larger packets may be lost."""
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "default"], "read this machine's routes"))
    if not routes:
        return "1500"
    return Path("/sys/class/net", routes[0]["dev"], "mtu").read_text().strip()


def _open_rules(mark: str, port: str, link: ipaddress.IPv4Network, *, outgoing: str | None, space: Path | None) -> None:
    """Masquerade outgoing packets, and clamp TCP's MSS to the path. In `space`, or on the machine itself."""
    enter = [] if space is None else ["nsenter", f"--net={space}"]
    if shutil.which("nft"):
        which = f'oifname "{outgoing}"' if outgoing else f"ip saddr {link}"
        table = f"""table ip {mark} {{
  chain out {{ type nat hook postrouting priority srcnat; {which} masquerade; }}
  chain clamp {{ type filter hook forward priority mangle;
    meta oifname "{port}" tcp flags syn tcp option maxseg size set rt mtu;
    meta iifname "{port}" tcp flags syn tcp option maxseg size set rt mtu; }}
}}"""
        run([*enter, "nft", "-f", "-"], "translate the lab's addresses", given=table)
    else:
        comment = ["-m", "comment", "--comment", mark]
        which_out = ["-o", outgoing] if outgoing else ["-s", str(link)]
        clamp = ["-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", *comment, "-j", "TCPMSS", "--clamp-mss-to-pmtu"]
        for words in (
            ["-t", "nat", "-A", "POSTROUTING", *which_out, *comment, "-j", "MASQUERADE"],
            ["-t", "mangle", "-A", "FORWARD", "-o", port, *clamp],
            ["-t", "mangle", "-A", "FORWARD", "-i", port, *clamp],
        ):
            run([*enter, "iptables", *words], "translate the lab's addresses")
    if space is None and "-P FORWARD DROP" in attempt(["iptables", "-S", "FORWARD"]).stdout:
        # Container engines do that. A packet must pass every table, so accepting it in ours would not help.
        for side in ("-i", "-o"):
            argv = ["iptables", "-I", "FORWARD", side, port, "-m", "comment", "--comment", mark, "-j", "ACCEPT"]
            run(argv, "let the lab's packets pass")


def _close_rules(mark: str) -> None:
    """Remove from the machine exactly the rules with the lab's mark."""
    if shutil.which("nft"):
        attempt(["nft", "delete", "table", "ip", mark])
    if shutil.which("iptables"):
        for table in ("filter", "nat", "mangle"):
            for line in attempt(["iptables", "-t", table, "-S"]).stdout.splitlines():
                words = line.split()
                if words[:1] == ["-A"] and mark in words:
                    done = attempt(["iptables", "-t", table, "-D", *words[1:]])
                    if done.returncode != 0:
                        raise LabError(f"cannot remove the rule {line!r}: {done.stderr.strip()}")
