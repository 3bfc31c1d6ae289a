"""Write docs/stack-reference.md to stdout, from the models that a stack file is checked with.

Tables come from the pydantic models of the engine and of the installed kinds, examples from
docs/examples/. A kind, a field or an example that has no description is an error.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "providers"), str(ROOT / "docs" / "examples" / "hacore-command")]

from hacore.load import load_providers  # noqa: E402
from hacore.load.models import BystanderBody, CommonBody, EnvironmentBody, HostBody, StackBody, VariableBody  # noqa: E402
from hacore.model import Connection, Lifecycle, TwinBody  # noqa: E402

KINDS = ("package", "file", "source_build", "service", "vrrp_instance", "vip", "command")

# What the engine's own models do not say themselves.
LINKS = {
    "VariableBody": "[variables](#variables)",
    "Connection": "[connection](#connection)",
    "HostBody": "[hosts](#hosts)",
    "BystanderBody": "[bystanders](#bystanders)",
    "Lifecycle": "[lifecycle](#lifecycle)",
    "Serve": "`serve`, below",
    "TwinBody": "`twin`, below",
}

# What is not a matter of one field.
NOTES = {
    "package": """\
Names go by OS family: `debian` (apt) and `redhat` (dnf; `yum` is called with the same words where there is no
dnf). Weak dependencies and recommended packages are not installed. While packages are installed their scripts
start nothing: what runs is a `service`.""",
    "service": """\
On systemd, or where there is none on init scripts: `status` of a script in /etc/init.d says whether it runs, links
in /etc/rc?.d whether it is enabled. A `definition` is a unit file on the one and an init script on the other;
what a host's init system cannot have is refused before anything is touched.""",
}

TEXTS = {
    "StackBody.variables": "values that differ from use to use",
    "StackBody.connection": "how to reach all hosts",
    "StackBody.hosts": "the machines",
    "StackBody.bystanders": "machines that only a lab brings to life",
    "StackBody.resources": "kind, name, body: [common keys](#common-keys), and the fields of each kind",
    "StackBody.outputs": "values to show after an apply",
    "VariableBody.default": "the value when none is given; without a default one must be given",
    "VariableBody.description": "for people",
    "HostBody.groups": "names under which several hosts are selected",
    "HostBody.connection": "what differs from the stack's",
    "Connection.transport": "`local`: this machine, without ssh",
    "Connection.user": "who logs in; default: what ssh_config(5) says",
    "Connection.port": "default: what ssh_config(5) says",
    "Connection.become": "`sudo`: run everything as root through sudo, with a password if [it asks](ssh.md#sudo)",
    "Connection.identity_file": "private key; default: what ssh_config(5) says, and the agent",
    "BystanderBody.address": "IP address of the machine",
    "BystanderBody.serve": "what it answers to HTTP",
    "Serve.port": "TCP port",
    "Serve.status": "status of the answer",
    "Serve.body": "body of the answer",
    "CommonBody.lifecycle": "rules that outlive the block",
    "Lifecycle.prevent_destroy": "a plan that would delete or replace it is refused; the state keeps that",
    "Lifecycle.ignore_changes": "attributes, as the plan shows them, that are not compared",
    "Lifecycle.on_delete": "`restore` what was there before hacore, `remove` it whatever was there, `keep` it as it is",
    "Lifecycle.keep_on_failure": "not undone when something else in its lane fails",
    "EnvironmentBody.state": "a state of its own; default: the stack's, with the environment's name in it",
    "EnvironmentBody.variables": "values, stronger than defaults, weaker than HACORE_VAR_*",
    "EnvironmentBody.hosts": "what differs at hosts, by name",
}

HEAD = """\
# Stack reference

<!-- Written by scripts/stack-reference.py (`make docs`); edit the models' descriptions, or docs/examples/. -->

A stack is a YAML 1.2 file, `stack.yaml`, in a folder with whatever it refers to. `hacore validate`
checks it without asking a host and tells all mistakes at once; `hacore schema` prints its JSON
Schema for editors. Unknown keys are mistakes.

## Contents

{contents}

## Top level

{stack}

### variables

{variables}

A value is looked for in this order; the first one wins:

1. `--var NAME=VALUE`
2. `--var-file FILE`, the last one first
3. the environment variable `HACORE_VAR_NAME`
4. `env/NAME.yaml` beside the stack, with `--env NAME`
5. the default

Lists and mappings are JSON on the command line and in the environment. A text in which a sensitive
variable occurs is sensitive as a whole: it is in no plan, state, log or diff.

### hosts

{hosts}

`twin`, for `hacore lab` and `hacore rehearse` only:

{twin}

`debian` is Debian with systemd, `sysvinit` Debian with init scripts in its place. `redhat` is a machine whose packages
are rpm's, with dnf in charge and Red Hat's name: its base is Debian's all the same, and its only repositories are those
that the stack gives it.

### connection

{connection}

### bystanders

{bystanders}

{serve}

### env/NAME.yaml

{environment}

## Expressions

Any value may have Jinja2 expressions in it: `"{{{{ var.vip }}}}"`. They are evaluated when the stack
is loaded, in a sandbox; an undefined name is a mistake. A value that is one expression and nothing
else keeps its type. `{{{{ '{{{{' }}}}` is a literal pair of braces.

| name | what it is |
|---|---|
| `var.NAME` | a variable |
| `host.name`, `host.address`, `host.groups`, `host.vars.NAME` | the host that the instance is for |
| `hosts.NAME.address`, `hosts.NAME.vars.NAME` | any host |
| `groups.NAME` | the names of a group's hosts; `groups.all` has them all |
| `each.key`, `each.value` | the entry of `for_each` |
| `resource.KIND['NAME'].FIELD` | a field of another resource on the same host; that one is then done first |
| `file('PATH')` | the text of a file in the stack's folder |
| `env('NAME')` | an environment variable; always sensitive |

There are no facts in expressions: nothing that a host says can change what the stack means.

## Addresses

`kind.name["key"]@host` names one instance: `file.nginx.conf@lb1`, `file.site["a"]@web2`. Without
`@host` all of its hosts are meant, without the key all entries of a `for_each`. In `needs`,
`reload_on` and `restart_on` an address without a host means the instance on the same host; where one
side looks at several hosts, every member. What is deleted pulls the reload or restart, too, of a daemon
that has it loaded, although the stack names neither any more.

Some edges need not be written: a file comes after the folder it lies in, a service after the package
or unit file it is named after, a `vrrp_instance` after the keepalived it is tested with.

## Common keys

Every resource may have these beside its own fields.

{common}

### lifecycle

{lifecycle}
"""


class Reference:
    """The reference as text, and the names of what has no description."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    def text(self) -> str:
        """All of it."""
        kinds = [kind for kind in KINDS if kind in load_providers()]
        kinds += sorted(load_providers().keys() - set(kinds))
        contents = ["Top level", "Expressions", "Addresses", "Common keys", *kinds]
        serve = BystanderBody.model_fields["serve"].annotation
        assert serve is not None
        head = HEAD.format(
            contents="\n".join(f"- [{name}](#{name.lower().replace(' ', '-')})" for name in contents),
            stack=self.table(StackBody),
            variables=self.table(VariableBody),
            hosts=self.table(HostBody),
            twin=self.table(TwinBody),
            connection=self.table(Connection),
            bystanders=self.table(BystanderBody),
            serve=f"`serve`:\n\n{self.table(serve)}",
            environment=self.table(EnvironmentBody),
            common=self.table(CommonBody),
            lifecycle=self.table(Lifecycle),
        )
        return "\n".join([head, *(self.kind(kind) for kind in kinds)]).rstrip() + "\n"

    def kind(self, kind: str) -> str:
        """One kind: what it is, its fields, those of the mappings in it, an example."""
        provider = load_providers()[kind]
        about = inspect.getdoc(provider.spec) or ""
        parts = [f"## {kind}", about.partition("\n\n")[0].replace("\n", " ")]
        parts += [NOTES[kind]] if kind in NOTES else []
        parts.append(self.table(provider.spec, kind))
        for model in nested(provider.spec):
            parts += [f"### {kind}: {model.__name__}", first_line(model), self.table(model, kind)]
        parts += [f"### Example of {kind}", f"[{kind}.yaml](examples/{kind}.yaml):", self.example(kind)]
        return "\n\n".join(parts) + "\n"

    def example(self, kind: str) -> str:
        """The example as a block of YAML."""
        path = ROOT / "docs" / "examples" / f"{kind}.yaml"
        if not path.is_file():
            self.missing.append(f"docs/examples/{kind}.yaml")
            return ""
        return f"```yaml\n{path.read_text().rstrip()}\n```"

    def table(self, model: type[BaseModel], kind: str = "") -> str:
        """The fields that a user may write."""
        lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
        for name, field in shown(model):
            text = field.description or TEXTS.get(f"{model.__name__}.{name}", "")
            if not text:
                self.missing.append(f"{model.__module__}.{model.__name__}.{name}")
            cells = (f"`{field.alias or name}`", spoken(field.annotation, kind), default(field), text)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return "\n".join(lines)


def shown(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields without those that hacore fills in."""
    for name, field in model.model_fields.items():
        if not any(isinstance(m, SkipJsonSchema) for m in field.metadata):
            yield name, field


def nested(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models below a model, each once, in the order of its fields."""
    found: list[type[BaseModel]] = []

    def visit(annotation: Any) -> None:
        for part in get_args(annotation):
            visit(part)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
            found.append(annotation)
            for _, field in shown(annotation):
                visit(field.annotation)

    for _, field in shown(model):
        visit(field.annotation)
    return found


def spoken(annotation: Any, kind: str = "") -> str:
    """A type in words; a model is a link to its table."""
    simple = {
        str: "string",
        int: "integer",
        float: "number",
        bool: "true or false",
        Any: "anything",
        object: "anything",
    }
    if annotation in simple:
        return simple[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(spoken(arg, kind) for arg in args if arg is not type(None)))
    if origin in (list, tuple, set, frozenset):
        return f"list of {plural(spoken(args[0], kind))}"
    if origin is dict:
        return f"mapping to {plural(spoken(args[1], kind))}"
    if hasattr(annotation, "__metadata__"):
        return spoken(args[0], kind)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        name = annotation.__name__
        return LINKS.get(name) or f"[{name}](#{kind}-{name.lower()})"
    return str(annotation)


def plural(words: str) -> str:
    """Of a type's name."""
    forms = {"string": "strings", "integer": "integers", "number": "numbers"}
    if words.startswith(("list of", "mapping to")):
        return words.replace("list of", "lists of", 1).replace("mapping to", "mappings to", 1)
    head, _, rest = words.partition(" or ")
    return forms.get(head, head) + (f" or {plural(rest)}" if rest else "")


def default(field: FieldInfo) -> str:
    """The default, as it would be written."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or value == () or value == [] or value == {} or isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def first_line(model: type[BaseModel]) -> str:
    """The first sentence of what a model says of itself."""
    return (inspect.getdoc(model) or "").partition("\n")[0]


def main() -> int:
    """Print the reference; 1 when something in it has no description."""
    reference = Reference()
    sys.stdout.write(reference.text())
    for name in reference.missing:
        sys.stderr.write(f"no description: {name}\n")
    return 1 if reference.missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
