"""Write docs/stack-reference.md to stdout, from the models that a stack file is checked with.

The tables are those of the pydantic models of the engine and of the installed kinds, the examples those of
docs/examples/. A kind, a field or an example without a description is an error.
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
from hacore.load.models import (  # noqa: E402
    BystanderBody,
    CommonBody,
    EnvironmentBody,
    HostBody,
    HostsFrom,
    StackBody,
    VariableBody,
    VarsFrom,
)
from hacore.model import Connection, Lifecycle, TwinBody  # noqa: E402

KINDS = ("package", "file", "source_build", "service", "vrrp_instance", "vip", "command")

# Types with a section of their own.
LINKS = {
    "VariableBody": "[variables](#variables)",
    "Connection": "[connection](#connection)",
    "HostBody": "[hosts](#hosts)",
    "BystanderBody": "[bystanders](#bystanders)",
    "VarsFrom": "[vars_from](#vars_from)",
    "HostsFrom": "[hosts_from](#hosts_from)",
    "Lifecycle": "[lifecycle](#lifecycle)",
    "Serve": "`serve`, below",
    "TwinBody": "`twin`, below",
}

# Text that does not belong to one field.
NOTES = {
    "package": """\
OS families are `debian` (apt) and `redhat` (dnf, or `yum` with the same arguments if dnf is missing). Weak
dependencies and recommended packages are not installed. The scripts of packages start no daemons during the
installation: add a `service` for a daemon. On a guarded pair, a host is drained while an installed package changes
or is removed, one host at a time; with `restart_on: [package.nginx]` a service restarts in the same block.""",
    "service": """\
Units of systemd, or init scripts on hosts without systemd: there `status` of the script in /etc/init.d decides
whether it runs, the links in /etc/rc?.d whether it is enabled. A `definition` is a unit file for systemd, an init
script for the others. A definition of the wrong type fails before any change.""",
}

TEXTS = {
    "StackBody.variables": "values that differ between uses of the stack",
    "StackBody.connection": "connection to all hosts",
    "StackBody.hosts": "the managed machines",
    "EnvironmentBody.vars_from": "in place of the stack's",
    "EnvironmentBody.hosts_from": "in place of the stack's",
    "StackBody.bystanders": "machines that exist only in a lab",
    "StackBody.resources": "kind, name, body: [common keys](#common-keys), and the fields of each kind",
    "StackBody.outputs": "values to show after an apply",
    "VariableBody.default": "value if none is given; without a default a value is required",
    "VariableBody.description": "description for users",
    "HostBody.groups": "groups of the host, to select several hosts by one name",
    "HostBody.connection": "fields that differ from those of the stack",
    "Connection.transport": "`local`: this machine, without ssh",
    "Connection.user": "login name; default: as in ssh_config(5)",
    "Connection.port": "port of sshd; default: as in ssh_config(5)",
    "Connection.become": "`sudo`: run everything as root through sudo, with a password if [it asks](ssh.md#sudo)",
    "Connection.identity_file": "private key; default: as in ssh_config(5), and the agent",
    "BystanderBody.address": "IP address of the machine",
    "BystanderBody.serve": "answer to HTTP requests",
    "Serve.port": "TCP port",
    "Serve.status": "status of the answer",
    "Serve.body": "body of the answer",
    "CommonBody.lifecycle": "rules that the state keeps when the block is removed",
    "Lifecycle.prevent_destroy": "a plan that deletes or replaces it fails; recorded in the state",
    "Lifecycle.ignore_changes": "attributes, as named in plans, that are not compared",
    "Lifecycle.on_delete": "`restore` the original state, `remove` it in any case, or `keep` it unchanged",
    "Lifecycle.keep_on_failure": "not undone if another task of its lane fails",
    "EnvironmentBody.state": "state of the environment; default: the stack's, with the environment's name in it",
    "EnvironmentBody.variables": "values; they override defaults, HACORE_VAR_* overrides them",
    "EnvironmentBody.hosts": "fields of hosts that differ, by host name",
}

HEAD = """\
# Stack reference

<!-- Written by scripts/stack-reference.py (`make docs`); edit the models' descriptions, or docs/examples/. -->

A stack is a YAML 1.2 file, `stack.yaml`, in a folder with all files that it names. `hacore validate`
checks it without a connection to a host and reports all mistakes at once; `hacore schema` prints its JSON
Schema for editors. Unknown keys are mistakes.

## Contents

{contents}

## Top level

{stack}

### variables

{variables}

The value of a variable is the first of these:

1. `--var NAME=VALUE`
2. `--var-file FILE`, the last one first
3. the environment variable `HACORE_VAR_NAME`
4. `env/NAME.yaml` beside the stack, with `--env NAME`
5. [vars_from](#vars_from)
6. the default

Lists and mappings are JSON on the command line and in the environment. A text that contains a sensitive
variable is sensitive as a whole: it is not in plans, state, logs and diffs.

### vars_from

{vars_from}

    terraform output -json > outputs.json        # then, in stack.yaml: vars_from: {{terraform: outputs.json}}

An environment may have a `vars_from` of its own.

### hosts

{hosts}

### hosts_from

{hosts_from}

    hosts_from: {{ansible: inventory.ini, groups: [edge]}}
    hosts: {{lb1: {{vars: {{priority: 110}}}}}}          # completes or overrides the host of the inventory

`ansible_host`, `ansible_port`, `ansible_user`, `ansible_ssh_private_key_file`, `ansible_connection` (ssh, local) and
`ansible_become` (sudo) become the address and the connection, other variables `vars`, groups `groups`. Passwords, what
ansible-vault encrypted, and values with expressions of Ansible are left out. The folders `group_vars` and `host_vars`
are not read: `ansible-inventory -i inventory.ini --list > inventory.json` has them. An environment may have a
`hosts_from` of its own.

`twin`, for `hacore lab` and `hacore rehearse` only:

{twin}

`debian` is Debian with systemd, of this machine's release, `debian13` that of trixie, `sysvinit` Debian with init
scripts instead. `redhat` has dnf, rpm packages and the OS name of Red Hat; its base system is still Debian, and its
only repositories are those that the stack adds.

### connection

{connection}

### bystanders

{bystanders}

{serve}

### env/NAME.yaml

{environment}

## Expressions

Any value may contain Jinja2 expressions: `"{{{{ var.vip }}}}"`. They are evaluated when the stack
is loaded, in a sandbox; an undefined name is a mistake. A value that is one expression and nothing
else keeps its type. `{{{{ '{{{{' }}}}` is a literal pair of braces.

| name | value |
|---|---|
| `var.NAME` | a variable |
| `host.name`, `host.address`, `host.groups`, `host.vars.NAME` | the host of the instance |
| `hosts.NAME.address`, `hosts.NAME.vars.NAME` | any host |
| `groups.NAME` | the names of a group's hosts; `groups.all` has all hosts |
| `each.key`, `each.value` | the entry of `for_each` |
| `resource.KIND['NAME'].FIELD` | a field of another resource on the same host, which is applied first |
| `file('PATH')` | the text of a file in the stack's folder |
| `env('NAME')` | an environment variable; always sensitive |

Expressions have no facts: the meaning of a stack does not depend on the answers of hosts.

## Addresses

`kind.name["key"]@host` names one instance: `file.nginx.conf@lb1`, `file.site["a"]@web2`. Without
`@host` it names the instances of all hosts, without the key all entries of a `for_each`. In `needs`,
`reload_on` and `restart_on` an address without a host is the instance on the same host; if one side is
an instance over several hosts, all members. A delete also reloads or restarts a daemon that has loaded the
deleted resource, although neither is in the stack now.

Some edges are automatic: a file depends on its folder, a service on the package or unit file of its name, a
`vrrp_instance` on the keepalived that tests its file.

## Common keys

Every resource may have these keys in addition to its own fields.

{common}

### lifecycle

{lifecycle}
"""


class Reference:
    """The reference as text, and the names without a description."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    def text(self) -> str:
        """The whole page."""
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
            vars_from=self.table(VarsFrom),
            hosts_from=self.table(HostsFrom),
            serve=f"`serve`:\n\n{self.table(serve)}",
            environment=self.table(EnvironmentBody),
            common=self.table(CommonBody),
            lifecycle=self.table(Lifecycle),
        )
        return "\n".join([head, *(self.kind(kind) for kind in kinds)]).rstrip() + "\n"

    def kind(self, kind: str) -> str:
        """One kind: description, fields, fields of its mappings, example."""
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
        """The table of the fields that a user may write."""
        lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
        for name, field in shown(model):
            text = field.description or TEXTS.get(f"{model.__name__}.{name}", "")
            if not text:
                self.missing.append(f"{model.__module__}.{model.__name__}.{name}")
            cells = (f"`{field.alias or name}`", spoken(field.annotation, kind), default(field), text)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return "\n".join(lines)


def shown(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields without those that hacore sets."""
    for name, field in model.model_fields.items():
        if not any(isinstance(m, SkipJsonSchema) for m in field.metadata):
            yield name, field


def nested(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The nested models of a model, each once, in the order of its fields."""
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
    """The plural of a type's name."""
    forms = {"string": "strings", "integer": "integers", "number": "numbers"}
    if words.startswith(("list of", "mapping to")):
        return words.replace("list of", "lists of", 1).replace("mapping to", "mappings to", 1)
    head, _, rest = words.partition(" or ")
    return forms.get(head, head) + (f" or {plural(rest)}" if rest else "")


def default(field: FieldInfo) -> str:
    """The default, as a user writes it."""
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
    """The first line of a model's docstring."""
    return (inspect.getdoc(model) or "").partition("\n")[0]


def main() -> int:
    """Print the reference; 1 if a description is missing."""
    reference = Reference()
    sys.stdout.write(reference.text())
    for name in reference.missing:
        sys.stderr.write(f"no description: {name}\n")
    return 1 if reference.missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
