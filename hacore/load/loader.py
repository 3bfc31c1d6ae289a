"""From a stack file to a Stack: all expressions evaluated, all mistakes told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..address import NAME
from ..contract import Provider
from ..errors import UsageError
from ..expressions import Expressions
from ..model import digest
from .assemble import assemble, load_outputs
from .blocks import load_blocks
from .files import Folder, cache_folder
from .find import absolute_state, default_state, environment_file, own_state, state_folder
from .hosts import load_bystanders, load_hosts, override_hosts
from .instances import Instances
from .models import ENVIRONMENT, SECTIONS
from .positions import Node, read_yaml
from .problems import Problems, suggest
from .stack import Position, Stack
from .translate import described
from .variables import Given, Variables, load_variables, read_var_files
from .world import World

_MAPPINGS = frozenset(("variables", "connection", "hosts", "bystanders", "resources", "outputs"))


def load_stack(
    path: Path,
    *,
    providers: Mapping[str, Provider[Any]],
    variables: Mapping[str, str],
    var_files: Sequence[Path],
    env_name: str | None,
    environ: Mapping[str, str],
    state_url: str | None,
) -> Stack:
    """See `hacore.load.load`."""
    problems = Problems()
    file = path.absolute()
    root = _root(file, SECTIONS, problems)
    if root is None:
        raise problems.error()
    environment = _environment(file.parent, env_name, problems)
    files = read_var_files(var_files, problems)
    given = Given(variables, files, environ, _section(environment, "variables", problems))
    values = load_variables(_section(root, "variables", problems), given, problems, root)
    secrets = set(values.secrets())
    name = _name(root, problems)
    state = _state(root, environment, file.parent, name, env_name, environ, state_url, problems)
    world = _world(root, environment, file.parent, environ, values, secrets, problems)
    blocks = load_blocks(_section(root, "resources", problems), providers, world)
    instances = Instances(blocks, world, cache_folder(environ))
    built = assemble(instances, world)
    bystanders = load_bystanders(_section(root, "bystanders", problems), world)
    outputs, sensitive_outputs = load_outputs(_section(root, "outputs", problems), world)
    if problems:
        raise problems.error(secrets)
    return Stack(
        name=name,
        folder=file.parent,
        file=file,
        state=state,
        hosts=world.hosts,
        groups=world.groups,
        instances=built.instances,
        switched_off=frozenset(address for block in blocks.values() for address in block.off),
        bystanders=bystanders,
        outputs=outputs,
        sensitive_outputs=sensitive_outputs,
        secrets=frozenset(secrets),
        digest=digest([name, built.digest, sorted(world.hosts), {k: list(v) for k, v in world.groups.items()}]),
    )


def shown(path: Path) -> str:
    """A file as problems name it: from here if it lies below, else whole."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _root(file: Path, known: frozenset[str], problems: Problems) -> Node | None:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {shown(file)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        problems.add(Position(shown(file), 1, 1), f"cannot read the file: it is no UTF-8 text (byte {error.start})")
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


def _section(root: Node | None, name: str, problems: Problems) -> Node | None:
    """A part of the file that must be a mapping."""
    node = root.child(name) if root is not None else None
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, dict):
        problems.add(node.position, f"{name} must be a mapping, not {described(node.data())}")
        return None
    return node


def _environment(folder: Path, env_name: str | None, problems: Problems) -> Node | None:
    if env_name is None:
        return None
    return _root(environment_file(folder, env_name), ENVIRONMENT, problems)


def _name(root: Node, problems: Problems) -> str:
    node = root.child("stack")
    if node is None:
        problems.add(root.position, "'stack' is missing: it names the stack, as in stack: web")
    elif not isinstance(node.value, str) or not NAME.match(node.value):
        problems.add(node.position, f"stack must be a name of letters, digits, _ . and -, not {described(node.data())}")
    else:
        return node.value
    return "stack"


def _state(
    root: Node,
    environment: Node | None,
    folder: Path,
    name: str,
    env_name: str | None,
    environ: Mapping[str, str],
    state_url: str | None,
    problems: Problems,
) -> str:
    """The state's URL. One that is given outside of the stack is relative to where the user is."""
    outside = state_url or environ.get("HACORE_STATE")
    if outside:
        return absolute_state(outside, Path.cwd())
    for node, whose in ((environment, None), (root, env_name)):
        written = node.child("state") if node is not None else None
        if written is None or written.value is None:
            continue
        if not isinstance(written.value, str) or "{{" in written.value:
            problems.add(
                written.position, "state must be a database URL without expressions; HACORE_STATE overrides it"
            )
            break
        try:
            url = absolute_state(written.value, state_folder(folder))
        except UsageError as error:
            problems.add(written.position, str(error))
            break
        own = url if whose is None else own_state(url, whose)
        if own is not None:
            return own
        message = f"the environment {env_name!r} would share this state: give env/{env_name}.yaml a `state` of its own"
        problems.add(written.position, message)
        break
    return default_state(folder, name, env_name)


def _world(
    root: Node,
    environment: Node | None,
    folder: Path,
    environ: Mapping[str, str],
    values: Variables,
    secrets: set[str],
    problems: Problems,
) -> World:
    inside = Folder(folder)
    sensitive = frozenset(("var", name) for name in values.sensitive)
    world = World(
        expressions=Expressions(inside.text),
        problems=problems,
        folder=inside,
        environ=environ,
        variables=values,
        secrets=secrets,
        secret=sensitive | {("env",)},
    )
    hosts = _section(root, "hosts", problems)
    if hosts is None or not hosts.map:
        if root.child("hosts") is None or root.map["hosts"].value in (None, {}):
            problems.add(root.key("hosts"), "'hosts' is missing: a stack needs one host at least")
        hosts = Node({}, root.position)
    over = _section(environment, "hosts", problems)
    return load_hosts(override_hosts(hosts, over), _section(root, "connection", problems), world)
