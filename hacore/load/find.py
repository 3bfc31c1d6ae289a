"""The places of a stack and of its state."""

from __future__ import annotations

import os
from pathlib import Path

from ..address import NAME
from ..errors import UsageError

FILES = ("stack.yaml", "stack.yml")


def find_stack(start: Path, arg: str | None) -> Path:
    """The stack file for the argument STACK: a folder, a file, or a name under `stacks/`.

    Without STACK: the one in `start`, or the only one under `start/stacks`. Raises UsageError that lists the
    known stacks.
    """
    if arg is not None:
        for base in (start / arg, start / "stacks" / arg):
            found = base if base.is_file() else _in_folder(base)
            if found is not None:
                return found
        raise UsageError(f"cannot find a stack at {arg!r}: {_choice(start)}")
    here = _in_folder(start)
    if here is not None:
        return here
    known = _known(start)
    if len(known) == 1:
        return known[0]
    raise UsageError(f"cannot choose a stack: {_choice(start)}")


def _in_folder(folder: Path) -> Path | None:
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def _known(start: Path) -> list[Path]:
    stacks = start / "stacks"
    if not stacks.is_dir():
        return []
    found = (_in_folder(folder) for folder in sorted(stacks.iterdir()) if folder.is_dir())
    return [path for path in found if path is not None]


def _choice(start: Path) -> str:
    known = _known(start)
    if known:
        return "known stacks are " + ", ".join(str(path.parent.relative_to(start)) for path in known)
    return f"no stack.yaml in {start} or under {start / 'stacks'}"


def state_folder(folder: Path) -> Path:
    """The nearest folder upwards that has `stacks/`, else the stack's own."""
    for base in (folder, *folder.parents):
        if (base / "stacks").is_dir():
            return base
    return folder


def default_state(folder: Path, stack: str, env_name: str | None) -> str:
    """The state URL of a stack without `state`."""
    name = f"{stack}.{env_name}.db" if env_name else f"{stack}.db"
    return f"sqlite:///{state_folder(folder) / 'state' / name}"


def absolute_state(url: str, base: Path) -> str:
    """A database URL with an absolute path if it is SQLite's; raises UsageError for a URL that cannot be a state."""
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme:
        raise UsageError("the state must be a database URL: sqlite:///state/name.db or postgresql://host/name")
    if scheme.partition("+")[0] != "sqlite":
        return url
    path, question, query = rest.removeprefix("/").partition("?")
    if not rest.startswith("/") or path in ("", ":memory:"):
        raise UsageError("the state must be kept in a file: sqlite:///state/name.db")
    whole = os.path.normpath(base / path)
    return f"{scheme}:///{whole}{question}{query}"


def own_state(url: str, env_name: str) -> str | None:
    """An environment's own file beside the stack's SQLite file; None for other databases."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] != "sqlite":
        return None
    path, question, query = rest.partition("?")
    stem, dot, suffix = path.rpartition(".")
    named = f"{stem}.{env_name}.{suffix}" if dot and "/" not in suffix else f"{path}.{env_name}"
    return f"{scheme}://{named}{question}{query}"


def environment_file(folder: Path, env_name: str) -> Path:
    """`env/NAME.yaml`; raises UsageError with the known names."""
    if NAME.match(env_name):
        for suffix in (".yaml", ".yml"):
            path = folder / "env" / f"{env_name}{suffix}"
            if path.is_file():
                return path
    known = sorted(p.stem for p in (folder / "env").glob("*.y*ml"))
    there = f"known are {', '.join(known)}" if known else f"no environment in {folder / 'env'}"
    raise UsageError(f"cannot find the environment {env_name!r}: {there}")
