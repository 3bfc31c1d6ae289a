"""Running a file's facts and steps on this machine, in a test's own folder, as the engine runs them on a host."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hacore.contract import Action, Address, Ask, Change, Facts, HostFacts, Image, Output, Step, View, Work
from hacore.transport import Limits, Session
from hacore_providers.facts.stat import STAT
from hacore_providers.file.provider import PROVIDER, FileProvider
from hacore_providers.file.spec import FileSpec

ADDRESS = Address("file", "it", host="here")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Here:
    """This machine as a host: facts are asked and steps are run for real, below `root`."""

    root: Path
    work: Path
    provider: FileProvider = PROVIDER
    path: str = PATH
    prefix: tuple[str, ...] = ()
    """A program that runs the shell, such as setpriv(1)."""

    def shell(self, script: str, *prefix: str) -> subprocess.CompletedProcess[bytes]:
        file = self.root.parent / "script"
        file.write_text(script)
        env = {"LC_ALL": "C", "PATH": self.path, "HACORE_WORK": str(self.work), "HOME": "/"}
        argv = [*self.prefix, *prefix, "sh", str(file)]
        return subprocess.run(
            argv, cwd="/", env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, umask=0o022
        )

    def ask(self, *asks: Ask) -> Mapping[str, Any]:
        found = self.ask_with_folders(*asks)
        return {ask.arg: found[ask.arg] for ask in asks if ask.arg in found}

    def ask_with_folders(self, *asks: Ask) -> Mapping[str, Any]:
        done = self.shell(STAT.command(asks))
        assert done.stderr == b""
        return STAT.parse(done.stdout)

    def run(self, step: Step) -> Output:
        for old in self.work.iterdir():
            old.unlink()
        for name, blob in step.blobs.items():
            (self.work / name).write_bytes(blob)
        done = self.shell("set -eu\n" + step.script)
        return Output(done.returncode, done.stdout, done.stderr)

    def view(self, spec: FileSpec) -> View[FileSpec]:
        answers = self.ask_with_folders(*self.provider.facts(spec))
        facts = Facts(HostFacts(), {(STAT.name, path): value for path, value in answers.items()})
        return View(ADDRESS, spec, None, facts)

    def differs(self, spec: FileSpec) -> bool:
        """Whether a plan would show a change."""
        view = self.view(spec)
        seen, wanted = self.provider.observe(view), self.provider.desire(view)
        if seen is None or wanted.attrs is None:
            return (seen is None) != (wanted.attrs is None)
        return any(seen.attrs.get(key) != value for key, value in wanted.attrs.items())

    def images(self, spec: FileSpec, action: Action = Action.UPDATE) -> Mapping[Address, Image]:
        step = self.provider.capture(Work((Change(ADDRESS, action, spec),)))
        assert step is not None and step.parse is not None
        output = self.run(step)
        assert output.rc == 0, output.stderr
        return step.parse(output)

    def apply(self, spec: FileSpec) -> None:
        for step in self.provider.apply(Work((Change(ADDRESS, Action.UPDATE, spec),))):
            output = self.run(step)
            assert output.rc == 0, output.stderr

    def undo(self, spec: FileSpec, images: Mapping[Address, Image]) -> None:
        for step in self.provider.undo(Work((Change(ADDRESS, Action.UPDATE, spec),), images)):
            output = self.run(step)
            assert output.rc == 0, output.stderr

    def manifest(self) -> dict[str, Any]:
        """Everything that a restored path must have again."""
        found: dict[str, Any] = {}
        for path in [self.root, *self.root.rglob("*")]:
            status = path.lstat()
            entry: dict[str, Any] = {"mode": status.st_mode, "owner": (status.st_uid, status.st_gid)}
            if path.is_symlink():
                entry["target"] = os.readlink(path)
            elif path.is_file():
                entry["content"] = path.read_bytes()
                entry["mtime"] = status.st_mtime_ns
            names = os.listxattr(path, follow_symlinks=False)
            entry["xattrs"] = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
            found[str(path.relative_to(self.root))] = entry
        return found


@dataclass
class ThroughSudo(Here):
    """The same for a plain user: over SSH, and through a sudo that asks for a password."""

    runner: asyncio.Runner = field(kw_only=True)
    session: Session = field(kw_only=True)

    def shell(self, script: str, *prefix: str) -> subprocess.CompletedProcess[bytes]:
        file = self.root.parent / "script"
        file.write_text(script)
        env = f"LC_ALL=C PATH={shlex.quote(self.path)} HACORE_WORK={shlex.quote(str(self.work))} HOME=/"
        argv = shlex.join([*prefix, "sh", str(file)])
        output = self.runner.run(
            self.session.run(f"umask 022; cd /; export {env}\nexec {argv} </dev/null", limits=Limits(seconds=60))
        )
        code = 128 - output.rc if output.rc > 128 else output.rc  # a signal, as subprocess has it
        return subprocess.CompletedProcess([], code, output.stdout, output.stderr)
