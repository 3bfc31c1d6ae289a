"""The outline of a stack file: its sections, its name and its state. No expression is evaluated here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..address import NAME
from ..errors import UsageError
from .find import absolute_state, default_state, environment_file, own_state, state_folder
from .problems import Problems, described, suggest
from .stack import Position
from .yaml_nodes import Node, read_yaml


def state_url(file: Path, env_name: str | None, environ: Mapping[str, str]) -> str:
    """See `hacore.load.state_url`."""
    outside = environ.get("HACORE_STATE")
    if outside:
        return absolute_state(outside, Path.cwd())
    problems = Problems()
    whole = file.absolute()
    root = root_of(whole, problems) or _lines_of(whole)
    environment = environment_of(whole.parent, env_name, problems)
    if root is None or (env_name is not None and environment is None):
        raise problems.error()
    # other mistakes do not matter for the state URL
    named = Problems()
    url = state_of(root, environment, whole.parent, name_of(root, named), env_name, environ, None, named)
    if named:
        raise named.error()
    return url


def _lines_of(file: Path) -> Node | None:
    """The lines `stack:` and `state:` of a file that is not YAML, as while it is being edited; None without a name.

    So `status` and `drift`, which need nothing else of the file, find the state.
    """
    lines = file.read_bytes().decode("utf-8-sig", "replace").splitlines()
    kept = [line for line in lines if re.match(r"(stack|state)[ \t]*:", line)]
    root = read_yaml("\n".join(kept), shown(file), Problems())
    known = root is not None and isinstance(root.value, dict) and root.child("stack") is not None
    return root if known else None


def shown(path: Path) -> str:
    """A file's name in problems: relative if it is below the working directory, else absolute."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def root_of(
    file: Path, problems: Problems, known: frozenset[str] | None = None, *, within: Path | None = None
) -> Node | None:
    """The mapping in a file; None (and a problem) when it is not a mapping. Raises UsageError when it is unreadable.

    `known` are the allowed keys; default: those of a stack. `within`: a folder that symbolic links must not leave,
    because messages quote what a file contains.
    """
    if within is not None and not file.resolve().is_relative_to(within.resolve()):
        raise UsageError(f"cannot read {shown(file)}: it is a link to a file outside of the stack's folder")
    if known is None:
        from .models import SECTIONS

        known = SECTIONS
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {shown(file)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        problems.add(Position(shown(file), 1, 1), f"cannot read the file: not a UTF-8 text (byte {error.start})")
        return None
    root = read_yaml(text, shown(file), problems)
    if root is None:
        return None
    if not isinstance(root.value, dict):
        problems.add(root.position, f"must be a mapping with {', '.join(sorted(known))}")
        return None
    for key in root.map.keys() - known:
        problems.add(root.key(key), f"unknown key {key!r}: {suggest(key, known, 'keys')}")
    return root


def section(root: Node | None, name: str, problems: Problems) -> Node | None:
    """A part of the file that must be a mapping."""
    node = root.child(name) if root is not None else None
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, dict):
        problems.add(node.position, f"{name} must be a mapping, not {described(node.data())}")
        return None
    return node


def environment_of(
    folder: Path, env_name: str | None, problems: Problems, *, within: Path | None = None
) -> Node | None:
    """`env/NAME.yaml`. Raises UsageError when it does not exist."""
    if env_name is None:
        return None
    from .models import ENVIRONMENT

    return root_of(environment_file(folder, env_name), problems, ENVIRONMENT, within=within)


def name_of(root: Node, problems: Problems) -> str:
    """The stack's name; a placeholder when it is missing or invalid."""
    node = root.child("stack")
    if node is None:
        problems.add(root.position, "'stack' is missing: add the name of the stack, as in stack: web")
    elif not isinstance(node.value, str) or not NAME.match(node.value):
        problems.add(node.position, f"stack must be a name of letters, digits, _ . and -, not {described(node.data())}")
    else:
        return node.value
    return "stack"


def state_of(
    root: Node,
    environment: Node | None,
    folder: Path,
    name: str,
    env_name: str | None,
    environ: Mapping[str, str],
    state_url: str | None,
    problems: Problems,
) -> str:
    """The state's URL. One from outside of the stack is relative to the working directory."""
    outside = state_url or environ.get("HACORE_STATE")
    if outside:
        return absolute_state(outside, Path.cwd())
    for node, shared_by in ((environment, None), (root, env_name)):
        written = node.child("state") if node is not None else None
        if written is None or written.value is None:
            continue
        if not isinstance(written.value, str) or "{{" in written.value:
            problems.add(
                written.position, "state must be a database URL without expressions; use HACORE_STATE to override it"
            )
            break
        try:
            url = absolute_state(written.value, state_folder(folder))
        except UsageError as error:
            problems.add(written.position, str(error))
            break
        own = url if shared_by is None else own_state(url, shared_by)
        if own is not None:
            return own
        message = f"the environment {env_name!r} would share this state: add a separate `state` to env/{env_name}.yaml"
        problems.add(written.position, message)
        break
    return default_state(folder, name, env_name)
