"""From a stack file to a Stack: all expressions evaluated, all mistakes reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..contract import Provider
from ..expressions import Expressions
from ..model import digest
from ..secrets import SHORTEST, Secrets
from .assemble import assemble, load_outputs
from .blocks import load_blocks
from .contained import all_contained
from .evaluator import Evaluator
from .files import Folder, cache_folder
from .hidden import hidden
from .hosts import load_bystanders, load_hosts, override_hosts
from .hosts_from import hosts_from
from .includes import included
from .instances import Instances
from .outline import environment_of, name_of, root_of, section, state_of
from .problems import Problems
from .request import LoadRequest
from .stack import Stack
from .variables import Given, Variables, load_variables, read_var_files
from .vars_from import outputs_from
from .world import World
from .yaml_nodes import Node


def load_stack(request: LoadRequest, providers: Mapping[str, Provider[Any]]) -> Stack:
    """See `hacore.load.load`."""
    return load_evaluator(request, providers).stack


def load_evaluator(request: LoadRequest, providers: Mapping[str, Provider[Any]]) -> Evaluator:
    """See `hacore.load.load_evaluator`."""
    problems = Problems()
    providers = all_contained(providers)
    environ = request.environ
    file = request.file.absolute()
    within = file.parent if request.closed else None
    root = root_of(file, problems, within=within)
    if root is None:
        raise problems.error()
    root = included(root, file, problems)
    environment = environment_of(file.parent, request.env_name, problems, within=within)
    known = outputs_from(root, environment, Folder(file.parent), problems)
    files = read_var_files(request.var_files, problems)
    given = Given(request.variables, files, environ, section(environment, "variables", problems), known)
    values = load_variables(section(root, "variables", problems), given, problems, root)
    secrets = set(values.secrets())
    name = name_of(root, problems)
    state = state_of(root, environment, file.parent, name, request.env_name, environ, request.state_url, problems)
    unread: set[str] | None = set() if request.closed else None
    world = _world(root, environment, file.parent, environ, values, secrets, problems, unread)
    blocks = load_blocks(section(root, "resources", problems), providers, world)
    instances = Instances(blocks, world, cache_folder(environ))
    built = assemble(instances, world)
    bystanders = load_bystanders(section(root, "bystanders", problems), world)
    outputs, sensitive_outputs = load_outputs(section(root, "outputs", problems), world)
    found = hidden(built.instances, providers, Secrets(secrets), problems)
    if problems:
        raise problems.error(secrets)
    stack = Stack(
        name=name,
        folder=file.parent,
        file=file,
        state=state,
        hosts=world.hosts,
        groups=world.groups,
        instances=found,
        switched_off=frozenset(address for block in blocks.values() for address in block.off),
        bystanders=bystanders,
        outputs=outputs,
        sensitive_outputs=sensitive_outputs,
        secrets=frozenset(secrets),
        digest=digest([name, built.digest, sorted(world.hosts), {k: list(v) for k, v in world.groups.items()}]),
        variables=dict(values.values),
        sensitive_variables=values.sensitive,
        unread=frozenset(unread or ()),
        warnings=tuple(_short_secrets(section(root, "variables", problems), values)),
    )
    return Evaluator(stack, world, instances)


def _short_secrets(node: Node | None, values: Variables) -> Iterator[str]:
    """Sensitive variables that cannot be found in text: `file:line:column: ...`."""
    for name in sorted(values.sensitive):
        value = values.values.get(name)
        at = node.key(name) if node is not None and name in node.map else None
        if isinstance(value, str) and 0 < len(value) < SHORTEST and at is not None:
            yield (
                f"{at.file}:{at.line}:{at.column}: var.{name} has fewer than {SHORTEST} characters: it is hidden where "
                "it stands alone, but not within other text; use a longer one"
            )


def _world(
    root: Node,
    environment: Node | None,
    folder: Path,
    environ: Mapping[str, str],
    values: Variables,
    secrets: set[str],
    problems: Problems,
    unread: set[str] | None,
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
        unread=unread,
    )
    hosts, known = section(root, "hosts", problems), hosts_from(root, environment, inside, problems)
    if known is not None:
        hosts = override_hosts(known, hosts)
    elif hosts is None or not hosts.map:
        if root.child("hosts") is None or root.map["hosts"].value in (None, {}):
            problems.add(root.key("hosts"), "'hosts' is missing: a stack needs at least one host")
        hosts = Node({}, root.position)
    over = section(environment, "hosts", problems)
    return load_hosts(override_hosts(hosts, over), section(root, "connection", problems), world)
