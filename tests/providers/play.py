"""Plays one instance's way through its provider on a twin, step by step as the walker does, without plan and state."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from hacore.address import Address
from hacore.contract import Ask, Change, Desired, Facts, Image, Observed, Output, Provider, Spec, Step, View, Work
from hacore.lab import Lab
from hacore.model import Action
from hacore.probe.script import frames, probe_script, read_probe, steps_script
from hacore.urls import file_of


class StepFailedError(AssertionError):
    """A step of a provider failed; the message is its stderr."""


class Player:
    """A twin, and the images captured there."""

    def __init__(self, lab: Lab, twin: str) -> None:
        self.lab, self.twin = lab, twin
        self.images: dict[Address, Image] = {}
        self.foreign: frozenset[str] = frozenset()
        self.said: list[str] = []

    def sh(self, script: str) -> str:
        """Run a script as root; its stdout."""
        done = self._exec(script)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def rc(self, script: str) -> int:
        """Run a script as root; its exit code."""
        return self._exec(script).returncode

    def facts(self, asks: Sequence[Ask]) -> Facts:
        """One probe."""
        done = self._exec(probe_script(asks, "probe"))
        assert b"\n@probe end" in done.stdout, done.stderr.decode()
        return read_probe(dict(frames(done.stdout, "probe")), asks)

    def view(self, provider: Provider[Any], address: Address, spec: Spec) -> View[Any]:
        """The instance with fresh facts."""
        return View(address, spec, None, self.facts(provider.facts(spec)))

    def run(self, steps: Sequence[Step]) -> list[Output]:
        """Run steps in order; raises StepFailedError for the first that fails."""
        ready = [_with_sources(step) for step in steps]
        done = self._exec(steps_script([("t", ready, [])], "step", ""))
        found = dict(frames(done.stdout, "step"))
        assert "end" in found, done.stderr.decode()
        outputs = []
        for index, step in enumerate(ready):
            name = f"t {index}"
            rc = next(int(f.split()[-1]) for f in found if f.startswith(f"rc {name} "))
            output = Output(rc, found[f"out {name}"], found[f"err {name}"])
            self.said.append(output.text)
            if rc:
                raise StepFailedError(output.stderr.decode() + f"\n({step.what}: exit {rc})")
            outputs.append(output)
        return outputs

    def plan(self, provider: Provider[Any], address: Address, spec: Spec) -> tuple[Observed | None, Desired]:
        """The current and the desired state."""
        view = self.view(provider, address, spec)
        return provider.observe(view), provider.desire(view)

    def work(self, provider: Provider[Any], address: Address, spec: Spec, action: Action) -> Work[Any]:
        """A task for one change."""
        view = self.view(provider, address, spec)
        observed, desired = provider.observe(view), provider.desire(view)
        change = Change(
            address,
            action,
            spec,
            facts=view.facts,
            observed=dict(observed.attrs) if observed else None,
            desired=desired.attrs,
            view=view,
        )
        return Work((change,), images=self.images, foreign=self.foreign, facts=view.facts)

    def capture(self, provider: Provider[Any], work: Work[Any]) -> dict[Address, Image]:
        """The before-images, as a store returns them."""
        step = provider.capture(work)
        assert step is not None
        assert step.parse is not None
        return dict(step.parse(self.run([step])[0]))

    def apply(self, provider: Provider[Any], address: Address, spec: Spec, *, times: int = 1) -> None:
        """Prepare, capture, apply (`times` over, as a resumed run does) and check the desired state."""
        work = self.work(provider, address, spec, Action.CREATE)
        self.run(provider.prepare(work))
        self.images = {**self.images, **self.capture(provider, work)}
        for _ in range(times):
            self.run(provider.apply(work))
        self.settled(provider, address, spec)

    def settled(self, provider: Provider[Any], address: Address, spec: Spec) -> None:
        """Check that the desired state is reached within the kind's patience."""
        end = time.monotonic() + provider.patience(spec)
        while True:
            observed, desired = self.plan(provider, address, spec)
            assert desired.attrs is not None
            now = {key: observed.attrs.get(key) for key in desired.attrs} if observed else None
            if now == desired.attrs:
                return
            assert time.monotonic() < end, f"{now} is not {desired.attrs}"

    def undo(self, provider: Provider[Any], address: Address, spec: Spec, *, times: int = 1) -> None:
        """Restore the images."""
        work = self.work(provider, address, spec, Action.UPDATE)
        for _ in range(times):
            self.run(provider.undo(work))

    def delete(self, provider: Provider[Any], address: Address, spec: Spec, origin: Image) -> None:
        """A delete task: restore the origin."""
        work = self.work(provider, address, provider.recorded(spec), Action.DELETE)
        self.run(provider.delete(dataclasses.replace(work, images={address: origin})))

    def _exec(self, script: str) -> subprocess.CompletedProcess[bytes]:
        address = next(t.address for t in self.lab.spec.twins if t.name == self.twin)
        ssh = ["ssh", "-F", str(self.lab.ssh_config), "-o", "BatchMode=yes", address, 'eval "$(cat)"']
        return subprocess.run(self.lab.command(ssh), input=script.encode(), capture_output=True, timeout=900)


def _with_sources(step: Step) -> Step:
    blobs = dict(step.blobs)
    for name, source in step.sources.items():
        blobs[name] = file_of(source.url).read_bytes()
        assert hashlib.sha256(blobs[name]).hexdigest() == source.sha256
    return dataclasses.replace(step, blobs=blobs, sources={})
