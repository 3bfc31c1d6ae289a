"""What a user writes of a file, and the rules over it."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from hacore.contract import Mistake, Spec

from ..facts.stat import sha256

__all__ = ["SECRET", "Ensure", "FileSpec", "mistakes"]

Ensure = Literal["file", "directory", "link", "absent"]

SECRET = "-"  # noqa: S105 - what stands where the hash of a secret would
"""`content_sha256` of a recorded spec whose content is a secret: that there is one, and no more."""

_USUAL = {mode: f"{mode:04o}" for mode in (0o400, 0o440, 0o444, 0o600, 0o640, 0o644, 0o700, 0o750, 0o755)}


class FileSpec(Spec):
    """A file, a directory or a symbolic link, or that there is none. What is not given is left as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: str = Field(description="absolute path on the host")
    content: str | None = Field(default=None, description="the content itself")
    source: str | None = Field(default=None, description="a file in the stack's folder, copied as it is")
    template: str | None = Field(default=None, description="a Jinja2 template in the stack's folder")
    vars: dict[str, Any] = Field(default_factory=dict, description="more variables for the template")
    link_to: str | None = Field(default=None, description="the target of a symbolic link")
    ensure: Ensure | None = Field(default=None, description="default: link with link_to, else file")
    mode: str | None = Field(
        default=None, pattern=r"^0?[0-7]{3,4}$", description='permission bits, quoted octal: "0644"'
    )
    owner: str | None = Field(default=None, min_length=1, description="name or number")
    group: str | None = Field(default=None, min_length=1, description="name or number")
    check: str | None = Field(
        default=None,
        alias="validate",  # the name itself is taken: BaseModel has a method called validate
        description="a command on the host; %s stands for the new file, which replaces the old one if it exits 0",
    )
    sensitive: bool = Field(default=False, description="never show the content")

    # what `resolve` and `recorded` put in place of the above
    content_base64: SkipJsonSchema[Annotated[str | None, Field(description="content that is no text")]] = None
    content_sha256: SkipJsonSchema[Annotated[str, Field(description="hash of a content that was dropped")]] = ""

    @field_validator("mode", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            # YAML 1.2 reads 0644 as the decimal 644, and 0o644 as 420
            text = _USUAL.get(value) or f"{value:04d}"
            raise ValueError(f'an integer is no mode: write the octal digits quoted, mode: "{text}"')  # noqa: TRY004 - pydantic reports ValueErrors
        return value

    @field_validator("owner", "group", mode="before", json_schema_input_type=str | int | None)
    @classmethod
    def _number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_content(self) -> FileSpec:
        given = [name for name in ("content", "source", "template", "link_to") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: give one of them")
        if self.vars and self.template is None:
            raise ValueError("vars are for a template: give template, or leave vars out")
        return self

    @property
    def kind(self) -> Ensure:
        """What should be there, inferred if it is not said."""
        return self.ensure or ("file" if self.link_to is None else "link")

    @property
    def bits(self) -> str | None:
        """The mode with four digits, as it is compared."""
        return None if self.mode is None else f"{int(self.mode, 8):04o}"

    @property
    def data(self) -> bytes | None:
        """The content's bytes; None if the content is not governed, or was dropped."""
        if self.content_base64 is not None:
            return base64.b64decode(self.content_base64)
        return None if self.content is None else self.content.encode()

    @property
    def wanted_sha256(self) -> str:
        """The hash of the content, hex; SECRET for a recorded secret; empty if the content is not governed."""
        data = self.data
        return self.content_sha256 if data is None else sha256(data)


def mistakes(spec: FileSpec) -> Iterator[Mistake]:
    """What is wrong with the values of one spec."""
    path = spec.path
    normal = "/" + posixpath.normpath(path).lstrip("/")  # normpath keeps two slashes in front, as POSIX allows
    if not path.startswith("/") or "\0" in path:
        yield Mistake("path", f"{path!r} is not absolute: write the whole path, from / on")
    elif path == "/":
        yield Mistake("path", "/ itself is not managed: name something in it")
    elif path != normal:
        yield Mistake("path", f"the path is not in its shortest form: write {normal}")
    if spec.kind == "link" and spec.link_to is None:
        yield Mistake("link_to", "a link needs a target: link_to: /where/it/points")
    if spec.kind != "link" and spec.link_to is not None:
        yield Mistake("link_to", f"only a link has a target: leave out ensure: {spec.kind}, or link_to")
    if spec.link_to == "":
        yield Mistake("link_to", "the target of a link cannot be empty")
    if spec.kind != "file":
        if spec.data is not None:
            yield Mistake("ensure", f"{spec.kind} has no content: leave out the content, or ensure: {spec.kind}")
        if spec.check is not None:
            yield Mistake("validate", "only a file's content can be checked: leave it out")
    elif spec.check is not None and spec.wanted_sha256 == "":
        yield Mistake("validate", "there is no content to check: give content, source or template")
    if spec.kind in ("link", "absent"):
        for name in ("mode",) if spec.kind == "link" else ("mode", "owner", "group"):
            if getattr(spec, name) is not None:
                yield Mistake(name, f"ensure: {spec.kind} has no {name}: leave it out")
    if spec.check is not None and "%s" not in spec.check:
        yield Mistake("validate", "the command must say where the new file goes: put %s there")
