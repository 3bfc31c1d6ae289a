"""Requests lost per operation, on a pair of twins: new connections at a fixed rate while hacore works.

A request is *lost* if it has no whole answer within `WITHIN` seconds (docs/drill.md); the prober is the drill's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hacore.drill import prober
from hacore.lab import Lab, LabSpec, Twin

from .by_hand import PASSWORD, SITE, UPGRADES, by_hand, stack
from .child import HACORE, environment

RATE = 50
"""New connections a second."""

BEFORE, AFTER = 2.0, 4.0
"""Seconds of requests before and after an operation; an address that moves late is seen, too."""

VIP = "192.168.1.200"
TWINS = (Twin("lb1", "192.168.1.166", "eth1"), Twin("lb2", "192.168.1.173", "eth2"))


@dataclass(frozen=True, slots=True)
class Lost:
    """One operation. `sent`, `lost`: requests; in seconds `slowest`: the longest answer, `took`: hacore's time."""

    operation: str
    sent: int
    lost: int
    slowest: float
    took: float
    reasons: tuple[str, ...] = ()


class Pair:
    """A pair of twins, made by hand, and a stack folder beside it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.fields: dict[str, str] = {}

    def make(self) -> None:
        """As somebody does it by hand, on both; newer packages of the same are in a repository of their own."""
        for twin, priority in zip(TWINS, (101, 100), strict=True):
            self.ssh(twin.name, by_hand(twin.name, twin.interface, priority, VIP))
        self._until(lambda: self.holders() == ["lb1"], "lb1 holds the address")

    def ssh(self, host: str, script: str) -> str:
        """Run a script on a twin, without hacore."""
        done = self.lab.ssh(host, script)
        if done.returncode != 0:
            raise SystemExit(f"bench: {host}: {done.stdout}{done.stderr}")
        return str(done.stdout)

    def holders(self) -> list[str]:
        """The twins that have the address."""
        return [twin.name for twin in TWINS if f" {VIP}/" in self.ssh(twin.name, "ip -o -4 addr show")]

    def change(self, *args: str, **fields: str) -> None:
        """Change these fields of the stack, and run `hacore ARGS` on it without a question."""
        self.fields |= fields
        (self.folder / "site.conf").write_text(self.fields.get("site", SITE))
        (self.folder / "stack.yaml").write_text(stack(TWINS, VIP, self.fields))
        self.hacore(*args, "--auto-approve")

    def hacore(self, *args: str) -> str:
        """What `hacore ARGS` prints, run in the stack's folder and the lab's network."""
        variables = {**environment(), "HACORE_VAR_vrrp_password": self.fields.get("password", PASSWORD)}
        words = self.lab.command([*HACORE, *args])
        # the lab gives twins a state of its own
        words = [f"HACORE_STATE=sqlite:///{self.folder}/s.db" if w.startswith("HACORE_STATE=") else w for w in words]
        done = subprocess.run(words, check=False, capture_output=True, text=True, env=variables, cwd=self.folder)
        if done.returncode != 0:
            raise SystemExit(f"bench: hacore {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def measured(self, operation: str, act: Callable[[], None]) -> Lost:
        """Do it while requests are sent."""
        argv = [sys.executable, prober.__file__, f"http://{VIP}/", "200", str(RATE)]
        with subprocess.Popen(
            self.lab.command(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as sending:
            assert sending.stdin is not None and sending.stdout is not None
            sending.stdout.readline()
            time.sleep(BEFORE)
            began = time.monotonic()
            try:
                act()
                took = time.monotonic() - began
                time.sleep(AFTER)
            finally:
                sending.stdin.close()
            requests = [json.loads(line) for line in sending.stdout]
        good = [took for _, took, why in requests if not why]
        lost = [why for _, _, why in requests if why and why != "late" and not why.startswith("local:")]
        return Lost(operation, len(requests), len(lost), max(good, default=0.0), took, tuple(sorted(set(lost))))

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 30
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"bench: not within 30 s: {what}")
            time.sleep(0.2)


def operations(pair: Pair) -> Iterator[Lost]:
    """All operations on one pair, one after the other, from the adoption to the destroy."""
    more = f"{VIP}, 192.168.1.201"
    swapped = {"lb1": "100", "lb2": "101"}
    steps: Sequence[tuple[str, str, Mapping[str, str]]] = (
        ("adopt a pair that runs", "apply", {}),
        ("destroy the adopted pair", "destroy", {}),
        ("adopt it again", "apply", {}),
        ("change the site", "apply", {"site": SITE.replace("first", "second")}),
        ("rotate the password", "apply", {"password": "n3w-Pass"}),
        ("add an address", "apply", {"addresses": more}),
        ("remove it", "apply", {"addresses": VIP}),
        ("prefer the other host", "apply", swapped),
        ("and the first one again", "apply", {"lb1": "101", "lb2": "100"}),
        ("upgrade nginx", "apply", {"nginx": UPGRADES["nginx"]}),
        ("upgrade keepalived", "apply", {"keepalived": UPGRADES["keepalived"]}),
        ("roll the last run back", "rollback", {"keepalived": ""}),
        ("destroy, packages go back", "destroy", {}),
    )
    for name, verb, fields in steps:
        yield pair.measured(name, lambda verb=verb, fields=fields: pair.change(verb, **fields))  # type: ignore[misc]


@contextmanager
def pair_of_twins(name: str) -> Iterator[Pair]:
    """A pair on twins of its own, made by hand. Needs root."""
    if os.geteuid() != 0:
        raise SystemExit("bench: twins need root")
    with tempfile.TemporaryDirectory(prefix="hacore-bench-") as made:
        folder = Path(made)
        lab = Lab(LabSpec(name, TWINS, (), (VIP,)), root=folder / "lab")
        try:
            lab.up()
            pair = Pair(lab, folder)
            pair.make()
            yield pair
        finally:
            lab.down()


def over(times: int) -> list[list[Lost]]:
    """All operations, `times` times, each time on a new pair."""
    found = []
    for number in range(times):
        with pair_of_twins(f"bench-operations-{number}") as pair:
            found.append([_told(lost) for lost in operations(pair)])
    return found


def _told(lost: Lost) -> Lost:
    print(f"  {lost.operation}: {lost.lost} of {lost.sent} {', '.join(lost.reasons)}", file=sys.stderr)
    return lost


def table(runs: Sequence[Sequence[Lost]]) -> str:
    """Lost of sent for each run."""
    lines = [f"{'operation':<28}" + "".join(f"{f'run {n}':>14}" for n in range(1, len(runs) + 1)) + f"{'slowest':>12}"]
    for each in zip(*runs, strict=True):
        cells = "".join(f"{f'{one.lost} of {one.sent}':>14}" for one in each)
        lines.append(f"{each[0].operation:<28}{cells}{max(one.slowest for one in each):>10.3f} s")
    return "\n".join(lines)
