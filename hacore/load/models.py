"""The shapes of a stack file: pydantic models, also the source of the JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict

from ..endpoint import HostAddress
from ..model import Connection, Lifecycle, TwinBody

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
VariableType = Literal["string", "int", "number", "bool", "list", "map"]


class Shape(BaseModel):
    """Base: an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class VariableBody(Shape):
    """A variable: without a default it needs a value."""

    type: VariableType | None = Field(default=None, description="the type; default: that of `default`, else string")
    default: Any = None
    enum: list[Any] | None = Field(default=None, description="the allowed values")
    pattern: str | None = Field(default=None, description="a regular expression that matches the whole string")
    sensitive: bool = Field(default=False, description="never shown, logged or stored in clear text")
    description: str = ""


class HostBody(Shape):
    """A host, as written under `hosts`."""

    address: HostAddress = Field(min_length=1, description="IP address or host name to connect to")
    groups: list[str] = Field(default_factory=list)
    vars: dict[str, Any] = Field(default_factory=dict, description="values for expressions, as host.vars")
    connection: Connection = Connection()
    twin: TwinBody = Field(default=TwinBody(), description="the host's twin in labs and rehearsals; never planned")


class Serve(Shape):
    """The HTTP response of a bystander."""

    port: int = Field(default=80, ge=1, le=65535)
    status: int = Field(default=200, ge=100, le=599)
    body: str = ""


class BystanderBody(Shape):
    """A machine that exists only in labs and rehearsals."""

    address: HostAddress = Field(min_length=1)
    serve: Serve = Serve()


class CommonBody(Shape):
    """The common keys of resources."""

    hosts: str | list[str] = Field(default="all", description="a host, a group, `all`, or a list of them")
    members: str | list[str] | dict[str, dict[str, Any] | None] = Field(
        "all", description="alternative to `hosts`; a mapping: host to its differences from the body"
    )
    needs: str | list[str] = Field(default_factory=list, description="addresses to apply before")
    when: bool = Field(default=True, description="false: not in the stack; can differ by host")
    for_each: list[str | Annotated[int, Strict()]] | dict[str, Any] | None = Field(
        None, description="an instance for each item or entry, as each.key and each.value"
    )
    lifecycle: Lifecycle = Lifecycle()


COMMON = frozenset(CommonBody.model_fields)


class VarsFrom(Shape):
    """Values of variables from another tool: used for a variable that nothing else but its default gives a value."""

    terraform: str = Field(
        description="a file of the stack's folder that `terraform output -json` wrote: each output is a value for the "
        "variable of its name, if there is one; a sensitive output makes its variable sensitive"
    )


class HostsFrom(Shape):
    """Hosts from another tool; those under `hosts` complete or override them."""

    ansible: str = Field(
        description="an Ansible inventory in the stack's folder: INI, YAML, or the JSON of `ansible-inventory --list`"
    )
    groups: list[str] = Field(default_factory=list, description="only the hosts of these groups; default: all hosts")


class StackBody(Shape):
    """A stack file, before its expressions are evaluated."""

    stack: Name = Field(description="the name of the stack and of its state")
    state: str | None = Field(default=None, description="SQLAlchemy URL of the state; sqlite paths are relative")
    include: tuple[str, ...] = Field(
        default=(),
        description="more files of the stack's folder, as names or patterns such as `parts/*.yaml`: mappings with "
        "variables, hosts, bystanders, resources, outputs. Nothing may be there twice",
    )
    variables: dict[Identifier, VariableBody] = Field(default_factory=dict)
    vars_from: VarsFrom | None = Field(default=None, description="values of variables from another tool")
    connection: Connection = Connection()
    hosts_from: HostsFrom | None = Field(default=None, description="hosts from another tool")
    hosts: dict[Name, HostBody] = Field(default_factory=dict, description="at least one, here or by `hosts_from`")
    bystanders: dict[Name, BystanderBody] = Field(default_factory=dict)
    resources: dict[str, dict[Name, dict[str, Any]]] = Field(default_factory=dict)
    outputs: dict[Name, Any] = Field(default_factory=dict)


SECTIONS = frozenset(StackBody.model_fields)


class EnvironmentBody(Shape):
    """`env/NAME.yaml`: values of variables, and overrides of hosts."""

    state: str | None = None
    vars_from: VarsFrom | None = None
    hosts_from: HostsFrom | None = None
    variables: dict[Identifier, Any] = Field(default_factory=dict)
    hosts: dict[Name, dict[str, Any]] = Field(default_factory=dict)


ENVIRONMENT = frozenset(EnvironmentBody.model_fields)
