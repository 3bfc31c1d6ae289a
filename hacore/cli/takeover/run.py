"""Asks the hosts, checks the stack before it is written, and writes the folder as a whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...address import NAME
from ...contract import Facts, Provider
from ...errors import HacoreError, InputError, StackError, UsageError
from ..named_hosts import ask_hosts, host_of
from ..runtime import Runtime
from .folder import files_of, left_out_lines
from .merge import FoundHost, Merged, merge

__all__ = ["TakenOver", "check_empty", "take_over", "write"]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The files of the new folder by path, the variables of secrets, what is not described, and how much is."""

    files: Mapping[str, bytes]
    secrets: tuple[str, ...]
    left_out: tuple[str, ...]
    resources: int


def take_over(
    runtime: Runtime, stack: str, texts: Sequence[str], kinds: Mapping[str, Provider[Any]], *, sudo: bool, rivals: bool
) -> TakenOver:
    """The stack of hosts [NAME=][USER@]HOST[:PORT]. One exec for each host, which changes nothing there.

    `rivals`: also where another tool would write the same files. Raises InputError that names each host without
    answers, or for hosts of which no valid stack can be made.
    """
    if not NAME.match(stack):
        raise UsageError(f"cannot name a stack {stack!r}: letters, digits, _ . and - only, not - or . first")
    named = {text.partition("=")[2] or text: text.partition("=")[0] if "=" in text else "" for text in texts}
    if len(named) < len(texts):
        raise UsageError("cannot read a host twice: name each one once")
    discovering = {kind: p.discover for kind, p in kinds.items() if p.discover is not None}
    asks = [ask for discover in discovering.values() for ask in discover.asks]
    answers = ask_hosts(runtime, dict.fromkeys(named, asks), sudo=sudo)
    found, hosts = [], {}
    for text, name in named.items():
        facts = answers[text]
        name = name or _name(facts, text)
        if name in hosts:
            raise InputError(f"cannot name two hosts {name}: write NAME=HOST, such as --from lb1={text},lb2=…")
        hosts[name] = host_of(text, sudo=sudo).model_copy(update={"name": name})
        parts = {kind: discover.find(facts) for kind, discover in discovering.items()}
        reasons = "; ".join(filter(None, (facts.unanswered(d.asks) for d in discovering.values())))
        if reasons:
            raise InputError(f"cannot read {text}: {reasons}")
        _check_rivals(text, () if rivals else [rival for part in parts.values() for rival in part.rivals])
        if not any(part.resources for part in parts.values()):
            left = "".join(f"; {item.place}: {item.why}" for part in parts.values() for item in part.left_out)
            raise InputError(f"cannot describe {text}: nothing there that hacore can take over{left}")
        found.append(FoundHost(name, text, parts))
    merged = merge(found, [kind for kind, provider in kinds.items() if provider.hosts == "together"])
    files = files_of(stack, hosts, found, merged)
    _check(files, merged, kinds)
    count = sum(map(len, merged.resources.values()))
    return TakenOver(files, tuple(merged.secrets), tuple(left_out_lines(merged)), count)


def _check_rivals(text: str, rivals: Sequence[str]) -> None:
    if rivals:
        raise InputError(
            f"cannot take over {text}: {', '.join(rivals)} may write the same files and put back what hacore changes; "
            "stop and disable it, or add --despite-agents if it does not manage them"
        )


def _name(facts: Facts, text: str) -> str:
    name = facts.host.hostname.partition(".")[0]
    return name if NAME.match(name) else host_of(text).address.replace(":", "-")


def _check(files: Mapping[str, bytes], merged: Merged, kinds: Mapping[str, Provider[Any]]) -> None:
    """Load the stack as `hacore validate` does; raises InputError with the mistakes, which the hosts have."""
    from ...graph import build_graph
    from ...load import LoadRequest, load
    from ...plan import examine_stack

    environ = {f"HACORE_VAR_{name}": value for name, value in merged.secrets.items()}
    with tempfile.TemporaryDirectory(prefix="hacore-init-") as name:
        folder = Path(name) / "stack"
        _fill(folder, files)
        try:
            stack = load(LoadRequest(folder / "stack.yaml", environ=environ), kinds)
            build_graph(stack, kinds)
            examine_stack(stack, kinds)
        except StackError as error:
            text = str(error).replace(f"{folder}/", "")
            raise InputError(f"cannot describe these hosts as a valid stack; correct them first:\n{text}") from error


def check_empty(folder: Path) -> None:
    """Raises HacoreError if the folder has anything in it, or is not a folder."""
    try:
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise HacoreError(f"cannot write a stack to {folder}: it is not empty; name a new folder")
    except OSError as error:
        raise HacoreError(f"cannot read {folder}: {error.strerror}") from error


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write beside the folder, then rename: a folder with half of the files never exists. Raises HacoreError."""
    check_empty(folder)
    staged = None
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.absolute().parent))
        _fill(staged, files)
        staged.chmod(0o755)
        staged.rename(folder.absolute())
    except OSError as error:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)
        raise HacoreError(f"cannot write {folder}: {error.strerror}") from error


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
