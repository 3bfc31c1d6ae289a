"""The fields of a file, and the rules for their values."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from hacore.contract import Mistake, Spec

from ..facts.stat import sha256
from ..shell import account_fault

__all__ = ["BULK", "SECRET", "Bulk", "Ensure", "FileSpec", "mistakes"]

Ensure = Literal["file", "directory", "link", "absent"]

SECRET = "-"  # noqa: S105 - stands for the hash of a secret
"""`content_sha256` of a recorded spec with secret content: there is content, and nothing more is recorded."""

_USUAL = {mode: f"{mode:04o}" for mode in (0o400, 0o440, 0o444, 0o600, 0o640, 0o644, 0o700, 0o750, 0o755)}


BULK = 1 << 20
"""Bytes of a `source` above which its content is not part of the spec, but read when it is sent."""


class Bulk(BaseModel):
    """A large `source`: where it is on the controller, and what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    sha256: str
    size: int


class FileSpec(Spec):
    """A file, a directory or a symbolic link, or its absence. Fields that are not given are not managed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: str = Field(description="absolute path on the host")
    content: str | None = Field(default=None, description="the content itself")
    source: str | None = Field(default=None, description="a file in the stack's folder, copied unchanged; up to 1 GiB")
    template: str | None = Field(default=None, description="a Jinja2 template in the stack's folder")
    vars: dict[str, Any] = Field(default_factory=dict, description="additional variables for the template")
    link_to: str | None = Field(default=None, description="the target of a symbolic link")
    ensure: Ensure | None = Field(default=None, description="default: link with link_to, else file")
    mode: str | None = Field(
        default=None, pattern=r"^0?[0-7]{3,4}$", description='permission bits, quoted octal: "0644"'
    )
    owner: str | None = Field(
        default=None,
        min_length=1,
        description="name or number; in a folder that belongs to this account, the file is written as this account",
    )
    group: str | None = Field(default=None, min_length=1, description="name or number")
    check: str | None = Field(
        default=None,
        alias="validate",  # BaseModel has a method of that name
        description="command on the host; %s is the new file, which replaces the old one if the command exits 0",
    )
    sensitive: bool = Field(default=False, description="never show the content")

    # set by `resolve` and `recorded` in place of the above
    content_base64: SkipJsonSchema[Annotated[str | None, Field(description="content that is not text")]] = None
    bulk: SkipJsonSchema[Annotated[Bulk | None, Field(description="content that is too large for a spec")]] = None
    content_sha256: SkipJsonSchema[Annotated[str, Field(description="hash of content that was dropped")]] = ""

    @field_validator("mode", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            # YAML 1.2 reads 0644 as the decimal 644, and 0o644 as 420
            text = _USUAL.get(value) or f"{value:04d}"
            raise ValueError(f'an integer is not a mode: write the octal digits quoted, mode: "{text}"')  # noqa: TRY004 - pydantic reports ValueErrors
        return value

    @field_validator("owner", "group", mode="before", json_schema_input_type=str | int | None)
    @classmethod
    def _number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_content(self) -> FileSpec:
        given = [name for name in ("content", "source", "template", "link_to") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: give only one")
        if self.vars and self.template is None:
            raise ValueError("vars needs template: give template, or remove vars")
        return self

    @property
    def kind(self) -> Ensure:
        """`ensure`, inferred if it is not given."""
        return self.ensure or ("file" if self.link_to is None else "link")

    @property
    def bits(self) -> str | None:
        """The mode with four digits, for comparison."""
        return None if self.mode is None else f"{int(self.mode, 8):04o}"

    @property
    def data(self) -> bytes | None:
        """The content's bytes; None if the content is not managed, is large, or was dropped."""
        if self.content_base64 is not None:
            return base64.b64decode(self.content_base64)
        return None if self.content is None else self.content.encode()

    @property
    def wanted_sha256(self) -> str:
        """The hash of the content, hex; SECRET for a recorded secret; empty if the content is not managed."""
        if self.bulk is not None:
            return self.bulk.sha256
        data = self.data
        return self.content_sha256 if data is None else sha256(data)

    @property
    def has_content(self) -> bool:
        """Whether there is content to write."""
        return self.bulk is not None or self.content is not None or self.content_base64 is not None


def _script_faults(data: bytes) -> Iterator[Mistake]:
    """A script of which the kernel would not find the interpreter (execve(2)): Windows tools hide why."""
    first = data.partition(b"\n")[0]
    if first.startswith(b"\xef\xbb\xbf#!"):
        yield Mistake(
            "content",
            "begins with a byte order mark before #!: the host would not run it as a script; save it as "
            "UTF-8 without it",
        )
    if first.removeprefix(b"\xef\xbb\xbf").startswith(b"#!") and first.endswith(b"\r"):
        program = first.removeprefix(b"\xef\xbb\xbf")[2:-1].strip().decode("utf-8", "replace").partition(" ")[0]
        yield Mistake(
            "content",
            f"has a carriage return at the end of line 1: {program}^M is not found, and the script never "
            "runs; save it with LF line ends",
        )


def mistakes(spec: FileSpec) -> Iterator[Mistake]:
    """The mistakes in the values of one spec."""
    path = spec.path
    normal = "/" + posixpath.normpath(path).lstrip("/")  # normpath keeps two slashes in front, as POSIX allows
    if not path.startswith("/") or "\0" in path:
        yield Mistake("path", f"{path!r} is not absolute: write the full path, starting with /")
    elif path == "/":
        yield Mistake("path", "/ itself cannot be managed: name a path below it")
    elif path != normal:
        yield Mistake("path", f"{path!r} is not in its shortest form: write {normal}")
    if spec.kind == "link" and spec.link_to is None:
        yield Mistake("link_to", "a link needs a target, such as link_to: /srv/app/current")
    if spec.kind != "link" and spec.link_to is not None:
        yield Mistake("link_to", f"only a link has a target: remove ensure: {spec.kind}, or link_to")
    if spec.link_to == "":
        yield Mistake("link_to", "the target of a link cannot be empty")
    if spec.kind != "file":
        if spec.has_content:
            yield Mistake("ensure", f"ensure: {spec.kind} has no content: remove the content, or ensure")
        if spec.check is not None:
            yield Mistake("validate", "only a file's content can be checked: remove validate")
    elif spec.check is not None and spec.wanted_sha256 == "":
        yield Mistake("validate", "has no content to check: give content, source or template")
    if spec.kind in ("link", "absent"):
        for name in ("mode",) if spec.kind == "link" else ("mode", "owner", "group"):
            if getattr(spec, name) is not None:
                yield Mistake(name, f"ensure: {spec.kind} has no {name}: remove {name}")
    if spec.kind == "file" and spec.data is not None:
        yield from _script_faults(spec.data)
    for name, account in (("owner", spec.owner), ("group", spec.group)):
        if account is not None and account_fault(account):
            yield Mistake.where(name, account_fault(account))
    if spec.check is not None and "%s" not in spec.check:
        yield Mistake("validate", "the command does not name the new file: write %s in its place")
